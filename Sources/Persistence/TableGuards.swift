internal import Postgres
internal import Records

/// The triggers and rules of a table that others put there, and that may swallow or change what is written.
struct TableGuards: Sendable {
  enum Event: Int, Sendable {
    // The bits of `pg_trigger.tgtype`.
    case insert = 4
    case delete = 8
    case update = 16
  }

  private struct Guard: Sendable {
    let kind: RecordKind
    let name: String
    let events: Int
    let isRule: Bool
  }

  private let guards: [Guard]

  /// Reads those that fire, ours left out. COPY invokes no rules, so a rule for INSERT counts for nothing here.
  init(_ transaction: borrowing Transaction) throws {
    let tables = RecordKind.allCases.map(\.table)
    let rows = try transaction.query(
      """
      SELECT c.relname, format('trigger %s', t.tgname), t.tgtype::int & 28, false
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE t.tgrelid = ANY (SELECT to_regclass(n) FROM unnest($1::text[]) AS n) AND NOT t.tgisinternal
        AND t.tgenabled IN ('O', 'A') AND t.tgtype & 3 = 3 AND NOT t.tgname = ANY ($2::text[])
      UNION ALL
      SELECT c.relname, format('rule %s', r.rulename),
        CASE r.ev_type WHEN '2' THEN 16 WHEN '4' THEN 8 ELSE 0 END, true
      FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
      WHERE r.ev_class = ANY (SELECT to_regclass(n) FROM unnest($1::text[]) AS n) AND r.ev_enabled IN ('O', 'A')
      ORDER BY 1, 2
      """, [.textArray(tables), .textArray(TableGuards.ours)])
    guards = try rows.compactMap { row in
      let table = try row.string(0)
      guard let kind = RecordKind.allCases.first(where: { $0.table == table }) else { return nil }
      return Guard(kind: kind, name: try row.string(1), events: Int(try row.int(2)), isRule: try row.bool(3))
    }
  }

  private static let ours = [
    "maven_decisions_touch", "maven_milestones_touch", "maven_memory_search", "maven_portfolio_snaps_positions",
  ]

  /// Tables in which a trigger looks at each row before it goes in.
  var guardingInserts: Set<RecordKind> {
    Set(guards.lazy.filter { !$0.isRule && $0.events & Event.insert.rawValue != 0 }.map(\.kind))
  }

  /// Why a row that was written is not there, or is another.
  func reason(_ kind: RecordKind, _ event: Event, isGone: Bool) -> String {
    let names = guards.filter { $0.kind == kind && $0.events & event.rawValue != 0 }.map(\.name)
    let what = isGone ? "swallows it" : "changes it, so that the row does not say what git says"
    switch names.count {
    case 0: return "the table \(kind.table) \(what)"
    case 1: return "the \(names[0]) of \(kind.table) \(what)"
    default: return "one of \(names.joined(separator: ", ")) of \(kind.table) \(what)"
    }
  }
}
