internal import Git
internal import Postgres
internal import Records

/// Rows that come from commits which git, as it stands here, does not reach yet.
///
/// Two clones may share a database, and a clone may be a backup of last week. Where HEAD is an ancestor of the commit
/// that a row came from, the row is newer than the tree, and making it equal to the tree would take a record back. Such
/// rows are left alone and reported, until git has caught up or somebody names the older commit, and so means it.
struct NewerRows {
  private let head: ObjectID?
  private let agent: Agent
  private let repository: Repository
  private let schema: SchemaName
  private let rows: RowSet

  init(source: RecordSource, rows: RowSet, repository: Repository, schema: SchemaName) {
    head = source.commit?.id
    agent = source.agent
    self.repository = repository
    self.schema = schema
    self.rows = rows
  }

  /// Moves what the plan would take back to its held part. Returns what to tell the user.
  func holdBack(_ plan: inout ReconciliationPlan, connection: Connection) async throws -> [String] {
    guard let head else { return [] }
    var newer: [ObjectID] = []
    for commit in rows.sourceCommits.sorted() where commit != head {
      if try await isNewer(commit, than: head) { newer.append(commit) }
    }
    if let checkpoint = rows.checkpoint?.commit, checkpoint != head {
      if try await isNewer(checkpoint, than: head) {
        plan.isBehind = true
      } else if try await repository.commitExists(checkpoint) == false,
        try await hasStood(at: head, connection: connection)
      {
        // The database was here and went on to commits that this clone does not have.
        plan.isBehind = true
        for commit in rows.sourceCommits where try await !repository.commitExists(commit) { newer.append(commit) }
      }
    }
    guard !newer.isEmpty else { return plan.isBehind ? [behind(head)] : [] }
    try await hold(newer, in: &plan, connection: connection)
    let count = plan.heldUpdates.count + plan.heldRemovals.count
    guard count > 0 else { return plan.isBehind ? [behind(head)] : [] }
    return [
      "git stands at \(head), and \(count) row\(count == 1 ? " comes" : "s come") from newer commits: left as "
        + "\(count == 1 ? "it is" : "they are"). Bring those commits here; or, if going back is meant, run again with --at HEAD"
    ]
  }

  private func behind(_ head: ObjectID) -> String {
    "git stands at \(head), before the commit that the database was brought to last"
  }

  private func isNewer(_ commit: ObjectID, than head: ObjectID) async throws -> Bool {
    guard try await repository.commitExists(commit) else { return false }
    return try await repository.isAncestor(head, of: commit)
  }

  /// Whether an earlier run brought the database to this commit.
  private func hasStood(at commit: ObjectID, connection: Connection) async throws -> Bool {
    let table = schema.qualified("maven_reconcile_runs")
    let exists = try await connection.query("SELECT to_regclass($1) IS NOT NULL", [.text(table)]).first?.bool(0)
    guard exists == true else { return false }
    return try await connection.query(
      "SELECT EXISTS (SELECT FROM \(table) WHERE agent = $1 AND commit_id = $2)",
      [.text(agent.name), .bytes(commit.bytes)]
    ).first?.bool(0) ?? false
  }

  private func hold(
    _ commits: [ObjectID], in plan: inout ReconciliationPlan, connection: Connection
  ) async throws {
    for kind in RecordKind.allCases {
      let ids =
        plan.updates.filter { $0.record.kind == kind }.map(\.row.id)
        + plan.removals.filter { $0.kind == kind && $0.reason == .orphaned }.map(\.row.id)
      var held: Set<Int64> = []
      for chunk in ids.chunks(of: 5_000) {
        let found = try await connection.query(
          """
          SELECT id::bigint FROM \(schema.qualified(kind.table))
          WHERE id = ANY($1::bigint[]) AND encode(source_commit, 'hex') = ANY($2::text[])
          """, [.intArray(chunk), .textArray(commits.map(\.description))])
        for row in found { held.insert(try row.int(0)) }
      }
      guard !held.isEmpty else { continue }
      plan.heldUpdates += plan.updates.filter { $0.record.kind == kind && held.contains($0.row.id) }
      plan.updates.removeAll { $0.record.kind == kind && held.contains($0.row.id) }
      plan.heldRemovals += plan.removals.filter {
        $0.kind == kind && held.contains($0.row.id) && $0.reason == .orphaned
      }
      plan.removals.removeAll { $0.kind == kind && held.contains($0.row.id) && $0.reason == .orphaned }
    }
  }
}
