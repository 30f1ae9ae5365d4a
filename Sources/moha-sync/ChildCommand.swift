import Persistence
import Subprocess
import SystemPackage

/// A program of the system that is run to its end, for a bounded time.
///
/// It gets a session of its own: there is no terminal on which it could ask for a password, and at the limit the whole
/// group of processes is ended, helpers included. `git push` leaves `ssh` behind otherwise.
struct ChildCommand: Sendable {
  enum Ending: Sendable {
    /// The exit code, 128 plus the signal's number for a killed one; standard output; standard error.
    case ended(Int32, output: [UInt8], errors: [UInt8])
    case late
    /// It could not be run: why.
    case failed(String)
  }

  let program: String
  let arguments: [String]
  let environment: [String: String]
  var folder = "/"
  var input: [UInt8] = []

  /// More than this of one stream is an error.
  private static let outputLimit = 4 << 20

  func run(limit: Duration) async -> Ending {
    let ending = await Deadline.run(limit, grace: .seconds(3)) { try await start() }
    switch ending {
    case .returned(let ending): return ending
    case .late: return .late
    case .threw(let error):
      let error = error as? SubprocessError
      return .failed(error?.code == .executableNotFound ? "\(program) was not found" : "\(program) could not be run")
    }
  }

  private func start() async throws -> Ending {
    var options = PlatformOptions()
    options.createSession = true
    options.teardownSequence = [
      .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .milliseconds(500))
    ]
    var variables: [Environment.Key: String] = [:]
    for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
    let executable: Executable = program.contains("/") ? .path(FilePath(program)) : .name(program)
    let result = try await Subprocess.run(
      executable, arguments: Arguments(arguments), environment: .custom(variables),
      workingDirectory: FilePath(folder), platformOptions: options, input: .array(input),
      output: .bytes(limit: ChildCommand.outputLimit), error: .bytes(limit: ChildCommand.outputLimit))
    // One that was ended at the limit has an exit code too, and it says nothing.
    try Task.checkCancellation()
    let status: Int32 =
      switch result.terminationStatus {
      case .exited(let code): code
      case .signaled(let signal): 128 + signal
      }
    return .ended(status, output: result.standardOutput, errors: result.standardError)
  }
}
