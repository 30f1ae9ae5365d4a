internal import Git
internal import Postgres
internal import Records

/// The rows of runs: what each found, for some weeks, and totals by day and command for ever.
///
/// A job of every five minutes makes a hundred thousand runs a year, most of which find nothing; such a run has no report.
package struct RunRetention: Hashable, Sendable {
  /// Runs that ended earlier than this many days ago are taken out, and counted.
  package var days: Int
  /// But the newest ones stay, however old they are.
  package var newest: Int

  package init(days: Int = 30, newest: Int = 100) {
    (self.days, self.newest) = (days, newest)
  }

  /// Old runs are taken out in parts of this size, so that no run pays for years of them.
  static let batch = 1_000
}

struct RunReports {
  let agent: Agent
  let connection: Connection
  let schema: SchemaName

  private var runs: String { schema.qualified("maven_reconcile_runs") }
  private var stood: String { schema.qualified("maven_stood_commits") }

  /// Writes the run's row, and takes out what is too old.
  ///
  /// After the changes, in a transaction of its own: it reports their result, and the checkpoint that it belongs to names
  /// the run.
  func record(_ outcome: Reconciler.Outcome, _ retention: RunRetention) async throws {
    let source = outcome.survey.source
    let report = outcome.hasNothingToTell ? nil : Report.reconcile(outcome).databaseForm.jsonbText
    _ = try await connection.execute(
      """
      INSERT INTO \(runs)
        (run_id, agent, command, source_kind, commit_id, tree_id, started_at, finished_at, differences, repaired,
         remaining, report)
      VALUES ($1::uuid, $2, $3, $4, $5, $6, now() - make_interval(secs => $7), now(), $8, $9, $10, $11)
      """,
      [
        .text(outcome.run.id), .text(agent.name), .text(outcome.run.command), .text(source.kind.rawValue),
        .bytes(source.commit?.id), .bytes(source.tree.bytes), .double(outcome.elapsed.seconds),
        .json(Report.counts(outcome.survey.counts).jsonbText), .json(Report.counts(outcome.repaired).jsonbText),
        .int(Int64(outcome.remaining)), report.map { .json($0) } ?? .null,
      ])
    try await takeOut(retention)
  }

  /// Counts the oldest of the runs that need not be kept in the totals, and takes them out; at most a batch.
  private func takeOut(_ retention: RunRetention) async throws {
    func sum(_ column: String) -> String {
      "(SELECT COALESCE(sum(value::bigint), 0) FROM jsonb_each_text(\(column)) WHERE key <> 'unbacked')"
    }
    _ = try await connection.execute(
      """
      WITH old AS (
        DELETE FROM \(runs) WHERE run_id IN (
          SELECT run_id FROM \(runs)
          WHERE agent = $1 AND finished_at < now() - make_interval(days => $2::integer) AND finished_at < (
            SELECT finished_at FROM \(runs) WHERE agent = $1 ORDER BY finished_at DESC OFFSET $3 LIMIT 1)
          ORDER BY finished_at LIMIT \(RunRetention.batch))
        RETURNING *
      ), stood AS (
        INSERT INTO \(stood) SELECT DISTINCT agent, commit_id FROM old WHERE commit_id IS NOT NULL
        ON CONFLICT DO NOTHING
      )
      INSERT INTO \(schema.qualified("maven_run_totals")) AS total
        (agent, day, command, runs, unfinished, differences, repaired, seconds, last_success)
      SELECT agent, (finished_at AT TIME ZONE 'UTC')::date, command, count(*), count(*) FILTER (WHERE remaining > 0),
        sum(\(sum("differences"))), sum(\(sum("repaired"))), sum(extract(epoch FROM finished_at - started_at)),
        max(finished_at) FILTER (WHERE remaining = 0)
      FROM old GROUP BY 1, 2, 3
      ON CONFLICT (agent, day, command) DO UPDATE SET
        runs = total.runs + EXCLUDED.runs, unfinished = total.unfinished + EXCLUDED.unfinished,
        differences = total.differences + EXCLUDED.differences, repaired = total.repaired + EXCLUDED.repaired,
        seconds = total.seconds + EXCLUDED.seconds, last_success = GREATEST(total.last_success, EXCLUDED.last_success)
      """, [.text(agent.name), .int(Int64(retention.days)), .int(Int64(max(0, retention.newest - 1)))])
  }

  /// Whether an earlier run brought the database to this commit, however long ago.
  func haveStood(at commit: ObjectID) async throws -> Bool {
    for table in [runs, stood] {
      let exists = try await connection.query("SELECT to_regclass($1) IS NOT NULL", [.text(table)]).first?.bool(0)
      guard exists == true else { continue }
      let found = try await connection.query(
        "SELECT EXISTS (SELECT FROM \(table) WHERE agent = $1 AND commit_id = $2)",
        [.text(agent.name), .bytes(commit.bytes)]
      ).first?.bool(0)
      if found == true { return true }
    }
    return false
  }
}

extension Reconciler.Outcome {
  /// Whether the run found that all was as it should be, and no file says otherwise.
  fileprivate var hasNothingToTell: Bool {
    survey.counts.allSatisfy { $0.key == .unbacked || $0.value == 0 } && remaining == 0 && quarantined == 0
      && survey.git.findings.isEmpty && survey.notes.isEmpty
  }
}

/// The runs that are no longer kept one by one.
package struct RunTotals: Hashable, Sendable {
  package let runs: Int
  package let repaired: Int
  /// The first day of them, UTC, as `2026-01-31`.
  package let since: String
}

extension RecordQueries {
  /// What older runs came to; nil where every run is still kept.
  package func runTotals() async throws -> RunTotals? {
    let rows = try await rows([.text(agent.name)]) { schema in
      """
      SELECT sum(runs)::bigint, sum(repaired)::bigint, min(day)::text FROM \(schema.qualified("maven_run_totals"))
      WHERE agent = $1 HAVING count(*) > 0
      """
    }
    return try rows.first.map {
      RunTotals(runs: Int(try $0.int(0)), repaired: Int(try $0.int(1)), since: try $0.string(2))
    }
  }
}
