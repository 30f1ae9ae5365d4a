internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// `doctor` and secrets that git holds already, and the places where `commit` and `record` refuse them.
@Suite struct DoctorSecretTests {
  /// Made up at run time, so that no scanner of this repository takes it for a real one.
  private let secret = "gh" + "p_" + "a8Kd02mXq7Lw5TzR9uVb3YcN6eHs1JfG4iPo"
  private let other = "gh" + "p_" + "Q2mV8sXc41LzK0pWn7Rb5TyD9aGf3HuJ6eEi"
  private static let memo = ".git/moha-sync/secrets.json"

  private func look(_ tree: CommandTree, _ extra: String...) async throws -> ChildProcess.Output {
    let output = try await tree.run(["doctor", "--timeout", "300", "--json", "--without", "redis,mcp"] + extra)
    for text in [secret, other] { #expect(!output.everything.contains(text)) }
    return output
  }

  private func secrets(_ output: ChildProcess.Output, _ code: String = "secret-in-head") throws -> [JSONValue] {
    try DoctorTests.findings(output).filter { $0["area"]?.text == "secrets" && $0["code"]?.text == code }
  }

  private func found(_ output: ChildProcess.Output, _ code: String = "secret-in-head") throws -> [String] {
    try secrets(output, code).compactMap { $0["found"]?.text }
  }

  @Test("a secret in HEAD is named with line, rule and the commit that brought it, and allowed by its fingerprint")
  func head() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(".moha/maven/notes.md", "one\n")
    try tree.git.commit("harmless")
    try tree.git.write(".moha/maven/notes.md", "one\ntwo\nthe token \(secret)\n")
    let commit = try tree.git.commit("by hand")
    try tree.git.write(".moha/maven/notes.md", "zero\none\ntwo\nthe token \(secret)\nfour\n")
    try tree.git.commit("later")
    try await tree.expect(0, "sync")
    let files = try tree.fileDigests()
    let quick = try await look(tree)
    #expect(try tree.fileDigests() == files, "a look changed a file")
    let output = try await look(tree, "--deep")
    #expect(output.status == 12, "\(output.everything)")
    // On a machine that is busy a second may be over before the file's turn comes, and that is said.
    let isCut = try DoctorTests.findings(quick).contains { $0["code"] == "secrets-not-all" }
    #expect(try isCut || found(quick).count == 1, "\(quick.everything)")
    let secrets = try secrets(output)
    try #require(secrets.count == 1, "\(output.everything)")
    let words = try #require(secrets[0]["found"]?.text)
    #expect(words.hasPrefix(".moha/maven/notes.md, line 4, since commit \(commit.prefix(10)): looks like a secret"))
    #expect(words.contains("ghp_… (40 bytes)"))
    #expect(secrets[0]["fixable"] == .bool(false))

    let hint = try #require(secrets[0]["hint"]?.text)
    let fingerprints = hint.split(separator: " ").filter { $0.utf8.count == 16 && $0.allSatisfy(\.isHexDigit) }
    try #require(fingerprints.count == 1, "\(hint)")
    try tree.git.write(".moha-secrets-allow", "\(fingerprints[0])\n")
    let allowed = try await look(tree, "--deep")
    #expect(allowed.status == 0, "\(allowed.everything)")
    #expect(try found(allowed, "secrets-none").count == 1)
  }

  @Test("what history holds and HEAD does not is told by --deep: a removed file, a name, a message, a merged branch")
  func history() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(".moha/maven/notes.md", "a\nb\n\(secret)\n")
    let brought = try tree.git.commit("by hand")
    try tree.git.write(".moha/maven/notes.md", "a\nb\n")
    try tree.git.write(".moha/maven/\(other).md", "harmless\n")
    let named = try tree.git.commit("a name")
    try tree.git.git("mv", ".moha/maven/\(other).md", ".moha/maven/fine.md")
    let said = try tree.git.commit("taken away\n\nit was \(secret)")
    try tree.git.git("checkout", "--quiet", "-b", "side")
    try tree.git.write(".moha/maven/side.md", "x\ny\npassword = \"0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7\"\n")
    let side = try tree.git.commit("side")
    try tree.git.write(".moha/maven/side.md", "x\ny\n")
    try tree.git.commit("side again")
    try tree.git.git("checkout", "--quiet", "main")
    try tree.git.git("merge", "--quiet", "--no-ff", "-m", "merged", "side")
    try await tree.expect(0, "sync")

