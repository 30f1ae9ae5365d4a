/// What a commit would change, and what it would leave as it is.
package struct CommitPreview: Sendable {
  /// Sorted by path.
  package let changes: [TreeChange]
  /// Sorted by path.
  package let skipped: [CommitOutcome.Skipped]
  /// The bytes of new and changed files that the object database need not have, by blob.
  package let blobs: [ObjectID: [UInt8]]
}

extension Repository {
  /// Works out what a commit of `request` would do on HEAD. Writes nothing, and takes no lock.
  ///
  /// Throws as `commit(_:)` does where the request itself is at fault.
  package func preview(_ request: CommitRequest) throws(GitError) -> CommitPreview {
    let parent = try handle.head().commit
    var base: ObjectID?
    if let parent { base = try CommitHandle(parent, in: handle).tree }
    let plan = try plan(request, parent: parent, base: base, checkoutIndex(below: request.folder))
    var changes: [TreeChange] = []
    for change in plan.changes {
      var old: TreeEntry?
      if let base { old = try database.entry(at: change.path, inTree: base) }
      let new = change.content.map { TreeEntry(path: change.path, id: $0.id, mode: $0.mode) }
      if old != nil || new != nil { changes.append(TreeChange(path: change.path, old: old, new: new)) }
    }
    return CommitPreview(changes: changes, skipped: plan.skipped, blobs: plan.blobs)
  }
}
