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
  private let standings: CommitStandings
  private let schema: SchemaName
  private let rows: RowSet

  /// - Parameter standings: of the commits that the rows and their checkpoint name, to the source's.
  init(source: RecordSource, rows: RowSet, standings: CommitStandings, schema: SchemaName) {
    head = source.commit?.id
    agent = source.agent
    self.standings = standings
    self.schema = schema
    self.rows = rows
  }

  /// Moves what the plan would take back to its held part. Returns what to tell the user.
  func holdBack(_ plan: inout ReconciliationPlan, connection: Connection) async throws -> [String] {
    guard let head else { return [] }
    var newer = standings.newer
    if let checkpoint = rows.checkpoint?.commit {
      if newer.contains(checkpoint) {
        plan.isBehind = true
      } else if standings.absent.contains(checkpoint) || standings.severed.contains(checkpoint),
        try await RunReports(agent: agent, connection: connection, schema: schema).haveStood(at: head)
      {
        // The database was here and went on to commits that this clone does not have, or not with all before them.
        plan.isBehind = true
        newer.formUnion(standings.absent.union(standings.severed))
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

  private func hold(
    _ commits: Set<ObjectID>, in plan: inout ReconciliationPlan, connection: Connection
  ) async throws {
    for kind in RecordKind.allCases {
      let ids =
        plan.updates.filter { $0.record.kind == kind }.map(\.row.id)
        + plan.refused.filter { $0.record.kind == kind }.compactMap(\.row?.id)
        + plan.removals.filter { $0.kind == kind && $0.reason == .orphaned }.map(\.row.id)
      var held: Set<Int64> = []
      for chunk in ids.chunks(of: 5_000) {
        let found = try await connection.query(
          """
          SELECT id::bigint, source_commit FROM \(schema.qualified(kind.table))
          WHERE id = ANY($1::bigint[]) AND source_commit IS NOT NULL
          """, [.intArray(chunk)])
        for row in found {
          guard let commit = ObjectID(bytes: try row.bytes(1)), commits.contains(commit) else { continue }
          held.insert(try row.int(0))
        }
      }
      guard !held.isEmpty else { continue }
      plan.heldUpdates += plan.updates.filter { $0.record.kind == kind && held.contains($0.row.id) }
      plan.updates.removeAll { $0.record.kind == kind && held.contains($0.row.id) }
      plan.heldUpdates += plan.refused.compactMap { refused in
        guard let row = refused.row, refused.record.kind == kind, held.contains(row.id) else { return nil }
        return ReconciliationPlan.Update(row: row, record: refused.record)
      }
      plan.refused.removeAll { $0.record.kind == kind && $0.row.map { held.contains($0.id) } ?? false }
      plan.heldRemovals += plan.removals.filter {
        $0.kind == kind && held.contains($0.row.id) && $0.reason == .orphaned
      }
      plan.removals.removeAll { $0.kind == kind && held.contains($0.row.id) && $0.reason == .orphaned }
    }
  }
}
