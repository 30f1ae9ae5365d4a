/// One commit's metadata.
package struct Commit: Hashable, Sendable {
  package let id: ObjectID
  package let tree: ObjectID
  /// In the order recorded; empty for a first commit and at the boundary of a shallow clone.
  package let parents: [ObjectID]
  package let author: Signature
  package let committer: Signature
  /// Without leading newlines; bytes that are not UTF-8 become U+FFFD.
  package let message: String

  package init(
    id: ObjectID, tree: ObjectID, parents: [ObjectID], author: Signature, committer: Signature, message: String
  ) {
    self.id = id
    self.tree = tree
    self.parents = parents
    self.author = author
    self.committer = committer
    self.message = message
  }
}
