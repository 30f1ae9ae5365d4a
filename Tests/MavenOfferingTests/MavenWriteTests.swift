internal import MCPServer
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@Suite struct MavenWriteTests {
  private func decision(_ action: String = "Buy 0.1", key: String? = nil) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("decision_type", "buy"), .init("asset", "BTC"), .init("action", .string(action)),
      .init("reasoning", "Support held"), .init("confidence", 80), .init("risk_level", "HIGH"),
    ]
    if let key { members.append(.init("idempotency_key", .string(key))) }
    return .object(members)
  }

  @Test("a decision is a commit and a row, and its answer is what existing clients parse")
  func decisionAnswer() async throws {
    let tree = try await OfferingTree.sample()
    #expect(try await tree.call("maven_sync_from_git").isError == false)
    let answer = try await tree.call("maven_record_decision", decision())
    #expect(!answer.isError)
    let name = try #require(answer.data["filename"]?.text)
    #expect(name.hasPrefix("decision_") && name.hasSuffix(".md"))
    #expect(answer.data["total_decisions"] == 4)
    #expect(answer.data["db_persisted"] == true && answer.data["db_error"] == .null)
    let id = try #require(answer.data["db_id"]?.integer)
    #expect(try await tree.value("SELECT git_filename FROM maven_decisions WHERE id = \(id)") == name)
    #expect(answer.json["git_persisted"] == true)
    #expect(answer.json["commit"]?.text == (try tree.git.git("rev-parse", "HEAD")))
    #expect(try tree.git.git("show", "HEAD:.moha/maven/decisions/\(name)").contains("**Risk Level:** high"))
    #expect(try tree.git.git("status", "--porcelain") == "")
    #expect(try await tree.read("maven://decisions/\(name)")?.contains("Support held") == true)
    #expect(try await tree.readJSON("maven://identity")["total_decisions"] == 4)
    #expect(try await tree.call("maven_verify").data["in_sync"] == true)
  }

  @Test("an event of type REBIRTH counts a rebirth, and so does an identity update that says so")
  func rebirths() async throws {
    let tree = try await OfferingTree.sample()
    let event = try await tree.call(
      "maven_log_event", ["event_type": "rebirth", "content": "Back", "metadata": ["n": 1]])
    #expect(event.data["rebirth_count"] == 2 && event.data["event_key"]?.text?.utf8.count == 32)
    #expect(try await tree.read("maven://memory")?.contains("] REBIRTH\n\nBack\n") == true)
    let update = try await tree.call("maven_update_identity", ["updates": ["rebirth": true, "mood": ["now": "calm"]]])
    #expect(update.data["rebirth_count"] == 3 && update.data["total_decisions"] == 3)
    let identity = try await tree.readJSON("maven://identity")
    #expect(identity["rebirth_count"] == 3 && identity["mood"]?["now"] == "calm" && identity["rebirth"] == nil)
  }

  @Test("a milestone is a file named after its title")
  func milestone() async throws {
    let tree = try await OfferingTree.sample()
    let answer = try await tree.call(
      "maven_create_milestone",
      ["title": "First + best", "description": "d", "category": "growth", "significance": "s"])
    let name = try #require(answer.data["filename"]?.text)
    #expect(name.hasSuffix("_first_+_best.md"))
    // The file's name in the template, expanded and as it is.
    #expect(try await tree.read("maven://milestones/\(name)") != nil)
    #expect(try await tree.read("maven://milestones/\(name.replacing("+", with: "%2B"))") != nil)
  }

  @Test("the same idempotency key twice gives one record of each kind")
  func idempotency() async throws {
    let tree = try await OfferingTree.sample()
    _ = try await tree.call("maven_sync_from_git")
    for (tool, arguments) in [
      ("maven_record_decision", decision(key: "k")),
      ("maven_log_event", ["event_type": "note", "content": "once", "idempotency_key": "k"]),
      ("maven_create_milestone", ["title": "t", "description": "d", "category": "c", "idempotency_key": "k"]),
    ] {
      let first = try await tree.call(tool, arguments)
      let head = try tree.git.git("rev-parse", "HEAD")
      let again = try await tree.call(tool, arguments)
      #expect(again.data["repeated"] == true && first.data["repeated"] == nil)
      #expect(again.data["filename"] == first.data["filename"] && again.data["db_id"] == first.data["db_id"])
      #expect(try tree.git.git("rev-parse", "HEAD") == head)
    }
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "4")
  }

  @Test("a database that is away delays the row and tells nothing of where it should be")
  func databaseAway() async throws {
    let tree = try await OfferingTree.sample()
    let away = ConnectionSettings(parameters: [
      "host": "/nowhere/secret-socket", "user": "canary-role", "password": "canary-password", "dbname": "canary-db",
    ])
    for settings in [away, nil] {
      let offering = try tree.makeOffering(database: .some(settings))
      let answer = try await tree.call("maven_record_decision", decision(), of: offering)
      #expect(!answer.isError && answer.json["git_persisted"] == true)
      #expect(answer.data["db_persisted"] == false && answer.data["db_id"] == .null)
      #expect(answer.data["db_error"]?.text?.isEmpty == false)
      var texts = [answer.json.text()]
      for tool in ["maven_verify", "maven_sync_from_git"] {
        let refused = try await tree.call(tool, of: offering)
        #expect(refused.isError && !refused.error.isEmpty)
        texts.append(refused.json.text())
      }
      texts.append(try await tree.call("maven_search", ["query": "Momentum"], of: offering).json.text())
      texts.append(try #require(try await tree.read("maven://health", of: offering)))
      for text in texts {
        #expect(!text.contains("canary") && !text.contains("nowhere") && !text.contains(tree.git.base))
      }
    }
  }

  @Test("arguments that do not fit are refused with every fault, and nothing is written")
  func wrongArguments() async throws {
    let tree = try await OfferingTree.sample()
    let head = try tree.git.git("rev-parse", "HEAD")
    let several = try await tree.call(
      "maven_record_decision", ["decision_type": "buy", "confidence": 101, "force": true])
    #expect(several.isError)
    for part in ["confidence must be", "action is missing", "reasoning is missing", "force is no argument"] {
      #expect(several.error.contains(part), "\(several.error)")
    }
    for (tool, arguments) in [
      ("maven_log_event", ["event_type": "x", "content": 5]), ("maven_update_identity", ["updates": [1]]),
      ("maven_get_stats", ["include_identity": "yes"]), ("maven_sync_from_git", ["force": "now"]),
      ("maven_search", ["query": ""]), ("maven_search", ["query": "x", "limit": 51]),
      ("maven_search", ["query": "x", "kinds": ["trades"]]), ("maven_search", ["query": "x", "cursor": "00-00"]),
      ("maven_verify", ["deep": true]), ("maven_create_milestone", []),
    ] as [(String, JSONValue)] {
      let answer = try await tree.call(tool, arguments)
      #expect(answer.isError && !answer.error.isEmpty, "\(tool)")
    }
    #expect(try tree.git.git("rev-parse", "HEAD") == head)
    #expect(try tree.git.git("status", "--porcelain") == "")
  }

  @Test("a secret in an argument is refused, masked, and never becomes an object")
  func secrets() async throws {
    let tree = try await OfferingTree.sample()
    let secret = "ghp_" + "a8Kd02mXq7Lw5TzR9uVb3YcN6eHs1JfG4iPo"
    let head = try tree.git.git("rev-parse", "HEAD")
    for (tool, arguments) in [
      ("maven_record_decision", decision("use \(secret)")),
      ("maven_log_event", ["event_type": "note", "content": .string("token \(secret)")]),
      ("maven_create_milestone", ["title": "t", "description": .string(secret), "category": "c"]),
      ("maven_update_identity", ["updates": ["token": .string(secret)]]),
    ] as [(String, JSONValue)] {
      let answer = try await tree.call(tool, arguments)
      #expect(answer.isError && answer.json["code"] == "secret", "\(tool): \(answer.json.text())")
      #expect(!answer.json.text().contains(secret))
      // Who was refused is not told how to get it past.
      let error = answer.json["error"]?.text ?? ""
      #expect(error.contains("a person can allow it") && !error.contains("secrets-allow"), "\(error)")
    }
    #expect(try tree.git.git("rev-parse", "HEAD") == head)
    #expect(try tree.git.git("status", "--porcelain") == "")
    let blobs = try tree.git.gitBytes(["cat-file", "--batch", "--batch-all-objects"])
    #expect(!String(decoding: blobs, as: UTF8.self).contains(secret))
  }

  @Test("arguments cannot become options, paths or trailers of a commit")
  func hostileArguments() async throws {
    let tree = try await OfferingTree.sample()
    for text in ["--upload-pack=touch x", "-rf", "ext::sh -c id", "../../.git/config", "a\n\nMoha-Agent: evil\n"] {
      let answer = try await tree.call(
        "maven_create_milestone",
        ["title": .string(text), "description": .string(text), "category": "c", "significance": .string(text)])
      #expect(!answer.isError)
      let path = try #require(answer.data["path"]?.text)
      #expect(path.hasPrefix(".moha/maven/milestones/milestone_") && path.split(separator: "/").count == 4)
    }
    // A title can be in a file's name, and so in a trailer's value, but it makes no line of its own.
    let lines = try tree.git.git("log", "--format=%B").split(separator: "\n")
    #expect(lines.allSatisfy { !$0.hasPrefix("Moha-Agent:") || $0 == "Moha-Agent: maven" })
    #expect(
      try tree.git.git("diff", "--name-only", "HEAD~5", "HEAD").split(separator: "\n").allSatisfy {
        $0.hasPrefix(".moha/maven/")
      })
  }

  @Test("a write that is cancelled at any moment is in git whole, or not at all")
  func cancellation() async throws {
    let tree = try await OfferingTree.sample()
    let offering = try tree.makeOffering(database: .some(nil))
    let request = decision()
    for attempt in 0..<24 {
      let work = Task {
        try await offering.call("maven_record_decision", arguments: request, context: CallContext())
      }
      // From at once to after the commit.
      try await Task.sleep(for: .microseconds(attempt * 700))
      work.cancel()
      _ = try? await work.value
    }
    #expect(try tree.git.git("status", "--porcelain") == "")
    let files = try tree.decisionFiles.count
    #expect(try await tree.readJSON("maven://identity")["total_decisions"]?.integer == files)
    // Nothing is left for the next writer to finish.
    #expect(try ChildProcess.runChecked("ls", [tree.git.absolute(".git/moha-sync/journal")]).stdoutText == "")
  }

  @Test("sync brings the database to git and never forces a mass removal")
  func sync() async throws {
    let tree = try await OfferingTree.sample()
    let first = try await tree.call("maven_sync_from_git", ["force": true])
    #expect(first.data["records"]?["decisions"] == 3 && first.data["remaining"] == 0)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "3")
    try await tree.sql(
      """
      INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, decided_at, git_path)
      SELECT 'decision_lost_' || n || '.md', 'buy', 'a', 'r', 1, 'low', now(), '.moha/maven/decisions/decision_lost_' || n || '.md'
      FROM generate_series(1, 40) AS n
      """)
    let refused = try await tree.call("maven_sync_from_git", ["force": true])
    #expect(refused.isError && refused.json["code"] == "mass-removal")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "43")
    let differing = try await tree.call("maven_verify")
    #expect(differing.data["in_sync"] == false && differing.data["findings"]?.elements.isEmpty == false)
  }

  @Test("read-only offers no tool that writes, whatever tools are named")
  func readOnly() async throws {
    let tree = try await OfferingTree.sample()
    var options = MavenOffering.Options()
    options.isReadOnly = true
    options.tools = ["maven_record_decision", "maven_search", "maven_sync_from_git", "maven_verify"]
    let offering = try tree.makeOffering(options)
    #expect(offering.tools.map(\.name) == ["maven_search", "maven_verify"])
    #expect(try await tree.call("maven_record_decision", decision(), of: offering).isError)
    #expect(try await tree.call("maven_sync_from_git", of: offering).isError)
    options.tools = nil
    let all = try tree.makeOffering(options)
    #expect(all.tools.map(\.name) == ["maven_get_stats", "maven_search", "maven_verify"])
    #expect(all.tools.allSatisfy { $0.annotations.isReadOnly && !$0.annotations.isDestructive })
    options.isReadOnly = false
    options.tools = ["maven_log_event"]
    #expect(try tree.makeOffering(options).tools.map(\.name) == ["maven_log_event"])
    #expect(try tree.decisionFiles.count == 3)
  }

  @Test("another agent has its own scheme and folder, and the same tools")
  func otherAgent() async throws {
    let nova = try #require(Agent("nova"))
    let tree = try await OfferingTree.sample(agent: nova)
    let answer = try await tree.call("maven_record_decision", decision())
    #expect(answer.data["path"]?.text?.hasPrefix(".moha/nova/decisions/") == true)
    #expect(try await tree.read("nova://identity") != nil)
    #expect(try await tree.read("maven://identity") == nil)
    let uris = try await tree.offering.get().resources().map(\.uri)
    #expect(uris.allSatisfy { $0.hasPrefix("nova://") } && uris == uris.sorted())
  }
}
