internal import MCPServer
internal import Records
internal import Synchronization
internal import TestSupport
internal import Testing

/// Collects what an offering tells, with the time of each change.
private final class Heard: Sendable {
  private let told = Mutex<[(change: OfferingChange, at: ContinuousClock.Instant)]>([])

  /// Listens from now on until the value goes.
  static func listening(to offering: MavenOffering, _ body: (Heard) async throws -> Void) async throws {
    let heard = Heard()
    let changes = offering.changes()
    let work = Task {
      for await change in changes { heard.told.withLock { $0.append((change, .now)) } }
    }
    defer { work.cancel() }
    try await body(heard)
  }

  func forget() {
    told.withLock { $0.removeAll() }
  }

  var uris: Set<String> {
    told.withLock { told in
      told.reduce(into: []) { uris, told in
        if case .updated(let updated) = told.change { uris.formUnion(updated) }
      }
    }
  }

  /// How long after `start` a change with these URIs was told, or of the list where there are none.
  func wait(for wanted: Set<String>, since start: ContinuousClock.Instant) async throws -> Duration {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      let found = told.withLock { told in
        told.first { told in
          switch told.change {
          case .updated(let uris): !wanted.isEmpty && wanted.isSubset(of: uris)
          case .resourceListChanged: wanted.isEmpty
          }
        }
      }
      if let found { return found.at - start }
      try await Task.sleep(for: .milliseconds(1))
    }
    Issue.record("not told of \(wanted) but of \(uris)")
    return .seconds(30)
  }
}

@Suite struct MavenChangeTests {
  @Test("a commit of git in another process is told")
  func gitCommit() async throws {
    let tree = try await OfferingTree.sample()
    try await Heard.listening(to: tree.offering.get()) { heard in
      let name = OfferingTree.decisionName(7)
      try tree.writeDecision(7)
      _ = try await heard.wait(for: ["maven://decisions", "maven://decisions/\(name)"], since: .now)
      try tree.git.git("add", "--all")
      try await Task.sleep(for: .milliseconds(100))
      heard.forget()
      try tree.git.commitStaged("by hand")
      let delay = try await heard.wait(for: ["maven://decisions", "maven://decisions/\(name)"], since: .now)
      print("told of a commit after \(delay)")
      // Another branch, and back by a reset.
      try tree.git.git("checkout", "-q", "-b", "topic/deep/er")
      heard.forget()
      try tree.writeDecision(8)
      try tree.git.commit("on a topic")
      _ = try await heard.wait(for: ["maven://decisions/\(OfferingTree.decisionName(8))"], since: .now)
      heard.forget()
      try tree.git.git("reset", "-q", "--hard", "HEAD~1")
      _ = try await heard.wait(for: ["maven://decisions/\(OfferingTree.decisionName(8))"], since: .now)
    }
  }

  @Test("a write of moha-sync in another process is told, of the log, of identity and of names with a plus")
  func recordInAnotherProcess() async throws {
    let tree = try await OfferingTree.sample()
    let environment = [
      "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": tree.git.base, "MOHA_STATE_DIR": "\(tree.git.base)/state",
      "GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@example.org",
    ]
    func record(_ arguments: String...) async throws {
      let output = try await RunningProgram(
        OfferingTree.program(), ["record"] + arguments + ["--database", tree.database.url], environment: environment,
        workingDirectory: tree.git.path
      ).output()
      try #require(output.status == 0, "\(output.stderrText)")
    }
    try await Heard.listening(to: tree.offering.get()) { heard in
      try await record("event", "--event", "rebirth", "--content", "x")
      let delay = try await heard.wait(for: ["maven://memory", "maven://identity"], since: .now)
      print("told of a record of another process \(delay) after its end")
      try await record("milestone", "--title", "a+b", "--description", "d", "--category", "c")
      _ = try await heard.wait(for: ["maven://milestones"], since: .now)
      let names = try await tree.readJSON("maven://milestones")["items"]?[0]?["uri"]?.text
      let uri = try #require(names)
      #expect(uri.contains("a%2Bb"))
      _ = try await heard.wait(for: [uri, uri.replacing("%2B", with: "+")], since: .now)
    }
  }

  @Test("a write by a tool is told to every listener, and to none that has left")
  func ownWrites() async throws {
    let tree = try await OfferingTree.sample()
    let offering = try tree.offering.get()
    try await Heard.listening(to: offering) { first in
      try await Heard.listening(to: offering) { second in
        let start = ContinuousClock.now
        let answer = try await tree.call("maven_log_event", ["event_type": "note", "content": "x"])
        let day = try #require(answer.data["timestamp"]?.text).prefix(10)
        #expect(try await first.wait(for: ["maven://memory", "maven://memory/\(day)"], since: start) < .seconds(20))
        #expect(try await second.wait(for: ["maven://memory"], since: start) < .seconds(20))
      }
      first.forget()
      _ = try await tree.call("maven_log_event", ["event_type": "note", "content": "y"])
      _ = try await first.wait(for: ["maven://memory"], since: .now)
    }
    // The watcher ended with the last listener, and starts again with the next.
    try await Heard.listening(to: offering) { again in
      _ = try await tree.call("maven_log_event", ["event_type": "note", "content": "z"])
      _ = try await again.wait(for: ["maven://memory"], since: .now)
    }
  }

  @Test("a sync is told, of health too")
  func sync() async throws {
    let tree = try await OfferingTree.sample()
    try await Heard.listening(to: tree.offering.get()) { heard in
      _ = try await tree.call("maven_sync_from_git")
      _ = try await heard.wait(for: ["maven://health", "maven://memory"], since: .now)
    }
  }

  @Test("folders that appear are watched, and the list of resources changes with them")
  func newFolders() async throws {
    let tree = try await OfferingTree()
    try tree.git.write("README", "x")
    try tree.git.commit("nothing")
    try await Heard.listening(to: tree.offering.get()) { heard in
      try tree.write("identity.json", "{}")
      _ = try await heard.wait(for: [], since: .now)
      _ = try await heard.wait(for: ["maven://identity"], since: .now)
      heard.forget()
      try tree.write("decisions/2026/02/01/\(OfferingTree.decisionName(1))", "x")
      _ = try await heard.wait(for: ["maven://decisions/\(OfferingTree.decisionName(1))"], since: .now)
      heard.forget()
      try tree.write("decisions/2026/02/01/\(OfferingTree.decisionName(1))", "y")
      _ = try await heard.wait(for: ["maven://decisions/\(OfferingTree.decisionName(1))"], since: .now)
      heard.forget()
      try ChildProcess.runChecked("rm", ["-r", tree.git.absolute(".moha/maven/decisions")])
      _ = try await heard.wait(for: ["maven://decisions"], since: .now)
    }
  }

  @Test("what is no record of the agent is not told")
  func otherFiles() async throws {
    let tree = try await OfferingTree.sample()
    try await Heard.listening(to: tree.offering.get()) { heard in
      try tree.git.write("src/main.c", "x")
      try tree.git.write(".moha/nova/identity.json", "{}")
      try tree.write("notes.md", "x")
      try tree.write("decisions/.moha-1-2.tmp", "x")
      try tree.git.commit("elsewhere")
      // Told in order: what comes after it shows that nothing came before.
      try tree.write("infrastructure.json", "{}")
      _ = try await heard.wait(for: ["maven://infrastructure"], since: .now)
      #expect(heard.uris == ["maven://infrastructure"])
    }
  }
}
