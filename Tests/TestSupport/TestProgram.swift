internal import Glibc

/// Programs that this build has made.
package enum TestProgram {
  /// The path of an executable target; it lies beside the test bundle, which is this process.
  package static func path(_ name: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0, count < buffer.count else {
      throw ChildProcess.Failure(operation: "finding the tests' own program", status: errno)
    }
    let own = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let program = (own.split(separator: "/", omittingEmptySubsequences: false).dropLast() + [Substring(name)])
      .joined(separator: "/")
    guard access(program, X_OK) == 0 else { throw ChildProcess.Failure(operation: program, status: errno) }
    return program
  }
}
