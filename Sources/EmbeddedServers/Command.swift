internal import Subprocess
internal import SystemPackage

/// One run of a server's own program (`initdb`, `pg_ctl`, `redis-server`) to its end.
///
/// The program gets no standard input and a fixed environment: variables such as `PGDATA` or `PGOPTIONS` must
/// not reach a private server. What it prints is collected. It inherits no other descriptor, and a server that
/// it leaves behind holds none of ours, so that `$(moha-sync up)` in a shell ends.
///
/// `setpriv` changes the user, not a child of ours between fork and exec: glibc's `setuid` takes a lock there that
/// another thread may have held at the fork, and such a child waits for ever, with our lock on the state folder.
struct Command: Sendable {
  let program: String
  let arguments: [String]
  let account: ServerAccount
  var workingDirectory = "/"

  /// Part of util-linux, which every Debian has.
  private static let setpriv = "/usr/bin/setpriv"

  struct Outcome: Sendable {
    let isSuccess: Bool
    /// Standard output and standard error as they came, without surrounding white space.
    let output: String
  }

  /// - Throws: `startFailed` when the program could not be run, `notInstalled` for `setpriv`, `cancelled`.
  func run() async throws(EmbeddedServersError) -> Outcome {
    var options = PlatformOptions()
    // A control-C in the terminal is for the caller; it must not reach a half-started server.
    options.createSession = true
    var words = [program] + arguments
    if account.isOther {
      guard FileSystem.attributesFollowingLinks(of: Command.setpriv) != nil else {
        throw .notInstalled("setpriv", hint: "apt-get install util-linux")
      }
      words = [Command.setpriv, "--reuid=\(account.uid)", "--regid=\(account.gid)", "--clear-groups", "--"] + words
    }
    let environment: [Environment.Key: String] = [
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "LC_ALL": "C", "TZ": "UTC", "HOME": "/",
    ]
    do {
      let result = try await Subprocess.run(
        .path(FilePath(words[0])), arguments: Arguments(Array(words.dropFirst())),
        environment: .custom(environment), workingDirectory: FilePath(workingDirectory),
        platformOptions: options, input: .none, output: .bytes(limit: 1 << 20), error: .combinedWithOutput)
      let text = String(decoding: result.standardOutput, as: UTF8.self)
      return Outcome(isSuccess: result.terminationStatus.isSuccess, output: trimmed(text))
    } catch is CancellationError {
      throw EmbeddedServersError(.cancelled, "Cancelled while running \(program).")
    } catch {
      throw EmbeddedServersError(
        .startFailed, "Could not run \(program) as \(account.name).", reason: "\(error)")
    }
  }
}

/// `text` without white space at its ends.
func trimmed(_ text: String) -> String {
  let tail = text.drop(while: \.isWhitespace)
  guard let last = tail.lastIndex(where: { !$0.isWhitespace }) else { return "" }
  return String(tail[...last])
}
