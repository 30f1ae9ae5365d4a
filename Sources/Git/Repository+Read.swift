extension Repository {
  /// Lends the bytes of each entry to `body`, in order, on the repository's thread and in one call of the actor.
  ///
  /// `body` gets the entry's position and its bytes, which are valid only during the call, and returns false to
  /// stop. A failure of one entry is handed to `body` and does not stop the rest:
  /// `.tooLarge` for more than `limit` bytes, found without loading them; `.changedWhileReading` if a file of the
  /// working tree no longer has the bytes that the entry names; `.missingObject`; `.corrupt`; `.invalidSpec` for
  /// an entry that is no blob; `.notFound`, `.permissionDenied` or `.io` for a file.
  ///
  /// An entry of a commit has no known size, so the limit costs a look at the object's header, about a third of the
  /// time of reading it; `limit: .max` saves that.
  ///
  /// Throws only what `body` throws.
  package func read(
    _ entries: [SnapshotEntry], limit: Int,
    _ body: @Sendable (Int, Result<UnsafeRawBufferPointer, GitError>) throws -> Bool
  ) throws {
    var reader = EntryReader(limit: limit)
    for (position, entry) in entries.enumerated() {
      let goesOn = unsafe try reader.withBytes(of: entry, in: self) { unsafe try body(position, $0) }
      guard goesOn else { return }
    }
  }

  /// The same, with a state that `body` changes and that is returned at the end.
  package func read<State: Sendable>(
    _ entries: [SnapshotEntry], limit: Int, into initial: State,
    _ body: @Sendable (inout State, Int, Result<UnsafeRawBufferPointer, GitError>) throws -> Bool
  ) throws -> State {
    var state = initial
    var reader = EntryReader(limit: limit)
    for (position, entry) in entries.enumerated() {
      let goesOn = unsafe try reader.withBytes(of: entry, in: self) { unsafe try body(&state, position, $0) }
      guard goesOn else { break }
    }
    return state
  }
}
