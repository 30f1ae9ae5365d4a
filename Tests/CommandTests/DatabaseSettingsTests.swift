internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// Databases as they are met: with settings, limits and names of somebody's own.
@Suite struct DatabaseSettingsTests {
  @Test("settings of the role, of the database and of the surroundings change nothing of what is compared or made")
  func settings() async throws {
    let tree = try await CommandTree.sample()
    let name = try #require(tree.database.settings.parameters["dbname"])
    try await tree.sql(
      """
      ALTER DATABASE \(name) SET quote_all_identifiers = on; ALTER DATABASE \(name) SET DateStyle = 'SQL, DMY';
      ALTER DATABASE \(name) SET statement_timeout = '1ms'; ALTER DATABASE \(name) SET row_security = on;
      ALTER DATABASE \(name) SET bytea_output = 'escape'; ALTER DATABASE \(name) SET IntervalStyle = 'postgres_verbose';
      """)
    let environment = ["PGOPTIONS": "-c quote_all_identifiers=on -c DateStyle=German -c extra_float_digits=-10"]
    for command in ["sync", "verify", "reconcile", "migrate"] {
      let output = try await tree.run([command, "--json"], environment: environment)
      #expect(output.status == 0, "\(command): \(output.everything)")
    }
    try await tree.expect(0, "migrate", "--verify-only")
  }

  @Test("a time limit that ends a statement is no interruption, and the hint names the setting")
  func timeLimit() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try tree.write(decision: 7)
    let output = try await tree.withDecisionsLocked {
      try await tree.run(["reconcile", "--json"], environment: ["PGOPTIONS": "-c statement_timeout=1500"])
    }
    #expect(output.status == 69, "\(output.everything)")
    #expect(try output.json()["error"]?["code"]?.text == "postgres-timed-out")
    #expect(try output.json()["error"]?["hint"]?.text?.contains("statement_timeout") == true)
    try await tree.expect(0, "reconcile")
  }

  @Test("a server that dies while a tick asks it: the records are committed, and the exit code is 69")
  func serverKilledUnderTick() async throws {
    let server = try await PostgresServer.start()
    let tree = try await CommandTree.sample(server: server)
    try await tree.expect(0, "sync")
    try tree.write(decision: 7)
    try await tree.withDecisionsLocked {
      let run = try tree.start("tick", "--json")
      try await tree.waitUntilBlocked()
      try server.kill()
      let output = try await run.output()
      #expect(output.status == 69, "\(output.everything)")
    }
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test(
    "a URL that cannot be read stops no record, and nothing of it is printed",
    arguments: ["postgresql://u:canary@[::1/d", "canary", "mysql://u:canary@h/d", "postgresql://u:canary%zz@h/d"])
  func malformedURL(url: String) async throws {
    let tree = try await CommandTree.sample()
    let record = ["record", "event", "--event", "NOTE", "--content", "Still written", "--json"]
    let written = try await tree.runBare(record, environment: ["DATABASE_URL": url])
    #expect(written.status == 0, "\(written.everything)")
    let data = try written.json()["data"]
    #expect(data?["db_persisted"] == .bool(false) && data?["commit_status"]?.text == "committed")
    #expect(try tree.git.git("show", "HEAD:.moha/maven/session_log.md").contains("Still written"))
    #expect(try tree.git.git("status", "--porcelain") == "")
    let verified = try await tree.runBare(["verify"], environment: ["DATABASE_URL": url])
    #expect(verified.status == 2)
    #expect(!(written.everything + verified.everything).contains("canary"), "\(verified.everything)")
  }

  @Test("a URL of another library is the same database, its schema included")
  func otherLibrariesURL() async throws {
    let tree = try await CommandTree.sample()
    let url = "\"\(tree.database.url.replacing("postgresql://", with: "postgresql+asyncpg://"))&schema=prisma&connection_limit=3\""
    let synced = try await tree.runBare(["sync"], environment: ["DATABASE_URL": url])
    #expect(synced.status == 0, "\(synced.everything)")
    #expect(try await tree.value("SELECT count(*) FROM prisma.maven_decisions") == "6")
    #expect(try await tree.value("SELECT to_regclass('public.maven_decisions') IS NULL") == "t")
  }

  @Test("doctor tells what the database hides, refuses and lacks, with what mends it")
  func doctor() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let role = "role_\(UInt64.random(in: .min ... .max))"
    try await tree.sql(
      """
      CREATE ROLE \(role) LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO \(role);
      GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO \(role); REVOKE UPDATE ON maven_trades FROM \(role);
      ALTER TABLE maven_decisions ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON maven_decisions USING (asset = 'ETH');
      ALTER TABLE maven_trades ALTER COLUMN status SET DEFAULT 'closed';
      SELECT setval('maven_milestones_id_seq', 1);
      CREATE SCHEMA other; CREATE TABLE other.maven_decisions (id int);
      """)
    let url = tree.database.settings.merging(ConnectionSettings(parameters: ["user": role])).redactedURL
    let output = try await tree.runBare(["doctor", "--timeout", "300", "--json", "--database", url])
    for words in [
      "rows-hidden", "policy p", "privilege-missing", "GRANT UPDATE ON TABLE public.maven_trades TO \(role)",
      "schema-drift", "tables-elsewhere",
    ] {
      #expect(output.stdoutText.contains(words), "\(words): \(output.everything)")
    }
    let verified = try await tree.runBare(["verify", "--json", "--database", url])
    #expect(verified.status == 12)
    #expect(try verified.json()["error"]?["code"]?.text == "rows-hidden")
    try await tree.sql("ALTER TABLE maven_decisions DISABLE ROW LEVEL SECURITY")
    let repaired = try await tree.expect(0, "migrate", "--repair", "--json")
    #expect(repaired.stdoutText.contains(#""drift":[]"#), "\(repaired.stdoutText)")
    try await tree.expect(0, "verify")
  }

  @Test("sync makes no tables in a schema of the server's own", arguments: ["information_schema", "pg_catalog", "pg_toast"])
  func serversOwnSchemas(name: String) async throws {
    let tree = try await CommandTree.sample()
    let output = try await tree.run(["sync", "--into", name])
    #expect(output.status == 2, "\(output.everything)")
    #expect(try await tree.value("SELECT count(*) FROM pg_class WHERE relname = 'maven_decisions'") == "0")
  }
}
