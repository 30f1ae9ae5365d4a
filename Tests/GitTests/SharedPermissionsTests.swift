internal import Glibc
internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("Permissions in a repository that is shared, or not")
struct SharedPermissionsTests {
  private static let masks: [String] = ["000", "002", "022", "027", "077"]
  private static let settings: [String?] = [nil, "group", "all", "0640"]

  /// Runs a shell command with a umask, in the repository.
  @discardableResult
  private func run(_ command: String, umask mask: String, _ scratch: GitScratch) throws -> String {
    try ChildProcess.runChecked(
      "sh", ["-c", "umask \(mask); \(command)"], environment: scratch.environment, workingDirectory: scratch.base
    ).stdoutText
  }

  private func make(_ value: String?, umask mask: String, _ prepare: String) throws -> GitScratch {
    let scratch = try GitScratch(isInitialized: false)
    try run("git init -q -b main repository", umask: mask, scratch)
    if let value { try scratch.git("config", "core.sharedRepository", value) }
    try run("cd repository; \(prepare)", umask: mask, scratch)
    return scratch
  }

  /// The git folder but for our own: the permissions of what has a name that is the same in every commit, and those that
  /// objects and their folders have.
  private func listing(_ folder: String, _ scratch: GitScratch) throws -> Set<String> {
    let lines = try run("cd \(folder)/.git; find . -printf '%y %m %P\\n'", umask: "022", scratch)
    return Set(
      lines.split(separator: "\n").map(String.init).compactMap { line in
        let path = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)[2]
        if path.hasPrefix("moha-sync") || path.hasPrefix("hooks") || path == "COMMIT_EDITMSG" { return nil }
        let parts = path.split(separator: "/")
        guard parts.count > 1, parts[0] == "objects", parts[1].utf8.count == 2 else { return line }
        return String(line.dropLast(path.utf8.count)) + (parts.count == 2 ? "objects/x" : "objects/x/x")
      })
  }

  /// Makes the same commit with git and with the fixture, and returns what each leaves.
  private func compare(
    _ value: String?, umask mask: String, _ prepare: String
  ) throws -> (git: Set<String>, ours: Set<String>, scratch: GitScratch) {
    // What git makes for everybody to write, this program does not.
    let narrowed = mask == "000" ? "002" : mask
    let scratch = try make(value, umask: narrowed, prepare)
    try run("cp -a repository git", umask: "000", scratch)
    let path = ".moha/maven/decisions/2026/01/14"
    try run(
      "cd git; mkdir -p \(path); echo '# x 0' >\(path)/x_0.md; git add .moha; git commit -qm x", umask: narrowed,
      scratch)
    try run("\(TestProgram.path("commit-fixture")) repository x 1", umask: mask, scratch)
    return (try listing("git", scratch), try listing("repository", scratch), scratch)
  }

  private func expectEqual(_ ours: Set<String>, _ git: Set<String>, _ location: SourceLocation = #_sourceLocation) {
    #expect(ours.subtracting(git) == [], sourceLocation: location)
    #expect(git.subtracting(ours) == [], sourceLocation: location)
  }

  @Test("a commit leaves the permissions that git's own would leave", arguments: masks, settings)
  func beside(mask: String, value: String?) throws {
    let found = try compare(value, umask: mask, "echo a >a; git add a; git commit -qm first")
    expectEqual(found.ours, found.git)
    try found.scratch.expectSound()
    #expect(try run("find repository/.git -perm -o+w", umask: "022", found.scratch) == "")
  }

  @Test("the other spellings of the setting do the same", arguments: ["true", "world", "0660", "false"])
  func spellings(value: String) throws {
    let found = try compare(value, umask: "077", "echo a >a; git add a; git commit -qm first")
    expectEqual(found.ours, found.git)
  }

  @Test(
    "so does a first commit, with the folders of its branch and of the logs", arguments: masks,
    settings)
  func first(mask: String, value: String?) throws {
    let found = try compare(value, umask: mask, "git symbolic-ref HEAD refs/heads/feature/deep/x")
    expectEqual(found.ours, found.git)
    #expect(found.ours.contains { $0.hasSuffix("logs/refs/heads/feature/deep") })
  }

  @Test(
    "our own files are for their owner, or for those who share the repository",
    arguments: [
      (nil, "700", "600"), ("group", "2770", "660"), ("all", "2775", "664"), ("0640", "2750", "640"),
      ("0600", "700", "600"), ("umask", "700", "600"),
    ] as [(String?, String, String)])
  func state(value: String?, folder: String, file: String) throws {
    let scratch = try make(value, umask: "077", "echo a >a; git add a; git commit -qm first")
    try run("\(TestProgram.path("commit-fixture")) repository x 1", umask: "077", scratch)
    let modes = try run("stat -c %a repository/.git/moha-sync repository/.git/moha-sync/writer", umask: "022", scratch)
    #expect(modes == "\(folder)\n\(file)\n")
  }

  @Test("two users of a group take turns, whatever their umasks", .enabled(if: geteuid() == 0))
  func colleagues() throws {
    let scratch = try make("group", umask: "022", "echo a >a; git add a; git commit -qm first")
    chmod(scratch.base, 0o755)
    // Any numbers will do that nobody has.
    let users = [61_234, 61_235]
    try run(
      """
      chgrp -R 61999 repository; chmod -R g+rwX repository; find repository -type d -exec chmod g+s {} +
      printf '[safe]\\n\\tdirectory = %s\\n' "$PWD/repository" >.gitconfig
      """, umask: "022", scratch)
    scratch.environment["GIT_CONFIG_GLOBAL"] = nil
    for round in 0..<3 {
      for user in users {
        let become = "setpriv --reuid=\(user) --regid=\(user) --groups=61999"
        let id = try run(
          "\(become) \(TestProgram.path("commit-fixture")) repository r\(round)-\(user) 1 user", umask: "077", scratch)
        #expect(try id == scratch.git("rev-parse", "HEAD") + "\n")
        // The other one reads all of it with git.
        let other = users[0] == user ? users[1] : users[0]
        try run(
          "cd repository; setpriv --reuid=\(other) --regid=\(other) --groups=61999 git fsck --full --strict",
          umask: "022", scratch)
      }
    }
    #expect(try scratch.git("rev-list", "--count", "HEAD") == "7")
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
  }

  @Test("a value means what it means to git")
  func values() {
    func mode(_ value: String?, _ mode: UInt32 = 0o600, isFolder: Bool = false) -> String {
      String(SharedPermissions(configured: value).mode(mode, isFolder: isFolder), radix: 8)
    }
    for value in [nil, "group", "true", "yes", "on", "1", "01", "8"] { #expect(mode(value) == "660") }
    for value in ["all", "world", "everybody", "2"] { #expect(mode(value) == "664") }
    for value in ["umask", "false", "no", "0", "", "nonsense", "0400"] { #expect(mode(value) == "600") }
    #expect(mode("0640") == "640")
    #expect(mode("0777") == "666")
    #expect(mode("group", 0o444) == "444")
    #expect(mode("group", 0o400) == "440")
    #expect(mode("all", 0o400) == "444")
    #expect(mode("0640", 0o444) == "440")
    #expect(mode("group", 0o700, isFolder: true) == "2770")
    #expect(mode("all", 0o755, isFolder: true) == "2775")
    #expect(mode("0640", 0o777, isFolder: true) == "2750")
    #expect(mode("0600", 0o777, isFolder: true) == "700")
    #expect(mode("umask", 0o755, isFolder: true) == "755")
  }
}