    let shallow = try await look(tree)
    #expect(shallow.status == 0, "\(shallow.everything)")
    #expect(access(tree.git.absolute(Self.memo), F_OK) != 0, "a look without --deep left a file")
    let deep = try await look(tree, "--deep")
    #expect(deep.status == 12, "\(deep.everything)")
    let expected = [
      ".moha/maven/notes.md, line 3, since commit \(brought.prefix(10))",
      "the name .moha/maven/ghp_… (40 bytes), since commit \(named.prefix(10))",
      "the message of commit \(said.prefix(10)), line 3",
      ".moha/maven/side.md, line 3, since commit \(side.prefix(10))",
    ]
    let words = try found(deep, "secret-in-history")
    #expect(words.count == expected.count, "\(words)")
    for start in expected { #expect(words.contains { $0.hasPrefix(start) }, "\(start) in \(words)") }
    #expect(try found(deep) == [])
    let memo = try ChildProcess.runChecked("cat", [tree.git.absolute(Self.memo)]).stdoutText
    #expect(!memo.contains(secret) && !memo.contains(other))
    let mode = try ChildProcess.runChecked("stat", ["-c", "%a", tree.git.absolute(Self.memo)]).stdoutText
    #expect(mode == "600\n")
  }

  @Test("the next deep look reads what is new: the old objects may be gone; a rewritten history is read again")
  func memo() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(".moha/maven/notes.md", "a\n\(secret)\n")
    try tree.git.commit("by hand")
    try tree.git.write(".moha/maven/notes.md", "a\n")
    try tree.git.commit("taken away")
    try await tree.expect(0, "sync")
    #expect(try found(try await look(tree, "--deep"), "secret-in-history").count == 1)
    // The blob with the secret: whoever reads it again says that it cannot be read.
    let blob = try tree.git.git("rev-parse", "HEAD~1:.moha/maven/notes.md")
    try tree.git.remove(".git/objects/\(blob.prefix(2))/\(blob.dropFirst(2))")
    try tree.git.write(".moha/maven/more.md", "b\n\(other)\n")
    let added = try tree.git.commit("more by hand")
    let next = try await look(tree, "--deep")
    #expect(try found(next, "secret-in-history").count == 1, "\(next.everything)")
    #expect(try found(next).first?.contains("more.md, line 2, since commit \(added.prefix(10))") == true)
    #expect(try found(next, "secrets-unreadable") == [])

    // The memo of a program that looked for other things.
    try ChildProcess.runChecked("sed", ["-i", "s/\"edition\":[0-9]*/\"edition\":0/", tree.git.absolute(Self.memo)])
    #expect(try found(try await look(tree, "--deep"), "secrets-unreadable").count == 1)
    try tree.git.write(Self.memo, "{")
    #expect(try found(try await look(tree, "--deep"), "secrets-unreadable").count == 1)

