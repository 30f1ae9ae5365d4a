internal import SystemPackage

/// Making the cluster.
extension PostgresCluster {
  /// Makes the cluster unless there is one.
  ///
  /// `initdb` works under another name, and the finished cluster is renamed, so that a run that is killed leaves
  /// nothing half made. The caller holds the lock.
  ///
  /// - Throws: `initialisationFailed`, `damaged`, `fileSystem`.
  func initialise(with installation: PostgresInstallation) async throws(EmbeddedServersError) {
    try await removeUnfinished()
    if try isComplete() { return }
    // A name of its own: an initdb whose starter was killed may still be writing to another.
    let temporary = "\(layout.directory)/\(layout.unfinishedDataPrefix)\(FileSystem.randomSuffix())"
    do throws(EmbeddedServersError) {
      try await runInitdb(installation, into: temporary)
      try finish(temporary)
    } catch {
      try? await removeTree(temporary)
      throw error
    }
  }

  /// Whether the data folder holds a cluster.
  ///
  /// A folder that has neither a version nor a control file never was a cluster: it is set aside, not removed.
  private func isComplete() throws(EmbeddedServersError) -> Bool {
    let parts = try attempt("look at \(layout.data)") { () throws(Errno) in
      guard try FileSystem.attributes(of: layout.data) != nil else { return -1 }
      let hasVersion = try FileSystem.attributes(of: "\(layout.data)/PG_VERSION") != nil
      let hasControl = try FileSystem.attributes(of: "\(layout.data)/global/pg_control") != nil
      return (hasVersion ? 1 : 0) + (hasControl ? 1 : 0)
    }
    switch parts {
    case -1: return false
    case 0: break
    case 1: throw damage("PG_VERSION or global/pg_control is missing")
    default: return true
    }
    try attempt("set \(layout.data) aside") { () throws(Errno) in
      try FileSystem.rename(layout.data, to: "\(layout.data).unusable-\(FileSystem.randomSuffix())")
    }
    try log.append("set aside a data folder that was no cluster, beside \(layout.data)")
    return false
  }

  private func runInitdb(
    _ installation: PostgresInstallation, into temporary: String
  ) async throws(EmbeddedServersError) {
    // Messages stay English whatever the locale, for the log's readers and for `launch`.
    for locale in ["C.UTF-8", "C"] {
      let arguments = [
        "--pgdata=\(temporary)", "--username=\(endpoint.user)", "--auth=trust", "--encoding=UTF8",
        "--locale=\(locale)", "--lc-messages=C", "--data-checksums", "--no-instructions",
      ]
      let outcome = try await Command(program: installation.initdb, arguments: arguments, account: account).run()
      if outcome.isSuccess { return }
      // Some systems lack C.UTF-8, or spell it otherwise.
      if locale != "C", outcome.output.contains("invalid locale") {
        try await removeTree(temporary)
        continue
      }
      throw EmbeddedServersError(
        .initialisationFailed, "initdb could not make a cluster in \(layout.directory).",
        reason: "Nothing was left behind.", hint: "Check the free space and the rights of \(account.name) there.",
        logTail: outcome.output)
    }
  }

  /// Adds our settings to the new cluster and gives it its name.
  private func finish(_ temporary: String) throws(EmbeddedServersError) {
    try attempt("finish the new cluster in \(layout.directory)") { () throws(Errno) in
      try FileSystem.replace(
        "\(temporary)/\(PostgresConfiguration.fileName)", with: Array(configuration.text.utf8), owner: account)
      let main = try OpenFile(file: "\(temporary)/postgresql.conf", writing: true, appending: true)
      try main.write(Array(PostgresConfiguration.includeLine.utf8))
      try main.synchronise()
      try FileSystem.rename(temporary, to: layout.data)
      try OpenFile(directory: layout.directory).synchronise()
    }
  }

  /// Removes the folders of runs that were killed in `initdb`.
  ///
  /// The `initdb` of a killed run may still be at work in its folder for a while. Nobody else uses that folder, so what
  /// cannot be removed within seconds is left to the next start.
  private func removeUnfinished() async throws(EmbeddedServersError) {
    let names = try attempt("list \(layout.directory)") { () throws(Errno) in
      try FileSystem.names(in: layout.directory)
    }
    for name in names where name.utf8.starts(with: layout.unfinishedDataPrefix.utf8) {
      for attempt in 1...20 {
        do throws(EmbeddedServersError) {
          try await removeTree("\(layout.directory)/\(name)")
          break
        } catch {
          guard attempt < 20, (try? await Task.sleep(for: .milliseconds(100))) != nil else { break }
        }
      }
    }
  }

  /// Removes a folder with the rights of the servers' account, so that a link planted in it leads root nowhere.
  private func removeTree(_ path: String) async throws(EmbeddedServersError) {
    let outcome = try await Command(program: "/bin/rm", arguments: ["-rf", "--", path], account: account).run()
    guard outcome.isSuccess else {
      throw EmbeddedServersError(.fileSystem, "Could not remove \(path).", reason: outcome.output)
    }
  }
}
