import Git
import MCPServer
import Persistence
import Records
import Telemetry

/// What `serve` gives to those who watch it: probes for a supervisor, and metrics.
struct ServerPages: Sendable {
  let records: AgentRecords
  let activity: Activity
  let version: String
  /// Where the ticks of the agent leave their record.
  let tickRecord: String
  /// What tells this tree and agent apart from others.
  let tree: String
  /// Rows by kind; nil where the database cannot say.
  private let counts: KeptAnswers<Agent, [RecordKind: Int]?>

  init(records: AgentRecords, activity: Activity, version: String, tickRecord: String, tree: String) {
    (self.records, self.activity, self.version, self.tickRecord) = (records, activity, version, tickRecord)
    self.tree = tree
    // A scrape every few seconds must not have the database count a million rows each time.
    let queries = records.queries(patience: .seconds(30))
    counts = KeptAnswers(firstPatience: AgentHealth.patience, isWorthKeeping: { $0 != nil }) { _ in
      try? await queries.recordCounts()
    }
  }

  var pages: [HTTPPage] {
    [
      // The process lives and answers: nothing else is looked at, so that a supervisor does not kill it for another's
      // fault.
      HTTPPage("/healthz", access: .open) { _ in .json(MCPPort.sign(of: tree)) },
      HTTPPage("/readyz", access: .open) { _ in await readiness() },
      HTTPPage("/metrics") { _ in
        PageAnswer(contentType: Exposition.contentType, body: Array(await metrics().utf8))
      },
    ]
  }

  /// Ready means that records can be read and written: git can be read and has a commit. Postgres and Redis take
  /// nothing from that, so they do not count; those of them that are down are named.
  private func readiness() async -> PageAnswer {
    // The others have less time: a supervisor waits for this answer, and only git decides.
    async let others = records.health(patience: .milliseconds(400))
    let git = await records.gitHealth()
    let isReady = git.status != .down && git.code != "no-commit"
    let away = await others.layers.filter { $0.finding.status == .down && $0.name != "git" }.map(\.name)
    let down = (isReady ? [] : ["git"]) + away
    let body = JSONValue.object([
      .init("schema", 1), .init("ready", .bool(isReady)), .init("down", .array(down.map { .string($0) })),
      .init("code", .string(git.code)),
    ])
    return .json(String(decoding: body.serialized(), as: UTF8.self), status: isReady ? 200 : 503)
  }

  /// Everything of the catalogue that can be said within a second; what cannot is left out, and a layer that is down
  /// says so itself.
  func metrics() async -> String {
    async let health = records.health()
    async let projection = records.projection()
    async let counts = counts.answer(records.agent)
    var exposition = Exposition(MetricFamily.all)
    exposition.add(.build, version, value: 1)
    ProcessMeasures.add(to: &exposition)
    for layer in await health.layers {
      let value =
        switch layer.finding.status {
        case .ok: 1.0
        case .degraded: 0.5
        case .down: 0.0
        }
      exposition.add(.layerUp, layer.name, value: value)
      exposition.add(.layerLatency, layer.name, value: layer.latency.seconds)
    }
    let (state, lag) = await projection
    let agent = records.agent
    let tick = TickRecord(contentsOf: tickRecord)
    tick?.add(to: &exposition, agent: agent)
    if let counts = await counts ?? nil {
      for kind in RecordKind.allCases {
        exposition.add(.records, agent.name, kind.name, value: Double(counts[kind] ?? 0))
      }
    }
    if let state {
      if let run = state.lastRun {
        for name in Difference.Class.allCases {
          exposition.add(.differences, agent.name, name.rawValue, value: Double(run.differences[name] ?? 0))
        }
        exposition.add(.differencesRemaining, agent.name, value: Double(run.remaining))
      }
      if let success = state.lastSuccess { exposition.add(.reconcileSuccess, agent.name, value: success) }
    } else {
      // The database cannot say it now: what the last tick found still stands.
      tick?.addComparison(to: &exposition, agent: agent)
    }
    if let lag {
      exposition.add(.lagCommits, agent.name, value: Double(lag.commits))
      exposition.add(.lagSeconds, agent.name, value: lag.seconds)
    }
    activity.add(to: &exposition)
    return exposition.text
  }
}
