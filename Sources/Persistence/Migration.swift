internal import CMigrations
internal import Crypto

/// One numbered file of `migrations/`, as compiled into the program.
package struct Migration: Hashable, Sendable {
  /// The number that the file's name begins with; versions are consecutive from 1.
  package let version: Int
  /// The file's name.
  package let name: String
  package let sql: String
  /// SHA-256 of the text in hex, line endings taken as LF: a checkout that turns them into CRLF is no edit.
  package let checksum: String

  /// All migrations in order of version.
  package static let all: [Migration] = (0..<moha_migration_count()).map { index in
    Migration(moha_migration_at(index))
  }

  private init(_ file: moha_migration) {
    name = String(cString: file.name)
    let bytes = UnsafeBufferPointer(start: file.bytes, count: file.length)
    sql = String(decoding: bytes, as: UTF8.self)
    version = Int(name.prefix { $0 != "_" }) ?? 0
    checksum = Migration.checksum(of: bytes)
  }

  static func checksum(of bytes: some Sequence<UInt8>) -> String {
    var digest = SHA256()
    var normalised: [UInt8] = []
    var previousWasCarriageReturn = false
    for byte in bytes {
      if previousWasCarriageReturn && byte != UInt8(ascii: "\n") { normalised.append(UInt8(ascii: "\r")) }
      previousWasCarriageReturn = byte == UInt8(ascii: "\r")
      if !previousWasCarriageReturn { normalised.append(byte) }
    }
    if previousWasCarriageReturn { normalised.append(UInt8(ascii: "\r")) }
    digest.update(data: normalised)
    return hex(digest.finalize())
  }

  /// What is run where the schema comes to stand, or stands already, at `version`.
  ///
  /// An applied file never changes: its checksum is its identity. So what a later one replaced is left out here, where
  /// the older file would make it again only for the later one to take it away: hours of work on large tables, and a
  /// failure on rows that the older form refuses.
  func sql(for version: Int) -> String {
    Migration.amendments.reduce(sql) { text, amendment in
      guard amendment.version == self.version, version >= amendment.replacedBy else { return text }
      guard amendment.reachesToTheEnd else { return text.replacing(amendment.text, with: amendment.replacement) }
      guard let start = text.firstRange(of: amendment.text)?.lowerBound else { return text }
      return text[..<start] + amendment.replacement
    }
  }

  /// The rows between `VALUES` and `) AS wanted (<columns>)` in a migration's text, so that what it says is said once.
  static func values(_ columns: String, of version: Int) -> String {
    passage(from: "(VALUES", upTo: ") AS wanted (\(columns))", of: version)
  }

  /// What stands between two marks of a migration's text: the end is the first one, the start the last one before it.
  private static func passage(from start: String, upTo end: String, of version: Int) -> String {
    guard let text = all.first(where: { $0.version == version })?.sql, let close = text.firstRange(of: end),
      let open = text[..<close.lowerBound].ranges(of: start).last
    else { return "" }
    return String(text[open.upperBound..<close.lowerBound])
  }

  /// A passage of a migration that a later one replaced.
  struct Amendment {
    let version: Int
    let replacedBy: Int
    /// Occurs once in the file.
    let text: String
    let replacement: String
    /// Whether everything after the passage goes with it.
    var reachesToTheEnd = false
  }

  /// The block of migration 9 that makes the views of the older names, grants included: with it, the names answer in
  /// the very transaction that renames the tables.
  private static let olderNames: String = {
    let mark = "$older_names$"
    return "DO \(mark)" + passage(from: "DO \(mark)", upTo: "\(mark);", of: 9) + "\(mark);\n"
  }()

  static let amendments: [Amendment] = [
    Amendment(
      version: 1, replacedBy: 7,
      text: """
        ADD COLUMN IF NOT EXISTS search_vector tsvector
            GENERATED ALWAYS AS (to_tsvector('english'::regconfig, description)) STORED;
        """, replacement: "ADD COLUMN IF NOT EXISTS search_vector tsvector;"),
    Amendment(
      version: 1, replacedBy: 7,
      text: """
        ADD COLUMN IF NOT EXISTS search_vector tsvector
            GENERATED ALWAYS AS (
              setweight(to_tsvector('english'::regconfig, COALESCE(title, '')), 'A')
              || setweight(to_tsvector('english'::regconfig, COALESCE(summary, '')), 'B')) STORED;
        """, replacement: "ADD COLUMN IF NOT EXISTS search_vector tsvector;"),
    Amendment(
      version: 3, replacedBy: 7,
      text: """
          LOOP
            CONTINUE WHEN EXISTS (
        """,
      replacement: """
          LOOP
            CONTINUE WHEN wanted.name IN (
              'maven_decisions_type', 'maven_decisions_asset', 'maven_decisions_risk_level', 'maven_decisions_search',
              'maven_insights_search', 'maven_memory_type', 'maven_milestones_category', 'maven_milestones_search');
            CONTINUE WHEN EXISTS (
        """),
    Amendment(
      version: 1, replacedBy: 9,
      text: """
        CREATE OR REPLACE VIEW maven_portfolio_snapshots AS SELECT * FROM maven_portfolio_snaps;
        CREATE OR REPLACE VIEW maven_performance_metrics AS SELECT * FROM maven_performance;
        """, replacement: olderNames),
    Amendment(
      version: 3, replacedBy: 9, text: "-- An older function may differ in its result type", replacement: "",
      reachesToTheEnd: true),
    Amendment(
      version: 6, replacedBy: 9,
      text: "CREATE OR REPLACE VIEW maven_portfolio_snapshots AS SELECT * FROM maven_portfolio_snaps;",
      replacement: olderNames),
  ]

  /// `schema.txt`: one catalog object a line, sorted by bytes; what a migrated schema must hold at least.
  static let manifest: Set<String> = {
    let file = moha_schema_manifest()
    let text = String(decoding: UnsafeBufferPointer(start: file.bytes, count: file.length), as: UTF8.self)
    return Set(text.split(separator: "\n").map(String.init))
  }()
}

/// Lower-case hexadecimal of the bytes, two digits each.
func hex(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}
