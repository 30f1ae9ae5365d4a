internal import Postgres
package import Records

/// Tells the database where rotated entries lie now: best effort, since the next reconcile does the same.
package struct RotatedRows: Sendable {
  package let database: Database
  package let agent: Agent
  package var patience = Duration.seconds(5)

  package init(database: Database, agent: Agent) {
    self.database = database
    self.agent = agent
  }

  /// Returns nil, or why the rows still name the old file.
  package func update(_ moves: [(keys: [String], path: RecordPath)]) async -> String? {
    let (database, agent) = (database, agent)
    let ending = await Deadline.run(patience) {
      guard let (connection, schema) = try await database.connect() else { return }
      let table = schema.qualified(RecordKind.event.table)
      for (keys, path) in moves {
        _ = try await connection.execute(
          """
          UPDATE \(table) SET git_path = $1 WHERE agent = $2 AND git_path = $3
            AND event_key = ANY($4::text[])
          """,
          [
            .text(path.text), .text(agent.name), .text(TreeLayout.sessionLog(of: agent).text),
            .textArray(keys),
          ])
      }
      await connection.close()
    }
    switch ending {
    case .returned: return nil
    case .threw(let error): return (error as? PostgresError)?.description ?? "\(error)"
    case .late: return "the database did not answer within \(patience)"
    }
  }
}
