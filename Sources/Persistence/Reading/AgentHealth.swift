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
    /// Whether something is wrong that is not ok. A server that is started when it is needed, or by whoever wants one,
    /// and was not yet, is down and no fault.
    package let isFault: Bool

    package init(_ status: Status, code: String, _ detail: String, hint: String?, isFault: Bool = true) {
      self.status = status
      self.code = code
      self.detail = detail
      self.hint = hint
      self.isFault = isFault && status != .ok
    }

    /// The status for people: what was not started is off.
    package var word: String { status == .down && !isFault ? "off" : status.rawValue }

    /// The same of a layer that has to be up.
    package var required: Finding {
      Finding(status, code: code, detail, hint: hint, isFault: true)
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

  package init(layers: [Layer]) { self.layers = layers }

  /// Whether nothing is wrong. What was not started, and need not be, is not.
  package var isHealthy: Bool { layers.allSatisfy { !$0.finding.isFault } }

  /// The same look, where the named layers have to be up.
  package func requiring(_ names: Set<String>) -> AgentHealth {
    AgentHealth(
      layers: layers.map { layer in
        names.contains(layer.name)
          ? Layer(name: layer.name, finding: layer.finding.required, latency: layer.latency) : layer
      })
  }

  package subscript(name: String) -> Finding? { layers.first { $0.name == name }?.finding }

  /// How long a layer may take. All are asked at the same time, so this is about how long the whole takes.
  package static let patience = Duration.seconds(1)

  static func late(_ patience: Duration) -> Finding {
    Finding(
      .down, code: "no-answer", "it did not answer within \(patience.components.seconds) s",
      hint: "look at its process: it may be stopped, or the machine overloaded")
  }

  /// Asks every layer, all at the same time, each for at most `patience`.
  ///
  /// - Parameter patience: how long one layer may take.
  package static func ask(_ probes: [Probe], patience: Duration = AgentHealth.patience) async -> AgentHealth {
    let layers = await withTaskGroup(of: (Int, Layer).self) { group in
      for (index, probe) in probes.enumerated() {
        group.addTask {
          let start = ContinuousClock.now
          let finding = await answer(within: patience, orElse: late(patience), probe.look)
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
          "fault": .bool(layer.finding.isFault),
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
  ///
  /// - Parameter mcp: how to look at the MCP server; nil where that is who asks, and so is up.
  package func health(
    mcp: AgentHealth.Probe? = nil, patience: Duration = AgentHealth.patience
  ) async -> AgentHealth {
    let mcp = mcp ?? AgentHealth.Probe("mcp") { .ok("serving agent \(agent)") }
    let postgres = AgentHealth.Probe.postgres(agent, wording: outlined) {
      try database.checkSettings()
      return await database.ifUp()
    }
    return await AgentHealth.ask([git, postgres] + otherLayers + [mcp], patience: patience)
  }

  /// The same of git alone, which is all that reading and writing need.
  package func gitHealth() async -> AgentHealth.Finding {
    await answer(within: AgentHealth.patience, orElse: AgentHealth.late(AgentHealth.patience), git.look)
  }

  private var git: AgentHealth.Probe { .git(agent, wording: outlined) { try lookout.repository() } }

  private var outlined: AgentHealth.Wording {
    { error in
      let outline = self.outline(error)
      return (outline.code, outline.message, outline.hint)
    }
  }
}
