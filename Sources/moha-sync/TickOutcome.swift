import Git
import Persistence
import Records

/// What became of the steps of a tick.
struct TickOutcome: Sendable {
  struct Step: Sendable {
    let name: String
    let finding: TickRun.Finding
    let elapsed: Duration
  }

  private(set) var steps: [Step] = []
  /// Nil where no push was asked for.
  var push: GitPush.Outcome?
  /// What needs a person, in the order of the steps.
  var warnings: [String] = []

  /// Of several exit codes the first of these wins; listed in `tick --help`.
  private static let order: [ExitStatus] = [
    .interrupted, .noTree, .failed, .usage, .refused, .serviceDown, .locked, .partlyDone, .differences,
  ]

  mutating func add(_ name: String, _ finding: TickRun.Finding, elapsed: Duration) {
    steps.append(Step(name: name, finding: finding, elapsed: elapsed))
    // Two steps that meet the same problem say it once.
    for warning in finding.warnings where !warnings.contains(warning) { warnings.append(warning) }
  }

  /// The exit code of the run.
  var status: ExitStatus {
    TickOutcome.order.first { status in steps.contains { $0.finding.status == status } } ?? .success
  }

  /// The last commit that was made.
  private var commit: ObjectID? { steps.compactMap(\.finding.commit).last }

  func json(agent: Agent, isPinged: Bool?) -> JSONValue {
    let differences = steps.lazy.flatMap(\.finding.members).first { $0.key == "differences" }?.value
    return .object([
      .init("schema", 1), .init("ok", .bool(status == .success)), .init("exit_code", .integer(Int(status.rawValue))),
      .init("agent", .string(agent.name)), .init("commit", commit.map { .string($0.description) } ?? .null),
      .init("differences", differences ?? .null),
      .init(
        "steps",
        .array(
          steps.map { step in
            .object(
              [
                .init("name", .string(step.name)), .init("status", .string(step.finding.state)),
                .init("exit_code", .integer(Int(step.finding.status.rawValue))),
                .init("duration_ms", .integer(Int(step.elapsed.seconds * 1_000))),
                .init("detail", .string(step.finding.detail)),
              ] + step.finding.members)
          })),
      .init("push", push?.json ?? .null),
      .init("ping", isPinged.map { .string($0 ? "sent" : "failed") } ?? .null),
      .init("warnings", .array(warnings.map { .string($0) })),
    ])
  }

  func text(_ style: Style, isPinged: Bool?) -> String {
    var text = ""
    func line(_ name: String, _ state: String, _ isGood: Bool, _ milliseconds: Int?, _ detail: String) {
      let time = milliseconds.map { style.dim(" \($0) ms") } ?? ""
      let mark = isGood ? style.good(state) : style.bad(state)
      text += "\(padded(name, 15)) \(mark)\(time)\(detail.isEmpty ? "" : "  \(detail)")\n"
    }
    for step in steps {
      line(
        step.name, step.finding.state, step.finding.status == .success, Int(step.elapsed.seconds * 1_000),
        step.finding.detail)
    }
    if let push { line("push", push.status.rawValue, !push.isTrouble, nil, push.detail) }
    if let isPinged { line("ping", isPinged ? "sent" : "failed", isPinged, nil, "") }
    return text
  }
}
