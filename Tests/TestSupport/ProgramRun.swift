internal import Glibc

/// What a program printed, and how it ended.
package struct ProgramRun {
  package let output: [UInt8]
  package let errorOutput: [UInt8]
  package let status: Int32

  package var text: String { String(decoding: output, as: UTF8.self) }

  /// Runs a program to its end. `arguments` starts with the program's name, which is looked up in PATH.
  ///
  /// The environment is exactly `environment`. Throws `ProgramFailure` only if the program cannot be started.
  package static func run(
    _ arguments: [String], environment: [String: String], input: [UInt8] = []
  ) throws -> ProgramRun {
    let name = arguments[0]
    // Files, not pipes: a program that fills a pipe while its input is being written would wait for ever.
    let inputFile = try temporaryFile()
    let outputFile = try temporaryFile()
    let errorFile = try temporaryFile()
    defer { [inputFile, outputFile, errorFile].forEach { close($0) } }
    guard input.isEmpty || write(inputFile, input, input.count) == input.count, lseek(inputFile, 0, SEEK_SET) == 0
    else { throw ProgramFailure(arguments: arguments, message: "its input could not be written") }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inputFile, 0)
    posix_spawn_file_actions_adddup2(&actions, outputFile, 1)
    posix_spawn_file_actions_adddup2(&actions, errorFile, 2)

    var argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var environmentPointers: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { (argumentPointers + environmentPointers).forEach { free($0) } }
    var process = pid_t()
    let started = posix_spawnp(&process, name, &actions, nil, &argumentPointers, &environmentPointers)
    guard started == 0 else {
      throw ProgramFailure(arguments: arguments, message: String(cString: strerror(started)))
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    // Ended by a signal: the shell's convention.
    let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    return ProgramRun(output: contents(of: outputFile), errorOutput: contents(of: errorFile), status: code)
  }

  private static func temporaryFile() throws -> CInt {
    var template = Array("/tmp/moha-test-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0, fcntl(file, F_SETFD, FD_CLOEXEC) == 0 else {
      throw ProgramFailure(arguments: [], message: "no temporary file")
    }
    unlink(template)
    return file
  }

  private static func contents(of file: CInt) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    lseek(file, 0, SEEK_SET)
    while true {
      let count = read(file, &buffer, buffer.count)
      guard count > 0 else { return bytes }
      bytes.append(contentsOf: buffer[..<count])
    }
  }
}

/// A program that could not be started, or that ended with another status than zero.
package struct ProgramFailure: Error, CustomStringConvertible {
  package let arguments: [String]
  package let message: String

  package init(arguments: [String], message: String) {
    self.arguments = arguments
    self.message = message
  }

  package var description: String { "\(arguments.joined(separator: " ")): \(message)" }
}
