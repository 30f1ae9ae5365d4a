internal import Git
internal import Records

/// The message of a commit that the program makes: a summary by kind, and trailers that name the records.
struct CommitMessage {
  private let agent: Agent
  private var counts: [(word: String, count: Int)] = []
  private var trailers: [String] = []
  /// What every message of the program has in a line of its own.
  static let agentTrailer = "Moha-Agent: "
  /// More are counted, not named.
  private static let trailerLimit = 50

  init(agent: Agent) {
    self.agent = agent
  }

  /// - Parameter events: how many entries of the log are new; for log files only.
  mutating func add(_ path: GitPath, events: Int = 0) {
    let recordPath = RecordPath(path.bytes)
    switch TreeLayout.role(of: recordPath, agent: agent) {
    case .decision: count("decision", 1)
    case .milestone: count("milestone", 1)
    case .snapshot: count("snapshot", 1)
    case .sessionLog, .rotatedLog: if events > 0 { count("event", events) } else { count("log", 1) }
    case .identity: count("identity", 1)
    case .persona, .infrastructure, .other: count("file", 1)
    }
    trailers.append("Moha-Path: \(recordPath.text)")
  }

  /// Counts events that moved to the files of their months.
  mutating func addRotated(_ events: Int) {
    count("rotated event", events)
  }

  private mutating func count(_ word: String, _ number: Int) {
    guard number > 0 else { return }
    if let index = counts.firstIndex(where: { $0.word == word }) {
      counts[index].count += number
    } else {
      counts.append((word, number))
    }
  }

  /// `maven: 2 decisions, 3 events`, a blank line, and the trailers.
  var text: String {
    // A record brings its counter and its log along; beside other files these are what changed too.
    let companions = ["identity", "log"]
    let holdsRecords = counts.contains { $0.word != "file" && !companions.contains($0.word) }
    let parts = counts.filter { !(holdsRecords && companions.contains($0.word)) }.map { word, count in
      word == "identity" ? word : "\(count) \(word)\(count == 1 ? "" : "s")"
    }
    let summary = parts.isEmpty ? "update" : parts.joined(separator: ", ")
    var lines = ["\(agent): \(summary)", "", "\(CommitMessage.agentTrailer)\(agent)"]
    lines += trailers.prefix(CommitMessage.trailerLimit)
    if trailers.count > CommitMessage.trailerLimit {
      lines.append("Moha-Omitted: \(trailers.count - CommitMessage.trailerLimit)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
