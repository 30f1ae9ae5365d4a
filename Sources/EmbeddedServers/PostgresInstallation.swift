/// The programs of one version of Postgres on this machine.
struct PostgresInstallation: Hashable, Sendable {
  /// The folder of `initdb`, `pg_ctl` and `postgres`.
  let directory: String
  let major: Int

  /// The version that the project is built and tested with, and the oldest that it takes.
  static let preferredMajor = 15
  static let installHint = "apt-get install postgresql-15"

  var initdb: String { "\(directory)/initdb" }
  var control: String { "\(directory)/pg_ctl" }

  /// The installation for a cluster of that major version, or the best for a new cluster when nil: 15, else the
  /// next newer one.
  ///
  /// - Throws: `notInstalled`, `versionMismatch`.
  static func find(
    major: Int?, environment: [String: String], account: ServerAccount, cluster: String
  ) async throws(EmbeddedServersError) -> PostgresInstallation {
    var found: [PostgresInstallation] = []
    for directory in directories(environment: environment) {
      guard let version = await version(in: directory, account: account) else { continue }
      let installation = PostgresInstallation(directory: directory, major: version)
      if version == major ?? preferredMajor { return installation }
      found.append(installation)
    }
    if let major {
      guard !found.isEmpty else {
        throw .notInstalled("Postgres \(major)", hint: "apt-get install postgresql-\(major)")
      }
      let installed = Set(found.map(\.major)).sorted().map(String.init).joined(separator: ", ")
      throw EmbeddedServersError(
        .versionMismatch, "The cluster in \(cluster) was made by Postgres \(major); installed: \(installed).",
        reason: "A server reads only the files of its own major version. Nothing was changed.",
        hint: "Install postgresql-\(major) again. Or move the folder away: the next start makes a new cluster, "
          + "and the records are restored from git.")
    }
    let usable = found.filter { $0.major >= preferredMajor }
    guard let best = usable.min(by: { $0.major < $1.major }) else {
      throw .notInstalled("Postgres \(preferredMajor) or newer", hint: installHint)
    }
    return best
  }

  /// The folders that can hold an installation, the preferred version's first. Debian keeps each version's
  /// programs outside `PATH`.
  private static func directories(environment: [String: String]) -> [String] {
    let debian = "/usr/lib/postgresql"
    let versions = ((try? FileSystem.names(in: debian)) ?? []).compactMap(Int.init).sorted { left, right in
      (left == preferredMajor ? 0 : 1, left) < (right == preferredMajor ? 0 : 1, right)
    }
    let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    let folders = path.split(separator: ":").map(String.init).filter { $0.utf8.first == UInt8(ascii: "/") }
    var seen: Set<String> = []
    return (versions.map { "\(debian)/\($0)/bin" } + folders + ["/usr/local/pgsql/bin"]).filter { folder in
      seen.insert(folder).inserted
        && ["initdb", "pg_ctl", "postgres"].allSatisfy {
          FileSystem.attributesFollowingLinks(of: "\(folder)/\($0)")?.kind == .file
        }
    }
  }

  /// The major version of the programs in a folder, as they state it themselves.
  private static func version(in directory: String, account: ServerAccount) async -> Int? {
    let command = Command(program: "\(directory)/postgres", arguments: ["--version"], account: account)
    guard let outcome = try? await command.run(), outcome.isSuccess else { return nil }
    return major(inVersion: outcome.output)
  }

  /// 15, from `postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)` or `… 17beta1`.
  static func major(inVersion text: String) -> Int? {
    guard let word = text.split(separator: " ").first(where: { $0.first?.isNumber ?? false }) else { return nil }
    return Int(word.prefix { $0.isNumber })
  }
}
