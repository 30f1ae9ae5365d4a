import EmbeddedServers
import Glibc
import Postgres

/// Where the programs run: a folder with the repository, and a private PostgreSQL with default durability.
struct Stage {
  let options: BenchmarkOptions
  /// The temporary folder that holds everything.
  let folder: String
  /// The repository: bare, or a working tree.
  var repository: String { "\(folder)/repository" }
  let endpoint: PostgresEndpoint
  /// The process whose waited-for children are the server's backends.
  let postmaster: Int32

  /// The database of the program under test, dropped before each of its runs.
  static let ours = "maven"
  /// The database of everything that is measured beside it.
  static let peers = "peers"

  /// Sets the stage, calls `body` and clears it away, whatever happens.
  static func withStage(_ options: BenchmarkOptions, _ body: (Stage) async throws -> Void) async throws {
    try await withServers { servers, folder in
      let endpoint = try await servers.startPostgres()
      guard case .running(let postmaster) = await servers.status().postgres else {
        throw BenchmarkError("the private server ended at once: \(servers.tailOfLog(lines: 20))")
      }
      let stage = Stage(options: options, folder: folder, endpoint: endpoint, postmaster: postmaster)
      try stage.makeRepository()
      try await body(stage)
    }
  }

  /// Lends private servers, none of them started, and the temporary folder that they and the caller use.
  static func withServers<Value>(_ body: (EmbeddedServers, _ folder: String) async throws -> Value) async throws
    -> Value
  {
    Interruption.install()
    var template = Array("/tmp/moha-benchmark-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw BenchmarkError("no temporary folder can be made") }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The account that root's servers run as passes through to its own folder.
    chmod(folder, 0o711)
    mkdir("\(folder)/repository", 0o755)
    let servers = EmbeddedServers(
      root: "\(folder)/repository",
      environment: ["MOHA_STATE_DIR": "\(folder)/state", "PATH": variable("PATH") ?? "/usr/bin:/bin"])
    let value: Value
    do {
      value = try await body(servers, folder)
    } catch {
      // Why the benchmark failed says more than why its folder is still there.
      try? await clear(servers, folder)
      throw error
    }
    try await clear(servers, folder)
    return value
  }

  /// Stops the servers, then removes the folder; it stays where a server cannot be stopped.
  private static func clear(_ servers: EmbeddedServers, _ folder: String) async throws {
    try await servers.stop()
    let words = ["rm", "-rf", "--one-file-system", "--", folder]
    let arguments = words.map { strdup($0) }
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    // Not a `Program`, which refuses to run after an interruption.
    guard posix_spawnp(&process, "rm", nil, nil, arguments + [nil], environ) == 0 else { return }
    var status: Int32 = 0
    while waitpid(process, &status, 0) == -1, errno == EINTR {}
  }

  private func makeRepository() throws {
    let stream = "\(folder)/stream"
    var generate = try program(
      "moha-generate",
      ["fast-import", String(options.records), options.layout.rawValue, "--events", String(options.events)])
    generate.output = stream
    try generate.run(scratch: folder)
    try git(["init", "--quiet", "--initial-branch=main"] + (options.checkout ? [] : ["--bare"]))
    try git(["fast-import", "--quiet"], input: stream)
    unlink(stream)
    try git(["repack", "-adq"])
    if options.checkout { try git(["reset", "--quiet", "--hard"]) }
  }

  private func git(_ arguments: [String], input: String = "/dev/null") throws {
    var program = external("git", ["-C", repository] + arguments)
    program.input = input
    try program.run(scratch: folder)
  }

  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }
}
