import Glibc
import Subprocess
import SystemPackage
import Testing

@testable import EmbeddedServers

/// A temporary folder with a repository's folder and a place for the state, and the servers of both.
struct ServerFixture: Sendable {
  /// A folder of this test alone, which every user may pass through.
  let folder: String
  let servers: EmbeddedServers

  var root: String { "\(folder)/repository" }
  var state: String { servers.stateDirectory }
  var environment: [String: String] { ["MOHA_STATE_DIR": state, "PATH": "/usr/bin:/bin"] }

  static var isRoot: Bool { geteuid() == 0 }
}

/// Runs `body` with fresh servers' names; whatever it started is stopped and removed, also when it throws.
///
/// - Parameter stateName: the state folder below the test's folder.
func withServers<Result>(
  stateName: String = "state", _ body: (ServerFixture) async throws -> Result
) async throws -> Result {
  try await withFolder { folder in
    let root = "\(folder)/repository"
    #expect(mkdir(root, 0o755) == 0)
    let servers = EmbeddedServers(root: root, environment: ["MOHA_STATE_DIR": "\(folder)/\(stateName)"])
    let fixture = ServerFixture(folder: folder, servers: servers)
    do {
      let result = try await body(fixture)
      try await servers.stop()
      return result
    } catch {
      try? await servers.stop()
      throw error
    }
  }
}

/// Runs `body` with a new folder below `/tmp`, mode 0755, and removes it with all that is in it.
func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  // Short, so that the sockets fit: the build's own temporary folder can be deep.
  let folder = "/tmp/moha-test-\(String(UInt32.random(in: 0...UInt32.max), radix: 36))"
  try #require(mkdir(folder, 0o755) == 0)
  do {
    let result = try await body(folder)
    _ = try await run("/bin/rm", ["-rf", folder])
    return result
  } catch {
    _ = try? await run("/bin/rm", ["-rf", folder])
    throw error
  }
}

/// Runs a program to the end and returns whether it succeeded and what it printed on both streams.
@discardableResult
func run(
  _ program: String, _ arguments: [String], environment: [String: String] = [:], uid: UInt32? = nil
) async throws -> (isSuccess: Bool, output: String) {
  var words = [program] + arguments
  if let uid { words = ["/usr/bin/setpriv", "--reuid=\(uid)", "--regid=\(uid)", "--clear-groups", "--"] + words }
  var all: [Environment.Key: String] = ["PATH": "/usr/bin:/bin"]
  for (name, value) in environment {
    if let key = Environment.Key(rawValue: name) { all[key] = value }
  }
  let result = try await Subprocess.run(
    .path(FilePath(words[0])), arguments: Arguments(Array(words.dropFirst())), environment: .custom(all),
    workingDirectory: "/", output: .string(limit: 1 << 20), error: .combinedWithOutput)
  return (result.terminationStatus.isSuccess, result.standardOutput)
}

/// The rows of a query, as psql prints them unaligned.
func query(_ sql: String, _ endpoint: PostgresEndpoint) async throws -> String {
  let answer = try await run("/usr/bin/psql", ["-XAtq", "-c", sql, endpoint.maintenanceURL])
  try #require(answer.isSuccess, "\(answer.output)")
  return String(answer.output.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
}

/// The program beside the test bundle that starts and stops servers as a process of its own.
func fixtureProgram() throws -> String {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
  try #require(count > 0)
  let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  let slash = try #require(path.lastIndex(of: "/"))
  return "\(path[..<slash])/embedded-fixture"
}

func write(_ text: String, to path: String) throws {
  let file = try FileDescriptor.open(
    FilePath(path), .writeOnly, options: [.create, .truncate], permissions: FilePermissions(rawValue: 0o600))
  try file.closeAfter { _ = try file.writeAll(text.utf8) }
}

func read(_ path: String) throws -> String {
  let file = try FileDescriptor.open(FilePath(path), .readOnly)
  return try file.closeAfter {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}

/// Whether a process still runs. A zombie, which waits for its parent only, does not.
func isAlive(_ pid: Int32) -> Bool { Process(pid: pid) != nil }

extension ServerState {
  var pid: Int32? {
    if case .running(let pid) = self { return pid }
    return nil
  }
}
