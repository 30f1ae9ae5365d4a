internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

/// Each test runs `commit-fixture`, a process of its own: see there.
@Suite("Commits that are traced, killed, starved or raced")
struct CommitFaultTests {
  /// Runs the fixture under strace; the trace is returned with the ids that were acknowledged.
  private func trace(
    _ options: [String], _ scratch: GitScratch, _ name: String, count: Int = 1
  ) throws -> (trace: [String], acknowledged: [String], status: Int32) {
    let log = scratch.base + "/trace"
    let output = try ChildProcess.run(
      "strace",
      ["-f", "-y", "-s", "300", "-o", log] + options
        + [TestProgram.path("commit-fixture"), scratch.path, name, "\(count)"],
      environment: scratch.environment)
    let trace = try ChildProcess.runChecked("cat", [log])
    return (
      trace.stdoutText.split(separator: "\n").map(String.init),
      output.stdoutText.split(separator: "\n").map(String.init), output.status
    )
  }

  @Test("before a commit is acknowledged, each object, the branch and the index are synchronised, in this order")
  func durable() throws {
    let scratch = try GitScratch.withHistory()
    let run = try trace(
      ["-e", "trace=fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat,write"], scratch, "d")
    #expect(run.acknowledged.count == 1)
    let calls = run.trace
    let git = scratch.absolute(".git")
    func firstIndex(_ from: Int = 0, _ matches: (String) -> Bool) -> Int? { calls[from...].firstIndex(where: matches) }
    let acknowledgement = try #require(firstIndex { $0.contains("write(1<") })
    let branch = try #require(firstIndex { $0.contains("rename") && $0.contains("/refs/heads/main.lock\"") })
    // The library renames by linking.
    let objects = calls.indices.filter { calls[$0].contains("link(\"\(git)/objects/") }
    // A blob, the trees of `.moha`, `maven`, `decisions`, the three parts of the date, the top, and the commit.
    #expect(objects.count == 9)
    for position in objects {
      let names = calls[position].split(separator: "\"")
      let (source, target) = (String(names[1]), String(names[3]))
      #expect(position < branch)
      #expect(
        calls[..<position].contains { $0.contains("fsync(") && $0.contains("<\(source)>") && $0.hasSuffix("= 0") })
      let folder = target[..<(target.lastIndex(of: "/") ?? target.endIndex)]
      #expect(calls[position..<branch].contains { $0.contains("fsync(") && $0.contains("<\(folder)>") })
    }
    // The folders of objects, and what a person's git left in memory.
    #expect(calls[..<branch].contains { $0.contains("fsync(") && $0.contains("<\(git)/objects>") })
    #expect(calls[..<branch].contains { $0.contains("syncfs(") })
    #expect(calls[..<branch].contains { $0.contains("fsync(") && $0.contains("/refs/heads/main.lock>") })
    #expect(calls[branch..<acknowledgement].contains { $0.contains("fsync(") && $0.contains("<\(git)/refs/heads>") })
    let index = try #require(firstIndex { $0.contains("rename") && $0.contains("\(git)/index\"") })
    // Whoever sees the new HEAD finds the index that goes with it.
    #expect(index < branch && branch < acknowledgement)
    #expect(calls[..<index].contains { $0.contains("fsync(") && $0.contains("/index.new>") })
    // The locks come before the branch moves, and they are links.
    for name in ["index", "HEAD"] {
      #expect(calls[..<branch].contains { $0.contains("link") && $0.contains("\(git)/\(name).lock\"") })
    }
    // On top of our own commit nothing is left in memory, and the whole file system need not be written out.
    let second = try trace(["-e", "trace=syncfs"], scratch, "e")
    #expect(second.acknowledged.count == 1)
    #expect(!second.trace.contains { $0.contains("syncfs(") })
  }

  /// The calls at which a commit can be cut short, each with how often a commit makes it at most.
  private static let points: [(String, ClosedRange<Int>)] = [
    ("fsync", 1...26), ("link", 1...12), ("rename", 1...2), ("unlink", 1...13), ("write", 1...13), ("pwrite64", 1...4),
    ("mkdir", 1...3),
  ]

  @Test(
    "killed at any call, a commit leaves a sound repository, and the next one succeeds at once",
    arguments: points.map(\.0))
  func killed(call: String) async throws {
    let range = try #require(Self.points.first { $0.0 == call }?.1)
    let scratch = try GitScratch.withHistory()
    try scratch.write("src/a", "staged\n")
    try scratch.git("add", "src/a")
    for number in range {
      let name = "\(call)\(number)"
      let run = try trace(
        ["-e", "trace=\(call)", "-e", "inject=\(call):signal=KILL:when=\(number)"], scratch, name)
      // The program dies there; if not, the sweep has left the calls that a commit makes.
      #expect(run.status != 0 || number == range.upperBound, "\(name)")
      try scratch.expectSound()
      for id in run.acknowledged {
        #expect(try scratch.git("merge-base", "--is-ancestor", id, "HEAD") == "")
      }
      // A lock that had to grow old first would make this one throw.
      let outcome = try await scratch.open().commit(.files([GitPath(".moha/after"): name]))
      #expect(outcome.commit != nil)
      try scratch.expectTidy()
      // Whether or not the killed commit came to be, the index agrees with HEAD but for what is staged.
      #expect(try scratch.git("diff", "--cached", "--name-only") == "src/a", "\(name)")
    }
    try scratch.expectSound()
  }

  @Test(
    "when a call fails, the commit is not acknowledged unless HEAD holds it",
    arguments: [
      "fsync:error=EIO", "write:error=ENOSPC", "pwrite64:error=ENOSPC", "rename:error=EROFS", "link:error=EDQUOT",
      "openat:error=EMFILE",
    ])
  func failing(fault: String) async throws {
    let scratch = try GitScratch.withHistory()
    let call = fault.split(separator: ":")[0]
    // Openings of the repository itself come first and are not of interest.
    let first = call == "openat" ? 60 : 1
    for number in stride(from: first, to: first + 24, by: call == "openat" ? 5 : 3) {
      for persistence in ["", "+"] {
        let run = try trace(
          ["-e", "trace=\(call)", "-e", "inject=\(fault):when=\(number)\(persistence)"], scratch,
          "f\(number)\(persistence)")
        try scratch.expectSound()
        if run.status == 0, let id = run.acknowledged.last {
          #expect(try scratch.git("merge-base", "--is-ancestor", id, "HEAD") == "")
        }
        let outcome = try await scratch.open().commit(.files([".moha/after": "\(number)\(persistence)"]))
        #expect(outcome.commit != nil)
        #expect(try scratch.git("diff", "--cached", "--name-only") == "")
        try scratch.expectTidy()
      }
    }
  }

  @Test("without hard links, locks are files of their own")
  func withoutLinks() throws {
    let scratch = try GitScratch.withHistory()
    let run = try trace(["-e", "trace=link", "-e", "inject=link:error=EPERM"], scratch, "nolink")
    #expect(run.acknowledged.count == 1)
    #expect(try scratch.git("rev-parse", "HEAD") == run.acknowledged.first)
    try scratch.expectTidy()
  }

  @Test(
    "on a full disk a commit fails, HEAD stays, nothing is damaged, and with room again it succeeds",
    .enabled(if: geteuid() == 0))
  func fullDisk() async throws {
    let scratch = try GitScratch(isInitialized: false)
    try ChildProcess.runChecked("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", scratch.path])
    defer { _ = try? ChildProcess.run("umount", ["-l", scratch.path]) }
    try scratch.git("init", "--quiet", "--initial-branch=main", "--template=")
    try scratch.write("filler", String(repeating: "x", count: 300_000))
    let repository = try scratch.open()
    var random = SeededGenerator(seed: 1)
    var acknowledged: String?
    var failures = 0
    for number in 0..<200 where failures < 3 {
      let text = String((0..<300).map { _ in Character(Unicode.Scalar(UInt8.random(in: 33...126, using: &random))) })
      do {
        acknowledged = try await repository.commit(.files([GitPath(".moha/\(number)"): text])).commit ?? acknowledged
      } catch {
        failures += 1
        #expect(try scratch.git("rev-parse", "HEAD") == acknowledged)
      }
    }
    #expect(failures == 3)
    try scratch.expectSound()
    try scratch.remove("filler")
    let outcome = try await scratch.open().commit(.files([".moha/after": "x"]))
    #expect(outcome.commit != nil)
    #expect(try scratch.git("rev-parse", "HEAD^") == acknowledged)
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    try scratch.expectSound()
    try scratch.expectTidy()
  }

  @Test("eight processes at once make one line of history with everything in it")
  func processes() async throws {
    let scratch = try GitScratch.withHistory()
    let (path, environment) = (scratch.path, scratch.environment)
    let outputs = try await withThrowingTaskGroup { group in
      for number in 0..<8 {
        group.addTask {
          let work = BlockingWork()
          return try await work.run {
            try ChildProcess.runChecked(
              TestProgram.path("commit-fixture"), [path, "p\(number)", "5"], environment: environment
            ).stdoutText
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let acknowledged = outputs.flatMap { $0.split(separator: "\n").map(String.init) }
    #expect(acknowledged.count == 40)
    let history = try scratch.git("rev-list", "--first-parent", "HEAD").split(separator: "\n").map(String.init)
    #expect(history.count == 42)
    #expect(Set(acknowledged).isSubset(of: Set(history)))
    #expect(try scratch.git("ls-tree", "-r", "--name-only", "HEAD", ".moha/").split(separator: "\n").count == 43)
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    try scratch.expectSound()
    try scratch.expectTidy()
  }

  @Test("a person who commits and resets meanwhile loses nothing, nor do we")
  func besidePerson() async throws {
    let scratch = try GitScratch.withHistory()
    let (path, environment) = (scratch.path, scratch.environment)
    async let ours = BlockingWork().run {
      try ChildProcess.runChecked(
        TestProgram.path("commit-fixture"), [path, "ours", "30"], environment: environment
      ).stdoutText
    }
    // A person's git gives up at once when we have the index; a person tries again.
    let person = """
      cd "$1"; n=0
      while [ $n -lt 15 ]; do
        echo $n > src/a
        git add src/a 2>/dev/null && git commit -q -m "person $n" 2>/dev/null && n=$((n+1))
      done
      """
    async let theirs = BlockingWork().run {
      try ChildProcess.runChecked("sh", ["-c", person, "sh", path], environment: environment)
    }
    let acknowledged = try await ours.split(separator: "\n").map(String.init)
    _ = try await theirs
    #expect(acknowledged.count == 30)
    let history = try Set(scratch.git("rev-list", "--first-parent", "HEAD").split(separator: "\n").map(String.init))
    #expect(history.count == 47)
    #expect(history.isSuperset(of: acknowledged))
    // No commit of theirs took a record out, no commit of ours took their file back.
    #expect(try scratch.git("log", "--diff-filter=D", "--format=%H") == "")
    #expect(try scratch.git("show", "HEAD:src/a") == "14")
    #expect(try scratch.git("log", "--format=%s", "--", "src/a").split(separator: "\n").count == 16)
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
    try scratch.expectSound()
  }

  @Test("several handles of one process take turns")
  func handles() async throws {
    let scratch = try GitScratch.withHistory()
    let path = scratch.path
    try await withThrowingTaskGroup { group in
      for number in 0..<8 {
        group.addTask {
          let repository = try Repository(at: path, configuration: .hermetic)
          for round in 0..<3 {
            _ = try await repository.commit(.files([GitPath(".moha/\(number)/\(round)"): "x"]))
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try scratch.git("rev-list", "--first-parent", "--count", "HEAD") == "26")
    #expect(try scratch.git("ls-tree", "-r", "--name-only", "HEAD", ".moha/").split(separator: "\n").count == 27)
    try scratch.expectSound()
  }

  @Test("a commit that a person resets away does not come back")
  func reset() async throws {
    let scratch = try GitScratch.withHistory()
    let repository = try scratch.open()
    let gone = try #require(try await repository.commit(.files([".moha/gone": "x"])).commit)
    try scratch.git("reset", "-q", "--hard", "HEAD^")
    let head = try scratch.git("rev-parse", "HEAD")
    _ = try await repository.commit(.files([".moha/next": "x"]))
    #expect(try scratch.git("rev-parse", "HEAD^") == head)
    #expect(!(try scratch.git("rev-list", "HEAD").contains(gone)))
    #expect(try scratch.git("ls-tree", "-r", "--name-only", "HEAD", ".moha/gone") == "")
  }
}
