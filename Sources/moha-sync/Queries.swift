import Persistence

extension Workspace {
  /// Questions to the database; the embedded one is started for them.
  func queries() async throws -> RecordQueries {
    let database = try await database()
    return RecordQueries(agent: settings.agent) { database }
  }
}
