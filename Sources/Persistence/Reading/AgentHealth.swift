package import Records

/// Whether the layers that hold the records are well. Works while any of them is down.
package struct AgentHealth: Sendable {
  package enum Status: String, Sendable {
    case ok
    /// It works, and something about it needs a look.
    case degraded
    case down
  }

  /// What a look at a layer found.
  package struct Finding: Sendable {
    package let status: Status
    /// Stable, for scripts; `ok` where nothing is wrong.
    package let code: String
    package let detail: String
    /// The next safe command; nil where there is nothing to do.
    package let hint: String?

    package init(_ status: Status, code: String, _ detail: String, hint: String?) {
      self.status = status
      self.code = code
      self.detail = detail
      self.hint = hint
    }

    package static func ok(_ detail: String) -> Finding { Finding(.ok, code: "ok", detail, hint: nil) }
  }

  /// One layer, and how to look at it.
  package struct Probe: Sendable {
    package let name: String
    let look: @Sendable () async -> Finding

    /// - Parameter look: starts nothing and changes nothing. It may hang: it is cancelled and left behind then.
    package init(_ name: String, look: @escaping @Sendable () async -> Finding) {
      self.name = name
      self.look = look
    }
  }

  package struct Layer: Sendable {
    package let name: String
    package let finding: Finding
    package let latency: Duration
  }

  /// In the order of the probes.
  package let layers: [Layer]

  package var isHealthy: Bool { layers.allSatisfy { $0.finding.status == .ok } }

  package subscript(name: String) -> Finding? { layers.first { $0.name == name }?.finding }

  /// How long a layer may take. All are asked at the same time, so this is about how long the whole takes.
  package static let patience = Duration.seconds(1)

  static let late = Finding(
    .down, code: "no-answer", "it did not answer within \(patience.components.seconds) s",
    hint: "look at its process: it may be stopped, or the machine overloaded")

  /// Asks every layer, all at the same time, each for at most `patience`.
  package static func ask(_ probes: [Probe]) async -> AgentHealth {
    let layers = await withTaskGroup(of: (Int, Layer).self) { group in
      for (index, probe) in probes.enumerated() {
        group.addTask {
          let start = ContinuousClock.now
          let finding = await answer(within: patience, orElse: late, probe.look)
          return (index, Layer(name: probe.name, finding: finding, latency: ContinuousClock.now - start))
        }
      }
      var layers: [(Int, Layer)] = []
      for await layer in group { layers.append(layer) }
      return layers.sorted { $0.0 < $1.0 }.map(\.1)
    }
    return AgentHealth(layers: layers)
  }

  /// The shape of `health --json`.
  package var json: JSONValue {
    let members = layers.map { layer in
      JSONValue.Member(
        JSONString(layer.name),
        Report.object([
          "status": .string(layer.finding.status.rawValue), "code": .string(layer.finding.code),
          "detail": .string(layer.finding.detail), "hint": Report.string(layer.finding.hint),
          "latency_ms": Report.number(layer.latency.seconds * 1_000),
        ]))
    }
    return Report.object([
      "schema": .integer(Report.schemaVersion), "healthy": .bool(isHealthy), "layers": .object(members),
    ])
  }
}

extension AgentRecords {
  /// Asks every layer, for a client that may be elsewhere. Starts nothing.
  package func health() async -> AgentHealth {
    let own = AgentHealth.Probe("mcp") { .ok("serving agent \(agent)") }
    let postgres = AgentHealth.Probe.postgres(agent, wording: outlined) { await database.ifUp() }
    return await AgentHealth.ask([git, postgres] + otherLayers + [own])
  }

  /// The same of git alone, which is all that reading and writing need.
  package func gitHealth() async -> AgentHealth.Finding {
    await answer(within: AgentHealth.patience, orElse: AgentHealth.late, git.look)
  }

  private var git: AgentHealth.Probe { .git(agent, wording: outlined) { try lookout.repository() } }

  private var outlined: AgentHealth.Wording {
    { error in
      let outline = self.outline(error)
      return (outline.code, outline.message, outline.hint)
    }
  }
}
