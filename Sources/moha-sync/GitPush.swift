import Git
import Persistence
import Records

/// Pushes the branch of HEAD, and nothing else, to a configured remote.
///
/// The git command line does it, since it knows the user's credentials. It runs no hook and no remote helper that runs
/// commands, asks nobody, never forces, and ends at the limit with everything that it started. Whatever becomes of it, the
/// commit stands, and the next push takes it along.
struct GitPush: Sendable {
  enum Status: String, Sendable {
    case pushed
    case upToDate = "up-to-date"
    /// There is nothing that could be pushed now.
    case skipped
    case failed
    case timedOut = "timed-out"
  }

  struct Outcome: Sendable {
    let status: Status
    let remote: String?
    let branch: String?
    /// Why, on one line, without the credentials of any URL; empty when all is well.
    let detail: String

    var isTrouble: Bool { status == .failed || status == .timedOut }

    var json: JSONValue {
      .object([
        .init("status", .string(status.rawValue)), .init("remote", remote.map { .string($0) } ?? .null),
        .init("branch", branch.map { .string($0) } ?? .null), .init("detail", .string(detail)),
      ])
    }

    /// For standard error.
    var warning: String {
      "the push\(remote.map { " to \($0)" } ?? "") \(status == .timedOut ? "did not end in time" : "failed"): \(detail). "
        + "The commit stands; the next push takes it along"
    }
  }

  let repository: Repository
  let environment: [String: String]
  /// Nil for the one that git's configuration names for the branch.
  let remote: String?
  var limit = Duration.seconds(30)

  func run() async -> Outcome {
    guard let head = try? await repository.head(), case .commit(_, let reference?) = head,
      reference.hasPrefix("refs/heads/")
    else { return Outcome(status: .skipped, remote: remote, branch: nil, detail: "HEAD is on no branch with a commit") }
    let branch = String(reference.dropFirst("refs/heads/".count))
    func end(_ status: Status, _ remote: String?, _ detail: String) -> Outcome {
      Outcome(status: status, remote: remote, branch: branch, detail: detail)
    }
    let configuration: [String: String]
    switch await git(["config", "--null", "--get-regexp", "^(remote|branch|core\\.sshcommand)"], limit: .seconds(5)) {
    case .ended(let status, let output, _) where status <= 1: configuration = GitPush.configuration(output)
    case .ended(_, _, let errors): return end(.failed, remote, GitPush.reason(errors))
    case .failed(let reason): return end(.failed, remote, reason)
    case .late: return end(.timedOut, remote, "git config did not answer")
    }
    let candidates = [
      configuration["branch.\(branch).pushremote"], configuration["remote.pushdefault"],
      configuration["branch.\(branch).remote"],
    ]
    let name = remote ?? candidates.compactMap { $0 }.first ?? "origin"
    guard !name.hasPrefix("-"),
      configuration["remote.\(name).url"] != nil || configuration["remote.\(name).pushurl"] != nil
    else {
      return end(.failed, nil, "there is no remote \(printable(redacted(name))) in git's configuration")
    }
    var target = reference
    if configuration["branch.\(branch).remote"] == name, let upstream = configuration["branch.\(branch).merge"],
      upstream.hasPrefix("refs/heads/")
    {
      target = upstream
    }
    var arguments = ["-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never"]
    if environment["GIT_SSH_COMMAND"] == nil, environment["GIT_SSH"] == nil, configuration["core.sshcommand"] == nil {
      // A master connection that outlives the push would keep our pipe open.
      arguments += ["-c", "core.sshCommand=ssh -oBatchMode=yes -oConnectTimeout=10 -oControlMaster=no"]
    }
    arguments += [
      "push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no", "--",
      name, "\(reference):\(target)",
    ]
    switch await git(arguments, limit: limit) {
    case .ended(0, let output, _):
      let isUnchanged = output.split(separator: 0x0A).contains { $0.starts(with: Array("=\t".utf8)) }
      return end(isUnchanged ? .upToDate : .pushed, name, "")
    case .ended(_, let output, let errors):
      let rejected = output.split(separator: 0x0A).filter { $0.starts(with: Array("!\t".utf8)) }
      return end(.failed, name, GitPush.reason(Array(rejected.joined(separator: [0x0A])) + [0x0A] + errors))
    case .failed(let reason): return end(.failed, name, reason)
    case .late: return end(.timedOut, name, "it was ended after \(limit.components.seconds) s")
    }
  }

  private func git(_ arguments: [String], limit: Duration) async -> ChildCommand.Ending {
    // What names another repository, index or set of objects than the one that was committed to has to go.
    let kept = ["GIT_SSH", "GIT_ASKPASS", "GIT_CONFIG", "GIT_PROXY", "GIT_HTTP", "GIT_SSL", "GIT_CURL"]
    var variables = environment.filter { variable in
      !variable.key.hasPrefix("GIT_") || kept.contains { variable.key.hasPrefix($0) }
    }
    variables["GIT_TERMINAL_PROMPT"] = "0"
    variables["GIT_DIR"] = repository.gitDirectory
    variables["LC_ALL"] = "C.UTF-8"
    return await ChildCommand(
      program: "git", arguments: arguments, environment: variables,
      folder: repository.workTree ?? repository.gitDirectory
    ).run(limit: limit)
  }

  /// `key LF value NUL …`, the last value of each key. The first and last parts of a key are in lower case.
  private static func configuration(_ output: [UInt8]) -> [String: String] {
    var values: [String: String] = [:]
    for item in output.split(separator: 0) {
      let parts = item.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
      values[String(decoding: parts[0], as: UTF8.self)] =
        parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""
    }
    return values
  }

  /// The last lines of what git said, on one line.
  private static func reason(_ errors: [UInt8]) -> String {
    let lines = String(decoding: errors, as: UTF8.self).split(whereSeparator: \.isNewline)
      .filter { !$0.allSatisfy(\.isWhitespace) && !$0.hasPrefix("hint:") }
    let text = lines.suffix(4).joined(separator: "; ")
    let line = printable(redacted(text))
    return line.isEmpty ? "git gave no reason" : line.count > 400 ? "\(line.prefix(400))…" : line
  }
}

/// `text` with the credentials and the query of every URL in it taken out.
func redacted(_ text: String) -> String {
  var result = ""
  var rest = text[...]
  while let mark = rest.firstRange(of: "://") {
    result += rest[..<mark.upperBound]
    rest = rest[mark.upperBound...]
    let end = rest.firstIndex { $0.isWhitespace || $0 == "'" || $0 == "\"" } ?? rest.endIndex
    var location = rest[..<end]
    rest = rest[end...]
    // A password may hold a slash or an @ that nobody encoded: the last @ ends it.
    if let at = location.lastIndex(of: "@") {
      result += "***"
      location = location[at...]
    }
    if let query = location.firstIndex(of: "?") {
      result += location[...query] + "***"
    } else {
      result += location
    }
  }
  return result + rest
}
