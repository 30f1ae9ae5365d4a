import ArgumentParser
import Persistence
import Postgres
import Records

/// Brings the database's schema to the program's migrations.
struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Bring the database's schema up to date, adopting an older database in place.",
    discussion: """
      Forward only; each migration is one transaction with its own bookkeeping. A database made by the older \
      scripts keeps every row, and its old table names go on answering, to those who were granted them. Views, \
      materialized views, functions, rules, triggers and policies on what a migration changes are put back as they \
      were; one that cannot be is named, and nothing is changed. A function of yours under a name of ours gets another \
      name, ending in _older.
      """)

  @OptionGroup var options: GlobalOptions
  @Flag(help: "Show what is pending and change nothing.")
  var dryRun = false
  @Flag(help: "Show how many rows each table holds.")
  var counts = false
  @Flag(help: "Only check that the schema is as the migrations left it; exit 4 if not.")
  var verifyOnly = false
  @Flag(help: "Bring back what was dropped or altered by hand, where that is safe.")
  var repair = false
  @Option(help: ArgumentHelp("Stop after this migration.", valueName: "n"))
  var to: Int?

  func validate() throws {
    if let to, !(1...Migration.all.count).contains(to) {
      throw ValidationError("--to takes a number from 1 to \(Migration.all.count)")
    }
    if dryRun && repair { throw ValidationError("--dry-run and --repair exclude each other") }
  }

  func run() async throws {
    let workspace = try await Workspace(options)
    let database = try await workspace.database()
    let writes = !dryRun && !verifyOnly
    let open = writes ? try await database.connectCreating() : try await database.connect()
    guard let (connection, schema) = open else {
      return try await report(applied: [], pending: Migration.all, version: 0, drift: [], counts: [], schema: nil)
    }
    let migrator = Migrator(schema: schema)
    let applied = writes ? try await migrator.migrate(connection, to: to) : []
    if repair { _ = try await migrator.repair(connection) }
    let status = try await migrator.status(connection)
    // A schema that is not at the newest migration differs from the manifest by design.
    let drift = status.pending.isEmpty ? try await migrator.drift(connection) : []
    let rows = counts ? try await tableCounts(connection, schema: schema) : []
    let kept = applied.isEmpty && !repair ? [] : try await migrator.keptFunctions(connection)
    await connection.close()
    if !options.quiet {
      for function in kept {
        Output.writeError("kept \(printable(function)): the function that had the name before\n")
      }
    }
    try await report(
      applied: applied, pending: status.pending, version: status.version, drift: drift, counts: rows, schema: schema)
  }

  private func tableCounts(_ connection: Connection, schema: SchemaName) async throws -> [(String, Int)] {
    let tables = try await connection.query(
      """
      SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname LIKE 'maven\\_%' ORDER BY 1
      """, [.text(schema.name)])
    var counts: [(String, Int)] = []
    for row in tables {
      let name = try row.string(0)
      let table = try Identifier.quoted(schema: schema.name, name)
      let count = try await connection.query("SELECT count(*) FROM \(table)").first?.int(0)
      counts.append((name, Int(count ?? 0)))
    }
    return counts
  }

  private func report(
    applied: [Migration], pending: [Migration], version: Int, drift: [SchemaDrift], counts: [(String, Int)],
    schema: SchemaName?
  ) async throws {
    let differs = !drift.isEmpty || verifyOnly && !pending.isEmpty
    if options.json {
      var members: [JSONValue.Member] = [
        .init("schema", 1), .init("version", .integer(version)),
        .init("applied", .array(applied.map { .string($0.name) })),
        .init("pending", .array(pending.map { .string($0.name) })),
        .init("drift", .array(drift.map { .string($0.message) })),
      ]
      if self.counts {
        members.append(.init("counts", .object(counts.map { .init(JSONString($0.0), .integer($0.1)) })))
      }
      Output.writeJSON(.object(members))
    } else if !options.quiet {
      let style = Style(options.color)
      for migration in applied { Output.write("applied  \(migration.name)\n") }
      for migration in pending { Output.write("\(style.warning("pending"))  \(migration.name)\n") }
      for item in drift { Output.write("\(style.bad("drift"))    \(printable(item.message))\n") }
      if !drift.isEmpty && !repair { Output.write("hint: `moha-sync migrate --repair` brings back what is safe to\n") }
      let place = schema.map { " (schema \($0))" } ?? ""
      if pending.isEmpty && drift.isEmpty {
        Output.write("\(style.good("up to date")) at migration \(version)\(place)\n")
      }
      let width = counts.map(\.0.count).max() ?? 0
      for (table, count) in counts { Output.write("\(padded(table, width))  \(count)\n") }
    }
    if differs { throw ExitCode(ExitStatus.differences.rawValue) }
  }
}