    // History without the secrets: what is not reachable from HEAD is no finding any more.
    try tree.git.git("rm", "--quiet", ".moha/maven/more.md")
    let clean = try tree.git.git("commit-tree", "-m", "anew", try tree.git.git("write-tree"))
    try tree.git.git("reset", "--quiet", "--soft", clean)
    let rewritten = try await look(tree, "--deep")
    #expect(try found(rewritten, "secrets-none").count == 1, "\(rewritten.everything)")
  }

  @Test("a log in many versions: each secret is told once, at its line of the version that brought it")
  func log() async throws {
    let tree = try await CommandTree.sample()
    let log = ".moha/maven/session_log.md"
    var text = try ChildProcess.runChecked("cat", [tree.git.absolute(log)]).stdoutText
    var lines: [Int] = []
    for number in 0..<12 {
      text += "## [2026-02-01T11:00:\(10 + number)+00:00] NOTE\n\nEvent \(number).\n"
      if number % 4 == 1 {
        text += "A token: \(number == 5 ? other : secret)\n"
        lines.append(text.split(separator: "\n", omittingEmptySubsequences: false).count - 1)
      }
      text += "\n---\n\n"
      try tree.git.write(log, text)
      try tree.git.commit("event \(number)")
    }
    let compacted = text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.contains("token") }
    try tree.git.write(log, compacted.joined(separator: "\n"))
    try tree.git.commit("compacted")
    let output = try await look(tree, "--deep")
    let words = try found(output, "secret-in-history")
    // The third has the first one's value.
    let expected = lines.prefix(2)
    #expect(words.count == 2, "\(words)")
    for line in expected {
      #expect(words.contains { $0.hasPrefix("\(log), line \(line), since") }, "\(line): \(words)")
    }
  }

  @Test("commit refuses a message and a name with a secret, masked, and takes the rest")
  func commit() async throws {
    let tree = try await CommandTree.sample()
    let head = try tree.git.git("rev-parse", "HEAD")
    try tree.git.write(".moha/maven/note.md", "fine\n")
    let message = try await tree.expect(12, "commit", "-m", "all of it\n\nwith \(secret)")
    #expect(message.stderrText.contains("the commit message, line 3"), "\(message.everything)")
    #expect(!message.everything.contains(secret))
    #expect(try tree.git.git("rev-parse", "HEAD") == head)
    for name in ["\(secret).md", "\(secret)/deep.md", "api_secret_0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ.md"] {
      try tree.git.write(".moha/maven/notes/\(name)", "harmless\n")
    }
    for arguments in [["commit", "--dry-run", "--json"], ["commit", "--json"]] {
      let output = try await tree.run(arguments)
      #expect(output.status == 12, "\(output.everything)")
      for part in [secret, "mN5pQ8sT1vW4yZ7"] {
        #expect(!output.everything.contains(part), "\(output.everything)")
      }
      guard case .array(let refused)? = try output.json()["refused"] else { throw CancellationError() }
      #expect(refused.count == 3 && refused.allSatisfy { $0["line"] == .integer(0) }, "\(output.everything)")
    }
    let names = try tree.git.git("ls-tree", "-r", "--name-only", "HEAD")
    #expect(names.contains(".moha/maven/note.md") && !names.contains(".moha/maven/notes"))
    // A name that git has already is no news, and its file goes on.
    try tree.git.commit("by hand")
    try tree.git.write(".moha/maven/notes/\(secret).md", "harmless still\n")
    try await tree.expect(0, "commit")
  }

  @Test("record refuses a secret as key, type, title and idempotency key, as it is or as a part of a name")
  func record() async throws {
    let tree = try await CommandTree.sample()
    let head = try tree.git.git("rev-parse", "HEAD")
    let status = try tree.git.git("status", "--porcelain")
    let decision = ["decision", "--action", "Buy", "--reasoning", "Because", "--confidence", "80", "--risk", "low"]
    let event = ["event", "--content", "Text"]
    let milestone = ["milestone", "--category", "c", "--description", "d"]
    let hidden = "api secret 0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ"
    for arguments in [
      decision + ["--type", secret], decision + ["--type", "buy", "--idempotency-key", secret],
      decision + ["--type", "buy", "--metadata", "{\"\(secret)\":1}"],
      decision + ["--type", "buy", "--metadata", "{\"deep\":[{\"password\":\"hunter2hunter\"}]}"],
      event + ["--event", secret.uppercased()], event + ["--event", secret],
      milestone + ["--title", secret], milestone + ["--title", hidden],
      ["identity", "--updates", "{\"\(secret)\":1}"], ["identity", "--updates", "{\"password\":\"hunter2hunter\"}"],
      ["identity", "--updates", "{\"mood\":\"calm\"}", "--idempotency-key", secret],
    ] {
      let output = try await tree.run(["record"] + arguments)
      #expect(output.status == 12, "\(arguments): \(output.everything)")
      for part in [secret, secret.uppercased(), "hunter2hunter", "mN5pQ8sT1vW4yZ7"] {
        #expect(!output.everything.contains(part), "\(arguments)")
      }
    }
    #expect(try tree.git.git("rev-parse", "HEAD") == head)
    #expect(try tree.git.git("status", "--porcelain") == status)
  }
}
