internal import DedicatedThread
internal import Git
internal import Postgres
internal import Records

/// Encoded rows of one kind for COPY.
struct InsertBatch: Sendable {
  let kind: RecordKind
  let rows: [UInt8]
  /// What each row is of: positions in the feed's records.
  let positions: [Int]
  /// Where each row ends in `rows`.
  let ends: [Int]

  /// Some of the rows, by their place in the batch.
  subscript(range: Range<Int>) -> InsertBatch {
    let start = range.lowerBound == 0 ? 0 : ends[range.lowerBound - 1]
    let end = range.isEmpty ? start : ends[range.upperBound - 1]
    return InsertBatch(
      kind: kind, rows: Array(rows[start..<end]), positions: Array(positions[range]),
      ends: ends[range].map { $0 - start })
  }
}

/// Reads records again and encodes their rows while another thread copies them, kind by kind.
///
/// Nothing but the batches in the channel is held, so memory does not grow with the number of records. Two
/// repository handles share the files of a kind where there are many; rows of one kind have no order.
struct InsertFeed: Sendable {
  let records: [GitRecord]
  let agent: Agent
  let repository: Repository
  let batches: BoundedChannel<InsertBatch>
  /// Kinds whose rows are compared with their records afterwards: a file that says something else by now would look
  /// as if the database had changed it.
  let compared: Set<RecordKind>
  /// Called with the number of rows encoded since the last call.
  let progress: @Sendable (Int) -> Void

  private static let batchSize = 256 << 10

  func run() async throws {
    defer { batches.finish() }
    for kind in RecordKind.allCases {
      let positions = records.indices.filter { records[$0].kind == kind }
      if kind != .event, positions.count > 1_000, let second = try? Repository(at: repository.gitDirectory) {
        let middle = positions.count / 2
        async let first: Void = feed(Array(positions[..<middle]), kind: kind, from: repository)
        async let rest: Void = feed(Array(positions[middle...]), kind: kind, from: second)
        _ = try await (first, rest)
      } else {
        try await feed(positions, kind: kind, from: repository)
      }
    }
  }

  private func feed(_ positions: [Int], kind: RecordKind, from repository: Repository) async throws {
    guard !positions.isEmpty else { return }
    var files: [(position: Int, entry: SnapshotEntry)] = []
    var batch = Batch(kind: kind)
    for position in positions {
      let record: Record
      switch records[position].content {
      case .file(let entry):
        files.append((position, entry))
        continue
      case .event(let event): record = .event(event)
      case .waiting(let waiting, _): record = waiting
      }
      guard try batch.add(record, as: records[position], at: position, agent: agent, to: batches) else { return }
    }
    progress(positions.count - files.count)
    guard batch.flush(to: batches), !files.isEmpty, let role = kind.fileRole else { return }
    let entries = files.map(\.entry)
    let origins = files.map { records[$0.position] }
    let places = files.map(\.position)
    let (agent, batches, progress) = (agent, batches, progress)
    let isCompared = compared.contains(kind)
    // The survey has read these very objects under the limit, and asking for each one's size again costs a fifth
    // of reading it. A file of the working tree may have grown since.
    let limit = entries.allSatisfy { $0.source == .object } ? Int.max : GitRecordReader.fileLimit
    var last = try await repository.read(entries, limit: limit, into: Batch(kind: kind)) {
      batch, index, content in
      let path = RecordPath(entries[index].path.bytes)
      let origin = origins[index]
      guard let record = RecordFile.decode(try content.get(), role: role, path: path).record,
        !isCompared || record.contentHash == origin.contentHash
      else {
        throw PersistenceError(
          .changedMeanwhile, "\(path.text) changed while it was copied: nothing was changed", hint: "run again")
      }
      if index % 1_000 == 999 { progress(1_000) }
      return try batch.add(record, as: origin, at: places[index], agent: agent, to: batches)
    }
    progress(entries.count % 1_000)
    _ = last.flush(to: batches)
  }

  /// Rows on their way into the channel.
  private struct Batch: Sendable {
    let kind: RecordKind
    var encoder = BinaryRowEncoder()
    var positions: [Int] = []
    var ends: [Int] = []

    /// False once the consumer has given up.
    mutating func add(
      _ record: Record, as origin: GitRecord, at position: Int, agent: Agent, to batches: BoundedChannel<InsertBatch>
    ) throws -> Bool {
      try encoder.row(record, RowProvenance(origin, agent: agent))
      positions.append(position)
      ends.append(encoder.bytes.count)
      return encoder.bytes.count < InsertFeed.batchSize || flush(to: batches)
    }

    mutating func flush(to batches: BoundedChannel<InsertBatch>) -> Bool {
      guard !positions.isEmpty else { return true }
      let batch = InsertBatch(kind: kind, rows: encoder.takeChunk(), positions: positions, ends: ends)
      (positions, ends) = ([], [])
      return batches.send(batch)
    }
  }
}

extension BinaryRowEncoder {
  /// Encodes a record's row in the order of `RecordTable.columns`.
  mutating func row(_ record: Record, _ provenance: RowProvenance) throws {
    try row(columns: record.kind.storage.columns.count)
    for value in record.row.values { try value.encode(into: &self) }
    try provenance.encode(record, into: &self)
  }
}
