internal import Glibc

/// A git repository in a temporary folder, made with the git command line. Removed with the value.
///
/// Hermetic: no configuration of the machine or the user counts, and author, committer and dates are fixed, so the
/// same steps give the same ids on every machine.
package final class GitScratch {
  /// A folder of this test alone, above the repository; for clones and linked working trees.
  package let base: String
  /// The working tree, or the folder of a bare repository.
  package let path: String
  /// Added to the environment of every git command.
  package var environment: [String: String]
  /// Seconds since 1970 of the next commit that is given no date; each one moves it by a minute.
  package var clock: Int64 = 1_700_000_000

  /// Runs `git init` with these arguments. `isInitialized` false leaves the folder empty.
  package init(_ arguments: String..., isInitialized: Bool = true) throws {
    var template = Array("/tmp/moha-git-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw ChildProcess.Failure(operation: "mkdtemp", status: errno)
    }
    base = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    path = base + "/repository"
    environment = [
      "PATH": getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin", "HOME": base, "LC_ALL": "C.UTF-8",
      "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
      "GIT_AUTHOR_NAME": "Test Author", "GIT_AUTHOR_EMAIL": "author@example.org",
      "GIT_COMMITTER_NAME": "Test Committer", "GIT_COMMITTER_EMAIL": "committer@example.org",
    ]
    mkdir(path, 0o755)
    if isInitialized { try git(["init", "--quiet", "--initial-branch=main"] + arguments) }
  }

  deinit {
    _ = try? ChildProcess.run("rm", ["-rf", "--one-file-system", base])
  }

  /// Runs git in the repository and returns what it printed, without the last newline. Throws if it fails.
  @discardableResult
  package func git(_ arguments: String...) throws -> String {
    try git(arguments)
  }

  @discardableResult
  package func git(_ arguments: [String], input: [UInt8] = []) throws -> String {
    var output = try gitBytes(arguments, input: input)
    if output.last == UInt8(ascii: "\n") { output.removeLast() }
    return String(decoding: output, as: UTF8.self)
  }

  /// The same, with the bytes exactly as printed.
  package func gitBytes(_ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
    let run = try ChildProcess.run("git", ["-C", path] + arguments, environment: environment, input: input)
    guard run.status == 0 else {
      throw ChildProcess.Failure(
        operation: "git \(arguments.joined(separator: " "))", status: run.status, output: run.stderrText)
    }
    return run.stdout
  }

  /// Writes a file below the repository, with its folders. An existing file is written in place.
  package func write(_ file: String, _ contents: String) throws {
    try write(Array(file.utf8), Array(contents.utf8))
  }

  /// The same for names that need not be UTF-8.
  package func write(_ file: [UInt8], _ contents: [UInt8]) throws {
    let separator = UInt8(ascii: "/")
    var position = file.startIndex
    while let slash = file[position...].firstIndex(of: separator) {
      mkdir(cString(Array(file[..<slash])), 0o755)
      position = slash + 1
    }
    let descriptor = open(cString(file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure("open", file) }
    defer { close(descriptor) }
    var written = 0
    while written < contents.count {
      let count = contents[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw failure("write", file) }
      written += count
    }
  }

  package func remove(_ file: String) throws {
    guard unlink(cString(Array(file.utf8))) == 0 else { throw failure("unlink", Array(file.utf8)) }
  }

  /// Stages everything and commits it, also when nothing changed. Returns the commit's id in hexadecimal.
  ///
  /// `date` is in seconds since 1970; nil takes the scratch's own clock.
  @discardableResult
  package func commit(_ message: String, date: Int64? = nil) throws -> String {
    try git("add", "--all", "--force")
    return try commitStaged(message, date: date)
  }

  /// Commits what is staged.
  @discardableResult
  package func commitStaged(_ message: String, date: Int64? = nil) throws -> String {
    setDate(date)
    try git("commit", "--quiet", "--allow-empty", "--no-verify", "-m", message)
    return try git("rev-parse", "HEAD")
  }

  /// Fixes the dates of the commits that git makes from now on, for merges and the like.
  package func setDate(_ date: Int64? = nil) {
    let seconds = date ?? clock
    if date == nil { clock += 60 }
    environment["GIT_AUTHOR_DATE"] = "\(seconds) +0130"
    environment["GIT_COMMITTER_DATE"] = "\(seconds) +0000"
  }

  /// The absolute path of a file of the repository.
  package func absolute(_ file: String) -> String { "\(path)/\(file)" }

  private func cString(_ file: [UInt8]) -> [CChar] {
    (Array(path.utf8) + [UInt8(ascii: "/")] + file + [0]).map { CChar(bitPattern: $0) }
  }

  private func failure(_ call: String, _ file: [UInt8]) -> ChildProcess.Failure {
    ChildProcess.Failure(operation: "\(call) \(String(decoding: file, as: UTF8.self))", status: errno)
  }
}
