internal import Git
internal import Records

/// The bytes of records as git holds them: of a file, or of an entry of a log.
struct RawRecords {
  let source: RecordSource
  let repository: Repository

  /// Nil where the bytes cannot be had any more.
  func bytes(of record: GitRecord) async throws -> [UInt8]? {
    switch record.content {
    case .file(let entry): return try await read(entry, limit: GitRecordReader.fileLimit)
    case .waiting(_, let bytes): return bytes
    case .event:
      // An archived entry's log is that of the commit which held it last.
      let present = source.entries.first { $0.path == record.path && $0.id == record.objectID }
      let log = present ?? SnapshotEntry(
        path: record.path, id: record.objectID, mode: .regular, size: nil, source: .object)
      guard let bytes = try await read(log, limit: GitRecordReader.logLimit) else { return nil }
      let path = RecordPath(record.path.bytes)
      let entry = SessionLog.parse(bytes, path: path).entries.first { RecordKey($0.recordKey) == record.key }
      return entry.map { Array(bytes[$0.range]) }
    }
  }

  private func read(_ entry: SnapshotEntry, limit: Int) async throws -> [UInt8]? {
    try await repository.read([entry], limit: limit, into: [UInt8]?.none) { bytes, _, content in
      bytes = try? content.map { Array($0) }.get()
      return true
    }
  }
}
