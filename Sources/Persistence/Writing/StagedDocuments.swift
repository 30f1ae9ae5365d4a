internal import Git
internal import Records

/// What becomes of a session log or identity.json that a person has staged with edits of their own, when a commit changes
/// the same file: both, as if they had staged theirs after it. Otherwise the commit that they are about to make would take
/// the records of this one out again.
enum StagedDocuments {
  /// See `CommitRequest.StagedMerge`.
  static let merge: CommitRequest.StagedMerge = { path, staged, old, new in
    switch Agent(ownerOf: path)?.documentRole(of: path) {
    case .identity: identity(staged, old, new)
    case .sessionLog, .rotatedLog: log(staged, old, new, RecordPath(path.bytes))
    default: nil
    }
  }

  private static func log(_ staged: [UInt8], _ old: [UInt8], _ new: [UInt8], _ path: RecordPath) -> [UInt8]? {
    if !ConflictMarkers.isIn(staged) {
      let merge = LogMerge(head: new, file: staged, path: path)
      switch try? merge.outcome(base: merge.isBase(old) ? old : nil) {
      case .file: return nil
      case .merged(let bytes): return bytes
      case .removed, .conflict, nil: break
      }
    }
    // What the person took out stays out; only what this commit adds comes in.
    let before = Set(SessionLog.parse(old, path: path).entries.map(\.recordKey))
    let present = Set(SessionLog.parse(staged, path: path).entries.map(\.recordKey)).union(before)
    var bytes = staged
    for entry in SessionLog.parse(new, path: path).distinctEntries where !present.contains(entry.recordKey) {
      LogMerge.append(Array(new[entry.range]), to: &bytes)
    }
    return bytes
  }

  private static func identity(_ staged: [UInt8], _ old: [UInt8], _ new: [UInt8]) -> [UInt8]? {
    guard let file = try? JSONDocument(staged), case .object = file.value, let head = try? JSONDocument(new),
      case .object = head.value
    else { return nil }
    let base = (try? JSONValue.parse(old)) ?? .emptyObject
    return try? IdentityMerge.merged(head: head, file: file, edits: IdentityMerge.edits(from: base, to: file.value)).bytes
  }
}
