internal import Git
internal import Glibc
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Any column of a git-backed row may be changed by hand, and each change is found, none is invented, and all are mended.
///
/// `MOHA_MUTATIONS=5000` makes as many instead of some hundreds.
@Suite struct MutationTests {
  /// A change of one column of one row.
  private struct Mutation {
    let kind: RecordKind
    let id: Int64
    let column: String
    let expression: String

    var sql: String { "UPDATE \(kind.table) SET \(column) = \(expression) WHERE id = \(id)" }
  }

  /// What a row was, or is: the JSON of its columns, and its content hash.
  private struct Image {
    var values: [String: JSONValue]
    var hash: String
  }

  private static let texts = ["NULL", "{} || ' '", "upper({})", "lower({})", "''", "'x'", "{} || E'\\n'", "{} || ''", "E'\\u241b0'"]
  private static let numbers = ["NULL", "{} + 0.0001", "-{}", "'NaN'", "0", "{} * 1.00", "{} + 1"]
  private static let moments = ["NULL", "{} + interval '1 microsecond'", "'infinity'", "now()", "{} AT TIME ZONE 'UTC' AT TIME ZONE 'UTC'"]
  private static let documents = ["NULL", "'{}'", "{} || '{\"x\": 1}'", "'[]'", "'null'", "{} - 'none'"]

  private func expressions(_ column: String, _ commit: String) -> [String] {
    switch column {
    case "object_id", "source_commit", "archived_commit":
      ["NULL", "'\\x'", "decode(repeat('ab', 20), 'hex')", "'\\x00'", "decode('\(commit)', 'hex')", "{}"]
    case "agent": ["'other'", "'MAVEN'", "{}"]
    case "git_status": ["'archived'", "'unreadable'", "'current'", "'odd'"]
    case "git_path": ["NULL", "'elsewhere'", "{} || ' '", "{}"]
    case "git_filename", "event_key": ["{} || 'x'", "'decision_20990101_000000.md'", "NULL", "{}"]
    case "position_count": ["7", "NULL", "{}"]
    case "created_at": ["NULL", "now()"]
    default:
      switch RecordRow.type(of: column) {
      case .text: MutationTests.texts
      case .numeric: MutationTests.numbers
      case .instant: MutationTests.moments
      case .json: MutationTests.documents
      }
    }
  }

