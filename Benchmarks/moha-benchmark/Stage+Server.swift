import EmbeddedServers
import Glibc
import Postgres

/// The private server and its databases.
extension Stage {
  func settings(database: String) throws -> ConnectionSettings {
    try ConnectionSettings(conninfo: endpoint.maintenanceURL).with(database: database)
  }

  func url(database: String) throws -> String {
    try settings(database: database).redactedURL
  }

  /// Runs statements outside of a transaction, one by one.
  func execute(_ statements: String..., database: String = "postgres") async throws {
    let connection = try await Connection(settings(database: database))
    for statement in statements { try await connection.execute(statement) }
    await connection.close()
  }

  func query(_ sql: String, database: String) async throws -> [Row] {
    let connection = try await Connection(settings(database: database))
    let rows = try await connection.query(sql)
    await connection.close()
    return rows
  }

  /// Fails unless the table holds as many rows as there are decisions: a run that lost some measures nothing.
  func checkCount(of table: String, database: String) async throws {
    let count = try await query("SELECT count(*) FROM \(table)", database: database).first?.int(0) ?? 0
    guard count == options.records else {
      throw BenchmarkError("\(table) holds \(count) rows instead of \(options.records)")
    }
  }

  /// The CPU time of all of the server's processes that have ended, in steps of 10 ms.
  ///
  /// Waits until every backend of a client is gone, and the postmaster has waited for it: only then does the kernel
  /// count it. Autovacuum workers that ended in between count too.
  func serverTime() async throws -> Duration {
    while hasBackend {
      try Interruption.check()
      try await Task.sleep(for: .milliseconds(10))
    }
    // The name in parentheses may hold spaces; the 14th and 15th fields behind it are the children's times.
    let fields =
      TextFile.contents(of: "/proc/\(postmaster)/stat").split(separator: ")").last?.split(separator: " ") ?? []
    let ticks = [13, 14].compactMap { $0 < fields.count ? Int(fields[$0]) : nil }.reduce(0, +)
    return .milliseconds(ticks * 1_000 / max(1, Int(sysconf(Int32(_SC_CLK_TCK)))))
  }

  /// Whether a backend of a client runs, or any process of the server is ending, which has no command line any more.
  private var hasBackend: Bool {
    let children = TextFile.contents(of: "/proc/\(postmaster)/task/\(postmaster)/children").split(separator: " ")
    return children.contains { child in
      let title = TextFile.contents(of: "/proc/\(child)/cmdline")
      return title.isEmpty || title.contains("[local]") || title.contains("parallel worker")
    }
  }
}
