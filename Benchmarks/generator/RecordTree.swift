import Records

/// The files of an agent's folder, one after another, so that memory does not grow with their number.
struct RecordTree {
  let decisions: Int
  let events: Int
  let seed: UInt64
  let layout: Layout

  private static let agent = Agent.default

  /// Calls `body` with the path below the repository's root and the bytes of each file, decisions first and in order
  /// of time, and with the record of a decision file.
  func forEachFile(_ body: (RecordPath, [UInt8], Decision?) throws -> Void) rethrows {
    var generator = RecordGenerator(seed: seed, count: decisions)
    let folder = TreeLayout.decisions(of: Self.agent)
    while let decision = generator.nextDecision() {
      let day = layout == .dated ? folder.appending(TreeLayout.datedFolder(at: decision.decidedAt)) : folder
      let path = day.appending(TreeLayout.decisionFileName(at: decision.decidedAt, ordinal: 1))
      try body(path, RecordFile.encode(.decision(decision), recordedBy: "Maven"), decision)
    }
    try body(TreeLayout.identity(of: Self.agent), identity, nil)
    try body(TreeLayout.sessionLog(of: Self.agent), sessionLog, nil)
  }

  private var identity: [UInt8] {
    let document: JSONValue = .object([
      .init("name", "Maven"), .init("rebirth_count", 0), .init("total_decisions", .integer(decisions)),
    ])
    return document.serialized(.pretty)
  }

  private var sessionLog: [UInt8] {
    var log = Array("# Maven Session Log\n\n---\n".utf8)
    // Another seed: the decisions must not change with the number of events.
    var generator = RecordGenerator(seed: ~seed, count: events)
    while let event = generator.nextEvent() { log += SessionLog.encode(event) }
    return log
  }
}
