internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

@Suite("Committing while something is in the way")
struct CommitStateTests {
  private let request = CommitRequest.files([".moha/x": "x"])

  @Test("a detached HEAD is pending, and nothing is written")
  func detached() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.git("checkout", "-q", "--detach")
    let before = try scratch.git("count-objects")
    let outcome = try await scratch.open().commit(request)
    #expect(outcome.result == .pending(.detachedHead))
    #expect(try scratch.git("count-objects") == before)
    #expect(access(scratch.absolute(".git/moha-sync"), F_OK) != 0)
  }

  @Test(
    "a merge, rebase, cherry-pick, revert or bisect in progress is pending",
    arguments: [
      "merge", "rebase", "cherry-pick", "revert", "bisect",
    ])
  func inProgress(command: String) async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.git("checkout", "-q", "-b", "other", "HEAD^")
    try scratch.write("src/b", "other\n")
    try scratch.commit("other")
    switch command {
    case "rebase": _ = try? scratch.git("rebase", "main")
    case "revert": _ = try? scratch.git("revert", "--no-edit", "main")
    case "bisect": try scratch.git("bisect", "start")
    default: _ = try? scratch.git(command, "main")
    }
    let head = try scratch.git("rev-parse", "HEAD")
    let outcome = try await scratch.open().commit(request)
    guard case .pending = outcome.result else { return #expect(Bool(false), "\(outcome)") }
    #expect(try scratch.git("rev-parse", "HEAD") == head)
  }

  @Test("a linked working tree commits to its own branch, with its own index")
  func linked() async throws {
    let scratch = try GitScratch.withHistory()
    let main = try scratch.git("rev-parse", "main")
    try scratch.git("worktree", "add", "-q", "-b", "linked", scratch.base + "/linked")
    let repository = try Repository(at: scratch.base + "/linked", configuration: .hermetic)
    let outcome = try await repository.commit(request)
    #expect(try scratch.git("rev-parse", "linked") == outcome.commit)
    #expect(try scratch.git("rev-parse", "main") == main)
    #expect(try scratch.git("-C", scratch.base + "/linked", "diff", "--cached", "--name-only") == "")
    #expect(try scratch.status() == "")
    try scratch.expectTidy()
    try scratch.expectSound()
  }

  @Test("a fresh lock is never removed, and nothing is written", arguments: ["index", "HEAD", "refs/heads/main"])
  func freshLock(name: String) async throws {
    let scratch = try GitScratch.withHistory()
    let head = try scratch.git("rev-parse", "HEAD")
    let objects = try scratch.git("count-objects")
    try scratch.write(".git/\(name).lock", "")
    // However long the machine takes.
    try age(scratch.absolute(".git/\(name).lock"), by: -3_600)
    let error = await #expect(throws: GitError.self) {
      try await scratch.open().commit(request, lockWait: .milliseconds(20))
    }
    #expect(error?.code == .locked)
    let second = await #expect(throws: GitError.self) { try await scratch.open().recoverStaleLocks() }
    #expect(second?.code == .locked)
    #expect(access(scratch.absolute(".git/\(name).lock"), F_OK) == 0)
    try scratch.remove(".git/\(name).lock")
    #expect(try scratch.git("rev-parse", "HEAD") == head)
    #expect(try scratch.git("count-objects") == objects)
  }

  @Test(
    "a lock that is old and that nobody holds is removed and reported", arguments: ["index", "HEAD", "refs/heads/main"])
  func staleLock(name: String) async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".git/\(name).lock", "")
    try age(scratch.absolute(".git/\(name).lock"), by: 61)
    let outcome = try await scratch.open().commit(request)
    #expect(outcome.commit != nil)
    #expect(outcome.removedLocks.map(\.reason) == [.abandoned])
    #expect(outcome.removedLocks.allSatisfy { $0.name.hasSuffix(".lock") && $0.age >= 61 })
    try scratch.expectTidy()
  }

  @Test("an old lock that a process has open is not removed")
  func heldLock() async throws {
    let scratch = try GitScratch.withHistory()
    let path = scratch.absolute(".git/index.lock")
    let descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    #expect(descriptor >= 0)
    try age(path, by: 3_600)
    let error = await #expect(throws: GitError.self) { try await scratch.open().recoverStaleLocks() }
    #expect(error?.code == .locked)
    close(descriptor)
    #expect(try await scratch.open().recoverStaleLocks().map(\.name) == ["index.lock"])
  }

  @Test("a lock on the edge of sixty seconds stays; the clock is the caller's")
  func edge() async throws {
    let scratch = try GitScratch.withHistory()
    try scratch.write(".git/HEAD.lock", "")
    var status = stat()
    #expect(stat(scratch.absolute(".git/HEAD.lock"), &status) == 0)
    let repository = try scratch.open()
    let written = Int64(status.st_mtim.tv_sec)
    let error = await #expect(throws: GitError.self) { try await repository.recoverStaleLocks(now: written + 60) }
    #expect(error?.code == .locked)
    // A clock that went back makes nothing old.
    let second = await #expect(throws: GitError.self) { try await repository.recoverStaleLocks(now: written - 100) }
    #expect(second?.code == .locked)
    #expect(try await repository.recoverStaleLocks(now: written + 61).count == 1)
  }

  @Test("a young lock of a dead commit of ours is removed at once, for it is a link to the writer's file")
  func ownLock() async throws {
    let scratch = try GitScratch.withHistory()
    _ = try await scratch.open().commit(request)
    for name in ["index", "HEAD"] {
      #expect(link(scratch.absolute(".git/moha-sync/writer"), scratch.absolute(".git/\(name).lock")) == 0)
    }
    let outcome = try await scratch.open().commit(.files([".moha/y": "y"]))
    #expect(outcome.commit != nil)
    #expect(outcome.removedLocks.map(\.reason) == [.deadWriter, .deadWriter])
    try scratch.expectTidy()
  }

  @Test("the index of a commit that was killed after it moved HEAD follows, also when a person removed the lock")
  func lateIndex() async throws {
    let scratch = try GitScratch.withHistory()
    var request = request
    request.index = .untouched
    let parent = try scratch.git("rev-parse", "HEAD")
    let commit = try #require(try await scratch.open().commit(request).commit)
    #expect(try scratch.git("diff", "--cached", "--name-only") == ".moha/x")
    try scratch.write(
      ".git/moha-sync/writer",
      "process 1\nreference refs/heads/main\nparent \(parent)\ncommit \(commit)\nindex follows\nend\n")
    _ = try await scratch.open().recoverStaleLocks()
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    try scratch.expectTidy()
  }

  @Test("the index that a killed commit had put in place is taken back when HEAD did not follow")
  func earlyIndex() async throws {
    let scratch = try GitScratch.withHistory()
    let parent = try scratch.git("rev-parse", "HEAD")
    try scratch.write("src/a", "staged\n")
    try scratch.git("add", "src/a")
    let commit = try #require(try await scratch.open().commit(request).commit)
    try scratch.git("update-ref", "HEAD", parent)
    try scratch.write(
      ".git/moha-sync/writer",
      "process 1\nreference refs/heads/main\nparent \(parent)\ncommit \(commit)\nindex follows\nend\n")
    _ = try await scratch.open().recoverStaleLocks()
    #expect(try scratch.git("diff", "--cached", "--name-only") == "src/a")
    try scratch.expectTidy()
  }

  @Test("what the tool keeps in the git folder is private")
  func permissions() async throws {
    let scratch = try GitScratch.withHistory()
    _ = try await scratch.open().commit(request)
    var status = stat()
    #expect(stat(scratch.absolute(".git/moha-sync"), &status) == 0 && status.st_mode & 0o777 == 0o700)
    #expect(stat(scratch.absolute(".git/moha-sync/writer"), &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(stat(scratch.absolute(".git/index"), &status) == 0 && status.st_mode & 0o777 == 0o644)
  }

  private func age(_ path: String, by seconds: Int) throws {
    let then = time(nil) - seconds
    var times = [timespec(tv_sec: then, tv_nsec: 0), timespec(tv_sec: then, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
  }
}
