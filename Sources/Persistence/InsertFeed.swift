internal import DedicatedThread
internal import Git
internal import Postgres
internal import Records

/// Encoded rows of one kind for COPY.
struct InsertBatch: Sendable {
  let kind: RecordKind
  let rows: [UInt8]
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
  /// Called with the number of rows encoded since the last call.
  let progress: @Sendable (Int) -> Void

  private static let batchSize = 256 << 10

  func run() async throws {
    defer { batches.finish() }
    for kind in RecordKind.allCases {
      let records = records.filter { $0.kind == kind }
      if kind != .event, records.count > 1_000, let second = try? Repository(at: repository.gitDirectory) {
        let middle = records.count / 2
        async let first: Void = feed(Array(records[..<middle]), kind: kind, from: repository)
        async let rest: Void = feed(Array(records[middle...]), kind: kind, from: second)
        _ = try await (first, rest)
      } else {
        try await feed(records, kind: kind, from: repository)
      }
    }
  }

  private func feed(_ records: [GitRecord], kind: RecordKind, from repository: Repository) async throws {
    guard !records.isEmpty else { return }
    guard let role = kind.fileRole else {
      var batch = Batch(kind: kind)
      for record in records {
        guard case .event(let event) = record.content else { continue }
        guard try batch.add(.event(event), as: record, agent: agent, to: batches) else { return }
      }
      progress(records.count)
      _ = batch.flush(to: batches)
      return
    }
    let entries = records.compactMap { record in
      if case .file(let entry) = record.content { entry } else { nil }
    }
    let agent = agent
    let batches = batches
    let progress = progress
    // The survey has read these very objects under the limit, and asking for each one's size again costs a fifth
    // of reading it. A file of the working tree may have grown since.
    let limit = entries.allSatisfy { $0.source == .object } ? Int.max : GitRecordReader.fileLimit
    var last = try await repository.read(entries, limit: limit, into: Batch(kind: kind)) {
      batch, index, content in
      let path = RecordPath(entries[index].path.bytes)
      guard let record = RecordFile.decode(try content.get(), role: role, path: path).record else {
        throw PersistenceError(
          .changedMeanwhile, "\(path.text) changed while it was copied: nothing was changed", hint: "run again")
      }
      if index % 1_000 == 999 { progress(1_000) }
      return try batch.add(record, as: records[index], agent: agent, to: batches)
    }
    progress(entries.count % 1_000)
    _ = last.flush(to: batches)
  }

  /// Rows on their way into the channel.
  private struct Batch: Sendable {
    let kind: RecordKind
    var encoder = BinaryRowEncoder()

    /// False once the consumer has given up.
    mutating func add(
      _ record: Record, as origin: GitRecord, agent: Agent, to batches: BoundedChannel<InsertBatch>
    ) throws -> Bool {
      let values = record.row.values
      try encoder.row(columns: kind.storage.columns.count)
      for value in values { try value.encode(into: &encoder) }
      try RowProvenance(origin, agent: agent).encode(record, into: &encoder)
      return encoder.bytes.count < InsertFeed.batchSize || flush(to: batches)
    }

    mutating func flush(to batches: BoundedChannel<InsertBatch>) -> Bool {
      encoder.bytes.isEmpty || batches.send(InsertBatch(kind: kind, rows: encoder.takeChunk()))
    }
  }
}
