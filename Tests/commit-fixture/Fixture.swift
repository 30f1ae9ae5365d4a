internal import Git
internal import Glibc

/// `commit-fixture REPOSITORY NAME COUNT [user]`: makes COUNT commits, each of one new file whose name holds NAME, and
/// prints each commit's id once it is acknowledged. With `user`, the user's configuration counts, too. A COUNT of 0 only
/// waits until it could commit. Why a commit is not signed that should be is on standard error.
///
/// Exit status: 0; 2 for wrong arguments; 1 after an error, which is on standard error.
@main
struct Fixture {
  static func main() async {
    let arguments = CommandLine.arguments
    guard arguments.count >= 4, let count = Int(arguments[3]) else { exit(2) }
    SharedPermissions.withholdWritingFromOthers()
    do {
      let repository = try Repository(
        at: arguments[1], configuration: arguments.dropFirst(4).first == "user" ? .user : .hermetic)
      if count == 0 { try await repository.waitUntilCommittable() }
      for number in 0..<count {
        let path = GitPath(".moha/maven/decisions/2026/01/14/\(arguments[2])_\(number).md")
        let content = CommitRequest.FileContent(Array("# \(arguments[2]) \(number)\n".utf8))
        let outcome = try await repository.commit(
          CommitRequest(changes: .files([path: content]), message: "maven: \(arguments[2]) \(number)"),
          lockWait: .seconds(5))
        guard case .committed(let id) = outcome.result else { continue }
        if case .unsigned(let reason) = outcome.signature {
          let text = Array("unsigned: \(reason)\n".utf8)
          _ = write(2, text, text.count)
        }
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
