internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// The rows of runs: what is kept of each, and for how long.
@Suite struct RunReportsTests {
  private func queries(_ tree: MavenTree) -> RecordQueries {
    let database = tree.target()
    return RecordQueries(agent: tree.agent, patience: .seconds(10)) { database }
  }

  /// Copies the newest run to as many days ago as each number says.
  private func age(_ tree: MavenTree, days: ClosedRange<Int>) async throws {
    try await tree.sql(
      """
      INSERT INTO maven_reconcile_runs
      SELECT gen_random_uuid(), r.agent, r.command, r.source_kind, sha256(day::text::bytea), r.tree_id,
        r.started_at - make_interval(days => day), r.finished_at - make_interval(days => day), r.differences,
        r.repaired, r.remaining, r.report
      FROM (SELECT * FROM maven_reconcile_runs ORDER BY finished_at DESC LIMIT 1) AS r,
        generate_series(\(days.lowerBound), \(days.upperBound)) AS day
      """)
  }

  @Test("a run that finds nothing keeps no report; one that found something, or a bad file, does")
  func noReport() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await tree.run()
    let reports = "SELECT string_agg((report IS NOT NULL)::text, ' ' ORDER BY finished_at) FROM maven_reconcile_runs"
    #expect(try await tree.value(reports) == "true false")
    try tree.write("decisions/decision_20260210_000000.md", "not a decision")
    try await tree.run()
    try await tree.run()
    #expect(try await tree.value(reports) == "true false true true")
    let detail = try #require(try await queries(tree).run())
    #expect(!detail.findings.isEmpty)
    let runs = try await queries(tree).runs(limit: 10)
    let quiet = try #require(try await queries(tree).run(id: runs[2].id))
    #expect(quiet.items.isEmpty && quiet.findings.isEmpty && quiet.run.drift == 0)
  }

  @Test("old runs are counted by day and command and taken out; the newest stay, and no more than a batch goes at once")
  func totals() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await age(tree, days: 31...1_600)
    #expect(try await queries(tree).runTotals() == nil)
    try await tree.run()
    let count = "SELECT count(*) FROM maven_reconcile_runs"
    #expect(try await tree.value(count) == "572")
    try await tree.run()
    #expect(try await tree.value(count) == "100")
    #expect(try await tree.value("SELECT sum(runs) || ' ' || count(*) FROM maven_run_totals") == "1473 1473")
    let totals = try #require(try await queries(tree).runTotals())
    let expected = try await tree.value(
      "SELECT ((now() - interval '1600 days') AT TIME ZONE 'UTC')::date::text")
    #expect(totals.runs == 1_473 && totals.since == expected)
    // The sample's records were all missing in the run that was copied.
    #expect(totals.repaired > 0 && totals.repaired % 1_473 == 0)
    // What is younger than a month stays, however many there are.
    try await age(tree, days: 1...29)
    try await tree.run()
    #expect(Int(try await tree.value(count) ?? "") ?? 0 >= 100)
    #expect(
      try await tree.value("SELECT count(*) FROM maven_reconcile_runs WHERE finished_at > now() - interval '30 days'")
        == "33")
  }

  @Test("a clone that stands where the database was long ago is behind it, though that run is only a total now")
  func standing() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    let old = try tree.git.git("rev-parse", "HEAD")
    try await age(tree, days: 31...200)
    try await tree.sql(
      "UPDATE maven_reconcile_runs SET finished_at = finished_at - interval '400 days' WHERE commit_id = '\\x\(old)'")
    try await tree.run()
    #expect(try await tree.value("SELECT count(*) FROM maven_reconcile_runs WHERE commit_id = '\\x\(old)'") == "1")
    #expect(try await tree.value("SELECT count(*) FROM maven_stood_commits WHERE commit_id = '\\x\(old)'") == "1")
    // The database goes on to commits that a copy of the old repository does not have.
    let copy = try GitScratch(isInitialized: false)
    try copy.git("clone", "-q", "file://\(tree.git.path)", ".")
    try tree.writeDecision(7)
    try tree.git.commit("newer")
    try await tree.run()
    try await tree.sql("DELETE FROM maven_reconcile_runs WHERE commit_id = '\\x\(old)'")
    let clone = try await MavenTree(git: copy, database: tree.database)
    let outcome = try await clone.run()
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "7", "\(outcome.survey.notes)")
    #expect(outcome.survey.plan.isBehind)
  }

  @Test("when a run last left nothing is still known when all such runs are totals")
  func lastSuccess() async throws {
    let tree = try await MavenTree.sample()
    try await tree.run("sync")
    try await age(tree, days: 40...41)
    try await tree.sql(
      """
      INSERT INTO maven_run_totals SELECT agent, finished_at::date, command, 1, 0, 0, 0, 0, finished_at
      FROM maven_reconcile_runs ORDER BY maven_reconcile_runs.finished_at LIMIT 1;
      UPDATE maven_reconcile_runs SET remaining = 1
      """)
    let state = try #require(try await ProjectionState.read(tree.target(), agent: tree.agent))
    let expected = try await tree.value("SELECT extract(epoch FROM max(last_success))::bigint::text FROM maven_run_totals")
    #expect(state.lastSuccess.map { Int($0.rounded()) } == Int(expected ?? ""))
    #expect(state.lastRun?.remaining == 1)
  }
}
