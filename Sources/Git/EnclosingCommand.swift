internal import Glibc

/// The git command whose hook this process is, if it is one: somebody is in the middle of a commit or a push.
///
/// A commit of ours would move HEAD under that command, which then fails, or would add to what a push has not accepted
/// yet. Nothing else that git sets for its hooks has a say here: where objects, working tree and index are is what the
/// repository says, since the library is not told to look at `GIT_DIR` and the like.
struct EnclosingCommand: Hashable {
  /// The variable that git sets for hooks of this kind.
  let variable: String

  private init(_ variable: String) {
    self.variable = variable
  }

  /// Nil if there is none. `environment` gives the value of a variable, nil if it is not set.
  init?(in environment: (String) -> String?) {
    // The index of a commit that is being made; objects of a push that may be thrown away.
    let found = ["GIT_INDEX_FILE", "GIT_QUARANTINE_PATH"].first { environment($0)?.isEmpty == false }
    guard let found else { return nil }
    self.init(found)
  }

  /// Throws `.locked` if this process runs inside of a git command.
  static func expectNone() throws(GitError) {
    guard let command = EnclosingCommand(in: { name in unsafe getenv(name).map { unsafe String(cString: $0) } }) else {
      return
    }
    throw GitError(
      .locked, operation: "commit",
      message: "this runs inside another git command, as a hook does (\(command.variable) is set); nothing was written. "
        + "Run it when that command has ended; where none is running, run it with: env -u \(command.variable)")
  }
}
