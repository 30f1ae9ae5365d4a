internal import DedicatedThread
internal import Git
internal import Records

/// Some of a plan's records, read again.
struct RecordPortion: Sendable {
  /// What each is of: positions in the list that the reader was given.
  let positions: [Int]
  let records: [Record]
}

/// Reads records again in bounded portions, while another thread writes their rows.
///
/// What waits in the channel and what is being read is all that is held: a few portions of `portionSize` bytes of files,
/// or of one file where that is larger.
struct RecordFeed: Sendable {
  let agent: Agent
  let repository: Repository
  let portions: BoundedChannel<RecordPortion>

  private static let portionSize = 4 << 20
  private static let portionCount = 2_000

  /// Sends the records, those that need no file first. Returns false once the consumer has given up.
  ///
  /// - Throws: `.changedMeanwhile` where a file says something else by now; `GitError`.
  func run(_ wanted: [(position: Int, record: GitRecord)]) async throws -> Bool {
    var files: [(position: Int, record: GitRecord, entry: SnapshotEntry)] = []
    var portion = Portion()
    for (position, record) in wanted {
      let content: Record
      switch record.content {
      case .file(let entry):
        files.append((position, record, entry))
        continue
      case .event(let event): content = .event(event)
      case .waiting(let waiting, _): content = waiting
      }
      guard portion.add(content, at: position, size: 0, to: portions) else { return false }
    }
    guard portion.flush(to: portions) else { return false }
    guard !files.isEmpty else { return true }
    let (agent, portions, read) = (agent, portions, files)
    var last = try await repository.read(
      read.map(\.entry), limit: GitRecordReader.fileLimit, into: Portion()
    ) { portion, index, content in
      let path = RecordPath(read[index].entry.path.bytes)
      let bytes = try content.get()
      let role = TreeLayout.role(of: path, agent: agent)
      guard let record = RecordFile.decode(bytes, role: role, path: path).record,
        record.contentHash == read[index].record.contentHash
      else { throw PlanApplier.changed("a file of the tree") }
      return portion.add(record, at: read[index].position, size: bytes.count, to: portions)
    }
    return last.flush(to: portions)
  }

  private struct Portion: Sendable {
    private var positions: [Int] = []
    private var records: [Record] = []
    private var size = 0

    /// False once the consumer has given up.
    mutating func add(
      _ record: Record, at position: Int, size: Int, to portions: BoundedChannel<RecordPortion>
    ) -> Bool {
      positions.append(position)
      records.append(record)
      self.size += size
      let isFull = self.size >= RecordFeed.portionSize || positions.count >= RecordFeed.portionCount
      return !isFull || flush(to: portions)
    }

    mutating func flush(to portions: BoundedChannel<RecordPortion>) -> Bool {
      guard !positions.isEmpty else { return true }
      let portion = RecordPortion(positions: positions, records: records)
      (positions, records, size) = ([], [], 0)
      return portions.send(portion)
    }
  }
}

/// Everything of git that one application of a plan reads, in the order in which the transaction takes it: records of
/// rows that change, kind by kind; bytes of files that do not parse; rows to insert; records that were refused before.
///
/// One reader for all, since each waits until the transaction takes what it has read.
struct PlanFeed: Sendable {
  let plan: ReconciliationPlan
  let agent: Agent
  let repository: Repository
  /// Reads the rows to insert.
  let inserts: InsertFeed
  /// The order in which refused records are tried, as positions in the plan's list: another one in each run.
  let refusedOrder: [Int]
  let updates = BoundedChannel<RecordPortion>(capacity: 1)
  let files = BoundedChannel<[UInt8]?>(capacity: 1)
  let retries = BoundedChannel<RecordPortion>(capacity: 1)

  init(
    _ plan: ReconciliationPlan, agent: Agent, repository: Repository, inserts: InsertFeed
  ) {
    (self.plan, self.agent, self.repository, self.inserts) = (plan, agent, repository, inserts)
    refusedOrder = plan.refused.indices.shuffled()
  }

  /// Returns when everything was taken, or the consumer has given up.
  func run() async throws {
    defer { finish() }
    let reader = RecordFeed(agent: agent, repository: repository, portions: updates)
    for kind in RecordKind.allCases {
      let wanted = plan.updates.enumerated().filter { $0.element.record.kind == kind }
        .map { (position: $0.offset, record: $0.element.record) }
      guard try await reader.run(wanted) else { return }
    }
    updates.finish()
    guard try await sendFiles() else { return }
    files.finish()
    try await inserts.run()
    let refused = refusedOrder.map { (position: $0, record: plan.refused[$0].record) }
    _ = try await RecordFeed(agent: agent, repository: repository, portions: retries).run(refused)
  }

  /// Lets the reader end, whatever it is about to send.
  func cancel() {
    updates.cancel()
    files.cancel()
    inserts.batches.cancel()
    retries.cancel()
  }

  private func finish() {
    updates.finish()
    files.finish()
    inserts.batches.finish()
    retries.finish()
  }

  /// The bytes of as many of the plan's files as one run takes, nil for one whose bytes cannot be had.
  private func sendFiles() async throws -> Bool {
    var room = PlanApplier.rawBudget
    for file in plan.quarantineFiles where room > 0 {
      var bytes = file.part
      // What is no file has no bytes to keep, and is never opened.
      if bytes == nil, file.entry.id != .zero {
        bytes = try? await repository.contents(of: file.entry, limit: PlanApplier.rawLimit)
      }
      room -= bytes?.count ?? 0
      guard files.send(bytes) else { return false }
    }
    return true
  }
}
