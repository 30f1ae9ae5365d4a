internal import Glibc
internal import TestSupport
internal import Testing

/// Two users of the machine who share a working tree, as `core.sharedRepository` is meant for.
@Suite struct SharedRepositoryTests {
  private static let group: UInt32 = 60_100
  private static let users: [UInt32] = [60_101, 60_102]

  /// A shared repository in which both users may write, made by the first of them.
  private func sharedTree(_ value: String, umask: String) async throws -> GitScratch {
    let scratch = try GitScratch(isInitialized: false)
    for path in [scratch.base, scratch.path] {
      #expect(chown(path, Self.users[0], Self.group) == 0 && chmod(path, 0o2775) == 0)
    }
    let script = """
      git init -q --initial-branch=main --shared=\(value) .
      mkdir -p .moha/maven/decisions .moha/maven/milestones
      printf '{"name": "Maven", "total_decisions": 0}\\n' > .moha/maven/identity.json
      git add -A && git -c core.sharedRepository=\(value) commit -qm first
      chmod -R g+w .moha && find .moha -type d -exec chmod g+s {} +
      """
    let output = try await shell(script, by: Self.users[0], umask: umask, scratch)
    try #require(output.status == 0, "\(output.everything)")
    try ChildProcess.runChecked(
      "git", ["config", "--file", "\(scratch.base)/.gitconfig", "safe.directory", scratch.path])
    return scratch
  }

  private func shell(
    _ script: String, by user: UInt32, umask: String, _ scratch: GitScratch
  ) async throws -> ChildProcess.Output {
    try await start(script, by: user, umask: umask, scratch).output()
  }

  private func start(
    _ script: String, by user: UInt32, umask: String, _ scratch: GitScratch
  ) throws -> RunningProgram {
    var environment = scratch.environment
    environment["DATABASE_URL"] = "postgresql://none@127.0.0.1:1/none"
    environment["REDIS_URL"] = "redis://127.0.0.1:1"
    // That of both: libgit2 looks for it in the home folder.
    environment["GIT_CONFIG_GLOBAL"] = "\(scratch.base)/.gitconfig"
    return try RunningProgram(
      "/usr/bin/setpriv",
      [
        "--reuid=\(user)", "--regid=\(Self.group)", "--clear-groups", "/bin/sh", "-c",
        "umask \(umask); \(script)",
      ], environment: environment, workingDirectory: scratch.path, timeout: .seconds(120))
  }

  private func record(_ text: String) throws -> String {
    "\(try Program.path()) record event --event note --content '\(text)' --json"
  }

  @Test(
    "both write, one after the other and beside each other, whatever their umask",
    .enabled(if: geteuid() == 0, "two users need root"),
    arguments: [("group", "002"), ("0660", "077"), ("all", "000"), ("group", "027")])
  func both(_ value: String, _ umask: String) async throws {
    let scratch = try await sharedTree(value, umask: "002")
    for round in 1...3 {
      for user in Self.users {
        // The files of the working tree are git's to share, which goes by the umask.
        let script = """
          \(try record("round \(round) of \(user)")) --idempotency-key \(round)-\(user)
          status=$?; chmod -R g+rwX .moha 2>/dev/null; exit $status
          """

        let output = try await shell(script, by: user, umask: umask, scratch)
        #expect(output.status == 0, "\(user): \(output.everything)")
        #expect(output.stdoutText.contains(#""commit_status":"committed""#), "\(output.everything)")
      }
    }
    let together = try Self.users.map { user in
      try start(try record("beside \(user)"), by: user, umask: "002", scratch)
    }
    for program in together {
      let output = try await program.output()
      #expect(output.status == 0 && output.stdoutText.contains(#""commit_status":"committed""#), "\(output.everything)")
    }
    let log = try await shell(
      "git show HEAD:.moha/maven/session_log.md; git fsck --full --strict", by: Self.users[1], umask: umask, scratch)
    let entries = log.stdoutText.split(separator: "\n").count { $0.hasPrefix("## [") }
    #expect(log.status == 0 && entries == 8, "\(log.everything)")
    // Whoever did not make a file of ours can still read it, and nobody else can write any.
    let own = "find .git/moha-sync"
    let foreign = try await shell(
      "\(own) ! -readable; \(own) ! -writable; find .git -perm -002 ! -type l", by: Self.users[1], umask: umask, scratch)
    #expect(foreign.everything == "")
    if value != "all" {
      #expect(try await shell("\(own) -perm /007", by: Self.users[0], umask: umask, scratch).everything == "")
    }
  }

  @Test(
    "without sharing the files of our own are their owner's, whatever the umask",
    .enabled(if: geteuid() == 0, "two users need root"), arguments: ["000", "002", "022", "077"])
  func unshared(_ umask: String) async throws {
    let scratch = try await sharedTree("umask", umask: "022")
    let output = try await shell(
      "\(try record("mine")) --idempotency-key one", by: Self.users[0], umask: umask, scratch)
    #expect(output.status == 0, "\(output.everything)")
    let found = try await shell(
      "find .git/moha-sync -perm /077; find .git .moha -perm -002", by: Self.users[0], umask: umask, scratch)
    #expect(found.everything == "")
  }
}
