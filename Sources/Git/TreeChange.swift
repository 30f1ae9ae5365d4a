/// What happened to one path between two trees. At least one side is present.
package struct TreeChange: Hashable, Sendable {
  package let path: GitPath
  /// Nil if the path is new.
  package let old: TreeEntry?
  /// Nil if the path is gone.
  package let new: TreeEntry?

  package init(path: GitPath, old: TreeEntry?, new: TreeEntry?) {
    self.path = path
    self.old = old
    self.new = new
  }
}
