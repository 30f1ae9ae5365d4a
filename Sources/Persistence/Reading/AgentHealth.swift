internal import Git
internal import Postgres
package import Records

/// Whether the layers that hold the records are well. Works while any of them is down.
package struct AgentHealth: Sendable {
  package enum Status: String, Sendable {
    case ok
    /// It works, and something about it needs a look.
    case degraded
    case down
  }

  package struct Layer: Sendable {
    package let name: String
    package let status: Status
    package let detail: String
    package let latency: Duration
  }

  package let layers: [Layer]

  package var isHealthy: Bool { layers.allSatisfy { $0.status == .ok } }

  /// The shape of `health --json`.
  package var json: JSONValue {
    let members = layers.map { layer in
      JSONValue.Member(
        JSONString(layer.name),
        Report.object([
          "status": .string(layer.status.rawValue), "detail": .string(layer.detail),
          "latency_ms": Report.number(layer.latency.seconds * 1_000),
        ]))
    }
    return Report.object([
      "schema": .integer(Report.schemaVersion), "healthy": .bool(isHealthy), "layers": .object(members),
    ])
  }
}

extension AgentRecords {
  /// Asks every layer, each with a bounded wait. Starts nothing.
  package func health() async -> AgentHealth {
    let clock = ContinuousClock()
    func layer(_ name: String, _ look: () async -> (AgentHealth.Status, String)) async -> AgentHealth.Layer {
      let start = clock.now
      let (status, detail) = await look()
      return AgentHealth.Layer(name: name, status: status, detail: detail, latency: clock.now - start)
    }
    let git = await layer("git") {
      do {
        guard let standing = try await lookout.current() else { return (.degraded, "there is no commit yet") }
        guard await files.list(agent.root) != nil else { return (.down, "\(agent.root.text) is not there") }
        return (.ok, "at commit \(standing.id)")
      } catch {
        return (.down, outline(error).message)
      }
    }
    let postgres = await layer("postgres") { await databaseHealth() }
    let server = AgentHealth.Layer(name: "mcp", status: .ok, detail: "serving agent \(agent)", latency: .zero)
    return AgentHealth(layers: [git, postgres, server])
  }

  private func databaseHealth() async -> (AgentHealth.Status, String) {
    guard let database = await database.ifUp() else {
      return (.down, "the database is not running; git holds every record")
    }
    let agent = agent
    return await answer(within: .seconds(1), orElse: (.down, "the database did not answer within a second")) {
      do {
        guard let (connection, schema) = try await database.connect() else {
          return (.degraded, "the database does not exist yet; `moha-sync sync` makes it")
        }
        let rows = try await connection.query(
          """
          SELECT encode(commit_id, 'hex'), updated_at::text FROM \(schema.qualified("maven_checkpoint")) WHERE agent = $1
          """, [.text(agent.name)])
        await connection.close()
        guard let row = rows.first else { return (.degraded, "never synced; `moha-sync sync` fills it") }
        let commit = try row.optionalString(0) ?? "a tree without commit"
        return (.ok, "last reconciled at commit \(commit), \(try row.string(1))")
      } catch {
        return (.down, outline(error).message)
      }
    }
  }
}
