import EmbeddedServers
import Git
import Persistence
import Postgres
import Records

/// All checks of `doctor`, made at the same time, each for a bounded time. Changes nothing.
struct Examination: Sendable {
  let outlook: Outlook
  let probes: [AgentHealth.Probe]
  let mcpURL: String
  /// Layers that nobody wants to hear of, and those that must be up.
  let excluded: Set<String>
  let required: Set<String>
  /// A file with tokens of `serve`, where one is named.
  let tokenFile: String?
  /// How long every check may take, and how long the comparison of all records.
  let patience: Duration
  let comparisonPatience: Duration
  /// Whether history is looked through too, and how far is remembered.
  let isDeep: Bool

  typealias Check = @Sendable (Examination) async -> [Diagnosis]

  /// In the order of the report.
  private static let checks: [(area: String, check: Check)] = [
    ("git", { await $0.git() }), ("records", { await $0.records() }), ("secrets", { await $0.secrets() }),
    ("postgres", { await $0.postgres() }),
    ("redis", { await $0.redis() }), ("mcp", { await $0.mcp() }), ("servers", { await $0.embedded() }),
    ("schedule", { await $0.schedule() }), ("configuration", { await $0.configuration() }),
    ("machine", { await $0.machine() }),
  ]

  func run() async -> [Diagnosis] {
    let found = await withTaskGroup(of: (Int, [Diagnosis]).self) { group in
      for (index, item) in Examination.checks.enumerated() where !excluded.contains(item.area) {
        group.addTask {
          let takesLong = item.area == "records" || (item.area == "secrets" && isDeep)
          let limit = takesLong ? comparisonPatience : patience
          // Beyond what the check itself allows its questions: a check that hangs takes no other with it.
          switch await Deadline.run(limit, grace: .zero, { await item.check(self) }) {
          case .returned(let list): return (index, list)
          case .threw, .late: return (index, [late(item.area, limit)])
          }
        }
      }
      var found: [(Int, [Diagnosis])] = []
      for await list in group { found.append(list) }
      return found
    }
    return found.sorted { $0.0 < $1.0 }.flatMap(\.1)
  }

  private func late(_ area: String, _ limit: Duration) -> Diagnosis {
    if area == "records" {
      return .info(
        area, "not-compared", "the records were not compared with the rows: that takes longer than a look",
        hint: "moha-sync doctor --deep, or moha-sync verify")
    }
    if area == "secrets" {
      return .info(
        area, "secrets-not-all", "git was not looked through for secrets: that takes longer than a look",
        hint: "moha-sync doctor --deep")
    }
    return Diagnosis(
      area: area, code: "no-answer", severity: .error, found: "no answer within \(limit.components.seconds) s",
      cause: "its process is stopped, or the machine overloaded", hint: "moha-sync health", status: .serviceDown)
  }

  /// How long a layer may take to answer: less than its check, which then says so in the layer's own words.
  static func layerPatience(_ patience: Duration) -> Duration { patience - .milliseconds(500) }

  /// What a look at a layer gives, as a diagnosis. Nil where the layer is left out.
  func layer(_ name: String, down status: ExitStatus, remedy: Remedy? = nil) async -> Diagnosis? {
    guard let probe = probes.first(where: { $0.name == name }) else { return nil }
    let finding = await AgentHealth.ask([probe], patience: Examination.layerPatience(patience)).requiring(required)[name]
    guard let finding else { return nil }
    guard finding.status != .ok else { return .ok(name, "\(name)-ok", finding.detail) }
    let severity: Diagnosis.Severity =
      if !finding.isFault { .info } else if finding.status == .down { .error } else { .warning }
    return Diagnosis(
      area: name, code: finding.code, severity: severity, found: finding.detail,
      hint: finding.hint, remedy: remedy,
      status: finding.isOfConfiguration ? finding.configurationStatus : finding.status == .down ? status : .partlyDone)
  }

  /// Words for an error, without line feeds.
  static func words(_ error: any Error) -> String {
    printable(Failure(error).singleLine)
  }
}
