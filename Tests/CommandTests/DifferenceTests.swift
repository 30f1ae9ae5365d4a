internal import Records
internal import TestSupport
internal import Testing

/// What counts as a difference is the same for every command, and the first line of a report says how it stands.
@Suite struct DifferenceTests {
  private func first(_ output: ChildProcess.Output) -> String {
    output.stdoutText.split(separator: "\n").first.map(String.init) ?? ""
  }

  @Test("a wrong counter is a warning and no difference: verify, a dry run and a tick agree")
  func counters() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(".moha/maven/identity.json", #"{"name": "Maven", "total_decisions": 2}"#)
    try tree.git.commit("a wrong counter")
    try await tree.expect(0, "sync")
    let verify = try await tree.expect(0, "verify", "--json").json()
    let plan = try await tree.expect(0, "reconcile", "--dry-run", "--json").json()
    #expect(verify["in_sync"] == .bool(true) && plan["remaining"]?.integer == 0)
    for document in [verify, plan] { #expect(document["differences"]?["counter_drift"]?.integer == 1) }
    let texts = [try await tree.expect(0, "verify"), try await tree.expect(0, "reconcile", "--dry-run")]
    #expect(first(texts[0]).hasPrefix("In sync: ") && first(texts[1]).hasPrefix("No difference: "))
    for text in texts {
      #expect(text.stdoutText.contains("counter-drift: total_decisions says 2, the tree holds 6"), "\(text.everything)")
      #expect(text.stdoutText.contains("`moha-sync reconcile` corrects it"))
    }
    let tick = try await tree.expect(0, "tick", "-v").stdoutText
    #expect(tick.contains("1 counters of identity.json corrected") && !tick.contains("differences"), "\(tick)")
    #expect(try tree.git.git("show", "HEAD:.moha/maven/identity.json").contains("\"total_decisions\": 6"))
    #expect(try await tree.expect(0, "verify", "--json").json()["differences"]?["counter_drift"]?.integer == 0)
  }

  @Test("a row that differs is one for all three, with or without a wrong counter beside it")
  func rows() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(".moha/maven/identity.json", #"{"name": "Maven", "total_decisions": 2}"#)
    try tree.git.commit("a wrong counter")
    try await tree.expect(0, "sync")
    try await tree.sql("UPDATE maven_decisions SET confidence = 12 WHERE id = 1; DELETE FROM maven_milestones WHERE id = 1")
    let verify = try await tree.expect(4, "verify")
    #expect(first(verify) == "Not in sync: 2 differences. `moha-sync reconcile` repairs them.", "\(verify.everything)")
    let plan = try await tree.expect(4, "reconcile", "--dry-run")
    #expect(first(plan).hasPrefix("2 differences; nothing was changed."), "\(plan.everything)")
    #expect(try await tree.expect(4, "reconcile", "--dry-run", "--json").json()["remaining"]?.integer == 2)
    let run = try await tree.expect(0, "reconcile")
    #expect(first(run).hasPrefix("Repaired 3, quarantined 1, remaining 0."), "\(run.everything)")
  }

  @Test("files that cannot become records are named in the first line, and no command is advised for them")
  func unreadable() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.write(CommandTree.decisionFile(7), "no decision\n")
    let sync = try await tree.expect(3, "sync")
    let verify = try await tree.expect(3, "verify")
    for output in [sync, verify] {
      #expect(first(output).contains("1 file cannot become a record until it is mended, which no run does: "))
      #expect(first(output).contains(CommandTree.decisionFile(7)), "\(output.everything)")
    }
    #expect(!first(verify).contains("reconcile"))
  }

  @Test("text of records stays text in a Markdown report")
  func markdown() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try await tree.sql(
      "UPDATE maven_decisions SET action = '<img src=x onerror=alert(1)> [x](javascript:alert(1)) | `y`' WHERE id = 1")
    let name = ".moha/maven/decisions/decision_[a](javascript:b)<b>.md"
    try tree.git.write(Array(name.utf8), Array("no decision\n".utf8))
    for arguments in [["reconcile", "--dry-run"], ["reconcile"]] {
      let text = try await tree.run(arguments + ["--format", "markdown"]).stdoutText
      #expect(!text.contains("<img") && !text.contains("[x](") && !text.contains("<b>") && !text.contains("[a]("), "\(text)")
      #expect(text.contains("&lt;img src=x onerror=alert(1)&gt; \\[x\\](javascript:alert(1))"), "\(text)")
    }
  }
}
