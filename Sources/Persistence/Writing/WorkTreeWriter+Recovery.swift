internal import Git
internal import Records

extension WorkTreeWriter {
  /// Finishes or undoes what killed writers left: a whole record is kept and committed, a torn one is cut off.
  ///
  /// What was acknowledged, and waits for a commit, stays whatever became of its file.
  func recover() async throws {
    let entries = try journal.entries()
    for entry in entries {
      // A rotation holds the lock of the tree from its first file to its last: whoever finds one half done under
      // this lock finishes it, whether its process was killed or met a full disk.
      if case .rotate(let rotation) = entry.operation, try !apply(rotation, entry) { journal.remove([entry]) }
    }
    let orphaned = entries.filter(\.isOrphaned)
    guard !orphaned.isEmpty else { return }
    IdempotencyKeys(journal: journal, agent: agent).removeTemporary()
    for path in Set(orphaned.flatMap(\.replacedPaths)) {
      try WorkTreeFile(workTree: workTree, path: path).removeTemporaries()
    }
    for entry in orphaned where try !isBegun(entry) { journal.remove([entry]) }
  }

  /// Whether a killed writer got as far as the file. A part of an entry at the end of a log is cut off.
  private func isBegun(_ entry: JournalEntry) throws -> Bool {
    let file = WorkTreeFile(workTree: workTree, path: entry.path)
    switch entry.operation {
    case .create:
      return try file.exists()
    case .append(let offset):
      let bytes = try file.exists() ? try file.read(limit: GitRecordReader.logLimit) : []
      let tail = bytes.dropFirst(offset)
      if tail.starts(with: entry.content) { return true }
      if !tail.isEmpty, entry.content.starts(with: tail) { try file.truncate(to: offset) }
      return false
    case .identity:
      // Nobody was told that it was made, and nobody can tell whether it was: made again it changes nothing more.
      guard let change = IdentityChange(entry.content), try file.exists() else { return false }
      guard let document = try? JSONDocument(file.read(limit: GitRecordReader.fileLimit)) else { return false }
      return (try? change.applied(to: document).value) == document.value
    case .takeIdentity:
      return try file.exists() && file.read(limit: GitRecordReader.fileLimit) == entry.content
    case .recount, .rotate:
      return true
    }
  }

  /// Brings every file of a rotation to what it shall be: first the months, durably, then the log without what they
  /// have. Does nothing where that is done already.
  ///
  /// Returns false, with the log whole, where somebody has changed a file in between, so that nothing can be moved.
  func apply(_ rotation: JournalEntry.Rotation, _ entry: JournalEntry) throws -> Bool {
    let log = WorkTreeFile(workTree: workTree, path: entry.path)
    guard try log.exists() else { return false }
    let bytes = try log.read(limit: GitRecordReader.logLimit)
    // The log was shortened, and the months were durable before. Or a person has changed it since: it is theirs.
    guard ObjectID.blob(bytes) == rotation.log, (rotation.cuts.last?.upperBound ?? 0) <= bytes.count else {
      return true
    }
    var position = 0
    for part in rotation.parts {
      let added = entry.content[position..<(position + part.length)]
      position += part.length
      let file = WorkTreeFile(workTree: workTree, path: part.path)
      let exists = try file.exists()
      let old = exists ? try file.read(limit: GitRecordReader.logLimit) : []
      let offset = part.offset ?? 0
      if old.count >= offset, old[offset...].starts(with: added) { continue }
      guard old.count == offset, exists == (part.offset != nil) else { return false }
      if exists { try file.replace(old, with: old + added) } else { try file.create(with: Array(added)) }
    }
    try log.replace(bytes, with: LogRotationPlan.cut(bytes, rotation.cuts))
    return true
  }
}

extension JournalEntry {
  /// Every file that its writer may have been about to replace. Those of identity.json too: a record is counted there.
  fileprivate var replacedPaths: [GitPath] {
    paths + (agent.map { [GitPath(TreeLayout.identity(of: $0).bytes)] } ?? [])
  }
}
