internal import Git
internal import Records

/// Reads records again whose identity and hash are known: comparisons keep no content in memory.
struct RecordContents {
  let repository: Repository
  let agent: Agent

  /// The records in order; nil for one that no longer reads as it did.
  func records(_ records: [GitRecord]) async throws -> [Record?] {
    var found = [Record?](repeating: nil, count: records.count)
    var files: [(index: Int, entry: SnapshotEntry)] = []
    for (index, record) in records.enumerated() {
      switch record.content {
      case .event(let event): found[index] = .event(event)
      case .waiting(let record, _): found[index] = record
      case .file(let entry): files.append((index, entry))
      }
    }
    guard !files.isEmpty else { return found }
    let agent = agent
    let wanted = files
    let decoded = try await repository.read(
      wanted.map(\.entry), limit: GitRecordReader.fileLimit, into: [Record?]()
    ) { decoded, index, content in
      let path = RecordPath(wanted[index].entry.path.bytes)
      switch content {
      case .success(let bytes):
        decoded.append(RecordFile.decode(bytes, role: TreeLayout.role(of: path, agent: agent), path: path).record)
      case .failure:
        decoded.append(nil)
      }
      return true
    }
    for (file, record) in zip(wanted, decoded) { found[file.index] = record }
    return found
  }
}
