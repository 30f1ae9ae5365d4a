import EmbeddedServers
import Glibc

/// The programs that run on the stage, each with an environment that holds no settings of this machine's user.
extension Stage {
  /// A program of this package, which lies beside this one.
  func program(_ name: String, _ arguments: [String]) throws -> Program {
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &buffer, buffer.count)
    guard length > 0 else { throw BenchmarkError("the place of this program is not known") }
    let own = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = own.lastIndex(of: "/") else { throw BenchmarkError("\(own) is no path") }
    let path = own[..<slash] + "/" + name
    guard access(path, X_OK) == 0 else {
      throw BenchmarkError("\(path) is missing: swift build -c release --product \(name)")
    }
    return external(path, arguments)
  }

  /// Any other program. libpq finds the peers' database in its environment.
  func external(_ name: String, _ arguments: [String]) -> Program {
    Program(
      name: name, arguments: arguments,
      environment: [
        "PATH": Self.variable("PATH") ?? "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8", "TZ": "UTC",
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
        "PGHOST": endpoint.socketDirectory, "PGPORT": String(endpoint.port), "PGUSER": endpoint.user,
        "PGDATABASE": Self.peers,
      ])
  }

  /// Runs SQL and psql's own commands in one transaction, with `input` as the rows of `\copy … from pstdin`.
  func psql(_ script: String, input: String = "/dev/null") throws -> Program {
    let file = "\(folder)/script.sql"
    try TextFile.write(script, to: file)
    var program = external("psql", ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", file])
    program.input = input
    return program
  }
}
