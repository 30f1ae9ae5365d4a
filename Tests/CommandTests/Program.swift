internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// The executable `moha-sync`, as its users run it.
enum Program {
  /// That of this build, which lies beside the test bundle, which is this process; or the one that MOHA_TEST_PROGRAM
  /// names, such as that of a release build.
  static func path() throws -> String {
    if let named = getenv("MOHA_TEST_PROGRAM") { return String(cString: named) }
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    try #require(count > 0 && count < buffer.count)
    let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let slash = try #require(path.lastIndex(of: "/"))
    let program = "\(path[..<slash])/moha-sync"
    try #require(access(program, X_OK) == 0, "\(program) is not there")
    return program
  }

  /// Runs a program to its end without holding up the threads that tests run on.
  static func run(
    _ command: [String], environment: [String: String], folder: String, timeout: Duration = .seconds(60)
  ) async throws -> ChildProcess.Output {
    let program = try #require(command.first)
    return try await RunningProgram(
      program, Array(command.dropFirst()), environment: environment, workingDirectory: folder, timeout: timeout
    ).output()
  }
}

extension ChildProcess.Output {
  /// The one JSON document on stdout, which is one line.
  func json(sourceLocation: SourceLocation = #_sourceLocation) throws -> JSONValue {
    #expect(
      stdout.last == UInt8(ascii: "\n") && stdout.count { $0 == UInt8(ascii: "\n") } == 1,
      sourceLocation: sourceLocation)
    return try JSONValue.parse(stdout)
  }

  /// All that was printed.
  var everything: String { stdoutText + stderrText }

  var hasEscapeCode: Bool { (stdout + stderr).contains(0x1B) }
}
