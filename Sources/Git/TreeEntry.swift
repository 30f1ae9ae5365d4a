/// One entry of a tree, at its full path in the repository.
package struct TreeEntry: Hashable, Sendable {
  package let path: GitPath
  package let id: ObjectID
  package let mode: FileMode

  package init(path: GitPath, id: ObjectID, mode: FileMode) {
    self.path = path
    self.id = id
    self.mode = mode
  }
}
