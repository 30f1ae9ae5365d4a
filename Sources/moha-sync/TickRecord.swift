import FoundationEssentials
import Git
import Glibc
import Persistence
import Records
import Telemetry

/// What the last tick of an agent did, kept beside git's files for those who ask between two ticks: `serve`, `doctor`,
/// and the next tick, which must still know when one last went well.
struct TickRecord: Sendable {
  struct Step: Sendable {
    let name: String
    let seconds: Double
    let exitCode: Int
  }

  /// Seconds since 1970; 0 for never.
  var finished = 0.0
  var lastSuccess = 0.0
  /// When a tick's reconcile last left nothing to repair.
  var lastReconcile = 0.0
  var exitCode = 0
  var steps: [Step] = []
  /// What the last comparison found, by class, and left. Kept from an earlier tick where this one made none.
  var differences: [(name: String, count: Int)] = []
  var remaining: Int?

  static func path(gitDirectory: String, agent: Agent) -> String {
    "\(gitDirectory.hasSuffix("/") ? String(gitDirectory.dropLast()) : gitDirectory)/moha-sync/tick-\(agent).json"
  }

  /// The record of the last tick; nil where there was none, or its record cannot be read.
  init?(contentsOf path: String) {
    guard let data = FileManager.default.contents(atPath: path), let json = try? JSONValue.parse(Array(data)),
      let finished = json["finished"]?.integer
    else { return nil }
    self.finished = Double(finished)
    lastSuccess = Double(json["last_success"]?.integer ?? 0)
    lastReconcile = Double(json["last_reconcile"]?.integer ?? 0)
    exitCode = json["exit_code"]?.integer ?? 0
    remaining = json["remaining"]?.integer
    if case .array(let list)? = json["steps"] {
      steps = list.compactMap { step in
        guard let name = step["name"]?.text, let milliseconds = step["milliseconds"]?.integer,
          let code = step["exit_code"]?.integer
        else { return nil }
        return Step(name: name, seconds: Double(milliseconds) / 1_000, exitCode: code)
      }
    }
    if case .object(let members)? = json["differences"] {
      differences = members.compactMap { member in
        guard let name = member.key.text, let count = member.value.integer else { return nil }
        return (name, count)
      }
    }
  }

  /// What becomes of `previous` with a tick that ended at `now`, in seconds since 1970.
  init(_ outcome: TickOutcome, after previous: TickRecord?, now: Double) {
    if let previous { self = previous }
    finished = now
    exitCode = Int(outcome.status.rawValue)
    if outcome.status == .success { lastSuccess = now }
    steps = outcome.steps.map { step in
      Step(name: step.name, seconds: step.elapsed.seconds, exitCode: Int(step.finding.status.rawValue))
    }
    for member in outcome.steps.flatMap(\.finding.members) {
      if member.key == "differences", case .object(let counts) = member.value {
        differences = counts.compactMap { count in
          guard let name = count.key.text, let number = count.value.integer else { return nil }
          return (name, number)
        }
      } else if member.key == "remaining", let number = member.value.integer {
        remaining = number
        if number == 0 { lastReconcile = now }
      }
    }
  }

  /// What becomes of `previous` with a tick that could not begin.
  init(_ status: ExitStatus, after previous: TickRecord?, now: Double) {
    if let previous { self = previous }
    finished = now
    exitCode = Int(status.rawValue)
    steps = []
  }

  private var json: JSONValue {
    .object([
      .init("schema", 1), .init("finished", .integer(Int(finished))), .init("last_success", .integer(Int(lastSuccess))),
      .init("last_reconcile", .integer(Int(lastReconcile))), .init("exit_code", .integer(exitCode)),
      .init(
        "steps",
        .array(
          steps.map { step in
            .object([
              .init("name", .string(step.name)), .init("milliseconds", .integer(Int(step.seconds * 1_000))),
              .init("exit_code", .integer(step.exitCode)),
            ])
          })),
      .init("differences", .object(differences.map { .init(JSONString($0.name), .integer($0.count)) })),
      .init("remaining", remaining.map { .integer($0) } ?? .null),
    ])
  }

  /// Keeps it for the next reader, in the folder of our own in the git folder.
  func save(_ path: String, _ permissions: SharedPermissions) throws {
    let mode = permissions.mode(0o600, isFolder: false)
    try WholeFile.put(json.serialized() + [0x0A], at: path, mode: mode_t(mode))
  }

  /// node_exporter's text file.
  func writeMetrics(_ path: String, agent: Agent) throws {
    var exposition = Exposition(MetricFamily.ofTick)
    add(to: &exposition, agent: agent)
    addComparison(to: &exposition, agent: agent)
    // Its reader is another user.
    try WholeFile.put(Array(exposition.text.utf8), at: path, mode: 0o644)
  }

  /// The families of `MetricFamily.ofTick`, as far as they are known.
  func add(to exposition: inout Exposition, agent: Agent) {
    let agent = agent.name
    exposition.add(.tickRun, agent, value: finished)
    exposition.add(.tickSuccess, agent, value: lastSuccess)
    exposition.add(.tickExitCode, agent, value: Double(exitCode))
    for step in steps {
      exposition.add(.tickStepDuration, agent, step.name, value: step.seconds)
      exposition.add(.tickStepExitCode, agent, step.name, value: Double(step.exitCode))
    }
  }

  /// The same of the comparison that a tick made.
  func addComparison(to exposition: inout Exposition, agent: Agent) {
    for (name, count) in differences { exposition.add(.differences, agent.name, name, value: Double(count)) }
    if let remaining { exposition.add(.differencesRemaining, agent.name, value: Double(remaining)) }
    if lastReconcile > 0 { exposition.add(.reconcileSuccess, agent.name, value: lastReconcile) }
  }
}
