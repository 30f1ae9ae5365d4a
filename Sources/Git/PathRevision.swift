/// One commit that changed a path.
package struct PathRevision: Hashable, Sendable {
  package let commit: Commit
  /// What the path holds after the commit; nil if the commit deleted it.
  package let blob: ObjectID?

  package init(commit: Commit, blob: ObjectID?) {
    self.commit = commit
    self.blob = blob
  }
}