  /// Records of every kind, of the tree and of history only.
  private func tree() async throws -> MavenTree {
    let tree = try await MavenTree.sample()
    for index in 1...3 {
      try tree.write(
        "portfolio/snapshot_2026020\(index)_000000.json",
        #"{"schema": 1, "snapshot_at": "2026-02-0\#(index)T00:00:00.000000+00:00", "snapshot_type": "scheduled", "total_value_usd": 10500.2\#(index), "available_balance_usd": 4000.00, "margin_used_usd": 0.00, "unrealized_pnl_usd": 1.25, "open_positions": [{"asset": "BTC"}], "pnl_24h": 1.50, "notes": "n"}"#)
    }
    try tree.write("session_log.md", MavenTree.log(entries: 1...8))
    try tree.git.commit("more")
    try tree.write("session_log.md", MavenTree.log(entries: 4...8))
    try tree.git.commit("compacted")
    try await tree.run("sync")
    return tree
  }

  /// Every row by kind and id.
  private func images(_ connection: Connection) async throws -> [String: Image] {
    var images: [String: Image] = [:]
    for kind in RecordKind.allCases {
      let rows = try await connection.query("SELECT id::bigint, to_jsonb(t)::text, content_hash::text FROM \(kind.table) t ORDER BY id")
      for row in rows {
        guard case .object(let members) = try JSONValue.parse(Array(row.string(1).utf8)) else { continue }
        var values: [String: JSONValue] = [:]
        for member in members { values[member.key.text ?? ""] = member.value }
        images["\(kind) \(try row.int(0))"] = Image(values: values, hash: try row.string(2))
      }
    }
    return images
  }

  /// Whether the change is one that means the same, or is in a column that is the row's own; all such are here.
  private func isEqualInMeaning(_ mutation: Mutation, _ before: Image, _ after: Image, commits: Set<String>) -> Bool {
    let (old, new) = (before.values[mutation.column], after.values[mutation.column])
    if old == new { return true }
    func commit(_ value: JSONValue?) -> String? { value?.text.map { String($0.dropFirst(2)) } }
    switch mutation.column {
    // The row's own, once it is there.
    case "created_at": return new != .null
    // Any commit of this repository may be the one that a row was written at.
    case "source_commit": return commit(new).map(commits.contains) ?? false
    // Any version of the log may be the one that an event was read from.
    case "object_id" where mutation.kind == .event: return commit(new)?.utf8.count == 40
    // The last commit that held an entry depends on how far history was known.
    case "archived_commit": return old != .null && commit(new).map(commits.contains) ?? false
    // A type in other letters, as older scripts write it.
    case "event_type": return new?.text?.uppercased() == old?.text
    // 80.0 and 80.00, a JSON without a change.
    default: return before.hash == after.hash && RecordRow.columns(of: mutation.kind).contains(mutation.column)
    }
  }

  @Test("twenty changes at a time, of any column of any row: none missed, none invented, all mended", arguments: [1, 2])
  func mutations(seed: Int) async throws {
    let wanted = getenv("MOHA_MUTATIONS").flatMap { Int(String(cString: $0)) } ?? 600
    var random = SeededGenerator(seed: UInt64(seed))
    let tree = try await tree()
    let commits = Set(try tree.git.git("rev-list", "HEAD").split(separator: "\n").map(String.init))
    let connection = try await tree.database.connect()
    var (made, unlike, same) = (0, 0, 0)
    while made < wanted / 2 {
      let before = try await images(connection)
      var rows = before.keys.sorted()
      var mutations: [Mutation] = []
      var isWithoutTriggers = false
      while mutations.count < 20, !rows.isEmpty {
        let row = rows.remove(at: random.below(rows.count)).split(separator: " ")
        guard let kind = RecordKind(rawValue: String(row[0])), let id = Int64(row[1]) else { continue }
        let columns = kind.storage.columns + (kind == .snapshot ? ["position_count"] : [])
        let column = random.pick(columns)
        let expression = random.pick(expressions(column, random.pick(commits.sorted()))).replacing("{}", with: column)
        let mutation = Mutation(kind: kind, id: id, column: column, expression: expression)
        isWithoutTriggers = column == "position_count"
        do {
          if isWithoutTriggers { try await connection.script("ALTER TABLE \(kind.table) DISABLE TRIGGER USER") }
          _ = try await connection.execute(mutation.sql)
          mutations.append(mutation)
        } catch {
          // What a column does not take cannot be in it.
          guard error.refusesRow || error.sqlState == .uniqueViolation else { throw error }
        }
        if isWithoutTriggers { try await connection.script("ALTER TABLE \(kind.table) ENABLE TRIGGER USER") }
      }
      let after = try await images(connection)
      let survey = try await tree.survey()
      let rowIDs = Set(survey.differences.compactMap { item in item.kind.flatMap { kind in item.rowID.map { "\(kind) \($0)" } } })
      let keys = Set(survey.differences.map { "\($0.kind?.rawValue ?? "") \($0.key)" })
      var explained: Set<String> = []
      for mutation in mutations {
        let row = "\(mutation.kind) \(mutation.id)"
        guard let was = before[row], let now = after[row] else {
          Issue.record("\(mutation.sql) lost its row")
          continue
        }
        let key = "\(mutation.kind) \(was.values[mutation.kind.storage.keyColumn]?.text ?? "")"
        let isFound =
          rowIDs.contains(row) || keys.contains(key)
          || mutation.column == "source_commit" && survey.plan.checkpointDrift
        let isSame = isEqualInMeaning(mutation, was, now, commits: commits)
        if isSame { same += 1 } else { unlike += 1 }
        #expect(isFound != isSame || mutation.column == "source_commit" && survey.plan.checkpointDrift, "\(isSame ? "invented" : "missed"): \(mutation.sql)")
        explained.formUnion([row, key])
      }
      #expect(rowIDs.isSubset(of: explained), "invented: \(rowIDs.subtracting(explained))")
      made += mutations.count
      let outcome = try await tree.run(allowing: 1_000)
      #expect(outcome.remaining == 0, "\(mutations.map(\.sql)) \(outcome.proof?.differences.map(\.message) ?? [])")
      let second = try await tree.survey()
      #expect(second.repairable == 0, "\(mutations.map(\.sql)) \(second.differences.map(\.message))")
      #expect(Verification(second, elapsed: .zero).kinds.allSatisfy { $0.gitDigest == $0.rowDigest })
      // Rows that are the bots' by now, or another agent's, are no longer these records'.
      try await connection.script(
        "DELETE FROM maven_portfolio_snaps WHERE git_filename IS NULL; DELETE FROM maven_memory WHERE agent <> 'maven'; DELETE FROM maven_decisions WHERE agent <> 'maven'; DELETE FROM maven_milestones WHERE agent <> 'maven'; DELETE FROM maven_portfolio_snaps WHERE agent <> 'maven'")
    }
    await connection.close()
    #expect(unlike > made / 3 && same > made / 20, "\(made) \(unlike) \(same)")
  }
}
