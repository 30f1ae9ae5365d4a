internal import Git
internal import Glibc

/// `commit-fixture REPOSITORY NAME COUNT`: makes COUNT commits, each of one new file whose name holds NAME, and prints
/// each commit's id once it is acknowledged.
///
/// Exit status: 0; 2 for wrong arguments; 1 after an error, which is on standard error.
@main
struct Fixture {
  static func main() async {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let count = Int(arguments[3]) else { exit(2) }
    do {
      let repository = try Repository(at: arguments[1], configuration: .hermetic)
      for number in 0..<count {
        let path = GitPath(".moha/maven/decisions/2026/01/14/\(arguments[2])_\(number).md")
        let content = CommitRequest.FileContent(Array("# \(arguments[2]) \(number)\n".utf8))
        let outcome = try await repository.commit(
          CommitRequest(changes: .files([path: content]), message: "maven: \(arguments[2]) \(number)"),
          lockWait: .seconds(5))
        guard case .committed(let id) = outcome.result else { continue }
        // One write for a line, so that a killed process leaves no part of one.
        let line = Array("\(id)\n".utf8)
        guard write(1, line, line.count) == line.count else { exit(1) }
      }
    } catch {
      let text = Array("\(error)\n".utf8)
      _ = write(2, text, text.count)
      exit(1)
    }
  }
}
