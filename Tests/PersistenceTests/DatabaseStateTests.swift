internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// What a database hides, refuses or keeps elsewhere is said before anything is believed or made.
@Suite struct DatabaseStateTests {
  private func failure(_ body: () async throws -> Void) async -> PersistenceError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? PersistenceError
    }
  }

  /// A role that may do all that a run needs, and owns nothing.
  private func role(_ tree: MavenTree) async throws -> (name: String, database: Database) {
    let name = "role_\(UInt64.random(in: .min ... .max))"
    try await tree.sql(
      """
      CREATE ROLE \(name) LOGIN;
      GRANT USAGE ON SCHEMA public TO \(name);
      GRANT ALL ON ALL TABLES IN SCHEMA public TO \(name);
      GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO \(name);
      """)
    let settings = tree.database.settings.merging(ConnectionSettings(parameters: ["user": name]))
    return (name, Database(settings: settings))
  }

  private func verify(_ tree: MavenTree, _ database: Database) async throws {
    _ = try await Survey.of(try tree.repository(), agent: tree.agent, database: database, .workTree)
  }

  private func reconcile(_ tree: MavenTree, _ database: Database) async throws -> Reconciler.Outcome {
    try await Reconciler(repository: try tree.repository(), agent: tree.agent, database: database).run(
      Reconciler.Options(command: "reconcile"))
  }

  @Test(
    "Rows that row-level security hides are no rows that are not there",
    arguments: [
      ("maven_decisions", "CREATE POLICY few ON maven_decisions TO ROLE_NAME USING (asset = 'BTC')", "few"),
      ("maven_decisions", "CREATE POLICY others ON maven_decisions TO pg_monitor USING (true)", "others"),
      ("maven_memory", "CREATE POLICY none ON maven_memory USING (false)", "none"),
      ("maven_quarantine", "CREATE POLICY mine ON maven_quarantine TO ROLE_NAME USING (agent = 'x')", "mine"),
      ("maven_checkpoint", "SELECT", "no policy"),
    ])
  func hiddenRows(table: String, policy: String, word: String) async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let (name, database) = try await role(tree)
    try await verify(tree, database)
    try await tree.sql(
      "ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY; \(policy.replacing("ROLE_NAME", with: name))")
    let dump = try tree.dump()
    for refused in [
      await failure { try await verify(tree, database) }, await failure { _ = try await reconcile(tree, database) },
    ] {
      #expect(refused?.code == .rowsHidden)
      #expect(refused?.message.contains(table) == true && refused?.message.contains(word) == true, "\(refused as Any)")
      #expect(refused?.message.contains(name) == true)
    }
    #expect(try tree.dump() == dump)
    // Their owner sees them all.
    #expect(try await tree.verification().isInSync)
  }

  @Test("Row-level security that is forced on the owner hides the rows from him too")
  func forcedOnTheOwner() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let (name, database) = try await role(tree)
    try await tree.sql(
      """
      ALTER TABLE maven_decisions OWNER TO \(name); ALTER TABLE maven_decisions ENABLE ROW LEVEL SECURITY;
      CREATE POLICY half ON maven_decisions USING (id % 2 = 0)
      """)
    try await verify(tree, database)
    try await tree.sql("ALTER TABLE maven_decisions FORCE ROW LEVEL SECURITY")
    let refused = await failure { try await verify(tree, database) }
    #expect(refused?.code == .rowsHidden && refused?.message.contains("half") == true)
  }

  @Test("A query under hidden rows is an error that names the policy, and not the rows that are left")
  func queriesUnderHiddenRows() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let (_, database) = try await role(tree)
    let queries = RecordQueries(agent: tree.agent) { database }
    #expect(try await queries.rows { "SELECT count(*) FROM \($0.qualified("maven_decisions"))" }[0].int(0) == 6)
    try await tree.sql(
      "ALTER TABLE maven_decisions ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON maven_decisions USING (asset = 'ETH')")
    let refused = await failure {
      _ = try await queries.rows { "SELECT count(*) FROM \($0.qualified("maven_decisions"))" }
    }
    #expect(refused?.code == .rowsHidden)
  }

  @Test("A role that owns nothing reconciles; what it lacks is named with the statement that gives it")
  func rights() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let (name, database) = try await role(tree)
    try await tree.sql("DELETE FROM maven_decisions WHERE id = 1")
    #expect(try await reconcile(tree, database).remaining == 0)
    for (taken, grant) in [
      ("INSERT ON maven_decisions", "GRANT INSERT ON TABLE public.maven_decisions TO \(name)"),
      ("SELECT ON maven_memory", "GRANT SELECT ON TABLE public.maven_memory TO \(name)"),
      ("USAGE, UPDATE ON SEQUENCE maven_decisions_id_seq", "GRANT USAGE ON SEQUENCE public.maven_decisions_id_seq TO \(name)"),
    ] {
      try await tree.sql("REVOKE \(taken) FROM \(name)")
      let (connection, schema) = try #require(try await database.connect())
      #expect(try await DatabaseState.read(connection, schema: schema).missingGrants == [grant])
      await connection.close()
      try await tree.sql("DELETE FROM maven_decisions; UPDATE maven_milestones SET title = 'other'")
      let refused = await failure { _ = try await reconcile(tree, database) }
      #expect(refused?.code == .privilegeMissing && refused?.hint?.contains(grant) == true, "\(refused as Any)")
      try await tree.sql(grant)
    }
    #expect(try await reconcile(tree, database).remaining == 0)
  }

  @Test(
    "An encoding that lacks characters is refused before anything is made", arguments: ["LATIN1", "WIN1252", "EUC_JP"])
  func encodings(encoding: String) async throws {
    let tree = try await MavenTree.sample()
    let name = "latin_\(UInt64.random(in: .min ... .max))"
    try await tree.sql("CREATE DATABASE \(name) TEMPLATE template0 ENCODING '\(encoding)' LC_COLLATE 'C' LC_CTYPE 'C'")
    let database = Database(settings: tree.database.settings.with(database: name))
    for refused in [
      await failure { try await verify(tree, database) }, await failure { _ = try await reconcile(tree, database) },
    ] {
      #expect(refused?.code == .unsuitableDatabase && refused?.message.contains(encoding) == true)
      #expect(refused?.hint?.contains("createdb --encoding=UTF8") == true)
    }
    let connection = try await Connection(database.settings)
    #expect(try await connection.query("SELECT FROM pg_class WHERE relname LIKE 'maven%'").isEmpty)
    await connection.close()
    try await tree.sql("DROP DATABASE \(name)")
  }

  @Test("A database that takes bytes as they are holds every record")
  func bytesAsTheyAre() async throws {
    let tree = try await MavenTree.sample()
    try tree.writeDecision(7, reasoning: "Café tenu à 5 £, 日本")
    try tree.git.commit("more")
    let name = "ascii_\(UInt64.random(in: .min ... .max))"
    try await tree.sql("CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    let database = Database(settings: tree.database.settings.with(database: name))
    #expect(try await reconcile(tree, database).remaining == 0)
    try await verify(tree, database)
    try await tree.sql("DROP DATABASE \(name)")
  }

  @Test("A database that takes no writes is compared, and says why it is not written")
  func readOnly() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let name = try #require(tree.database.settings.parameters["dbname"])
    try await tree.sql(
      "DELETE FROM maven_decisions WHERE id = 1; ALTER DATABASE \(name) SET default_transaction_read_only = on")
    #expect(try await tree.survey().counts[.missing] == 1)
    let error = await #expect(throws: PostgresError.self) { try await tree.run() }
    #expect(error?.code == .readOnly)
    let (connection, schema) = try #require(try await tree.target().connect())
    #expect(try await DatabaseState.read(connection, schema: schema).readOnlyReason?.contains("default") == true)
    await connection.close()
  }

  @Test("The schema in use is the one whose tables an unqualified name means")
  func schemaOfThePath() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let name = try #require(tree.database.settings.parameters["dbname"])
    try await tree.sql("CREATE SCHEMA bots; ALTER DATABASE \(name) SET search_path = pg_catalog, bots, public")
    #expect(try await tree.run().remaining == 0)
    #expect(try await tree.value("SELECT to_regclass('bots.maven_decisions') IS NULL") == "t")
    // Beside the live tables on purpose, and said.
    let outcome = try await tree.run("sync", into: SchemaName("bots"))
    #expect(outcome.survey.notes.contains { $0.contains("public") && $0.contains("bots") }, "\(outcome.survey.notes)")
    #expect(try await tree.value("SELECT count(*) FROM bots.maven_decisions") == "6")
  }

  @Test(arguments: ["information_schema", "pg_catalog", "pg_toast"])
  func aSchemaOfTheServersOwnIsRefused(name: String) {
    #expect(SchemaName(name) == nil)
  }
}
