internal import Records
internal import TestSupport
internal import Testing

/// Files that are no records by their names: none of them is passed over in silence.
@Suite struct StrayFileTests {
  private func findings(_ document: JSONValue) -> [String: (severity: String, message: String)] {
    guard case .array(let elements)? = document["findings"] else { return [:] }
    return Dictionary(
      elements.map { element in
        (
          element["path"]?.text?.split(separator: "/").last.map { String($0) } ?? "",
          ("\(element["severity"]?.text ?? "") \(element["code"]?.text ?? "")", element["message"]?.text ?? "")
        )
      }) { first, _ in first }
  }

  @Test("every .md among the decisions that reads as one is one, whatever its name; files = rows + findings")
  func records() async throws {
    let tree = try await CommandTree.sample()
    let records = ["2026-01-13-note.md", "Decision_20260113.md", "decision_1.MD", "2026/01/14/sell.Md", "Größe & 'x'.md"]
    for (index, name) in records.enumerated() {
      try tree.git.write(".moha/maven/decisions/\(name)", CommandTree.decision(20 + index))
    }
    let strays = ["decision_20260113_080000.markdown", "note.md.bak", "drafts/mine.md"]
    for (index, name) in strays.enumerated() {
      try tree.git.write(".moha/maven/decisions/\(name)", CommandTree.decision(30 + index))
    }
    let others = ["README.md": "# What is here\n\nDecisions.\n", "notes.md": "# Notes\n", "empty.md": "", "ReadMe_2.MD": "x"]
    for (name, content) in others { try tree.git.write(".moha/maven/decisions/\(name)", content) }
    try tree.git.write(".moha/maven/decisions/.#decision_x.md", CommandTree.decision(40))
    try tree.git.write(".moha/maven/strategies/first.md", "# A strategy\n")
    try tree.git.commit("strays")
    try await tree.expect(0, "sync")
    let verify = try await tree.expect(0, "verify", "--json").json()
    let found = findings(verify)
    for name in strays {
      let name = name.split(separator: "/").last.map { String($0) } ?? name
      #expect(found[name]?.severity == "warning stray-record", "\(name): \(verify)")
    }
    for name in others.keys { #expect(found[name]?.severity == "info no-record", "\(name): \(verify)") }
    let told = found.filter { $0.value.severity.hasSuffix(" stray-record") || $0.value.severity.hasSuffix(" no-record") }
    #expect(told.count == strays.count + others.count, "\(found)")
    #expect(verify["kinds"]?["decisions"]?["rows"]?.integer == 6 + records.count)
    #expect(
      try await tree.value("SELECT count(*) FROM maven_decisions WHERE git_filename = '2026-01-13-note.md'") == "1")
    // Who counts the files counts the same ones.
    try await tree.expect(0, "reconcile")
    try await tree.expect(0, "commit")
    let identity = try JSONValue.parse(Array(tree.git.git("show", "HEAD:.moha/maven/identity.json").utf8))
    #expect(identity["total_decisions"]?.integer == 6 + records.count)
    let doctor = try await tree.run("doctor", "--timeout", "300", "--json", "--without", "redis,mcp")
    #expect(
      try DoctorTests.findings(doctor).count { $0["code"]?.text == "stray-record" } == strays.count && doctor.status == 3,
      "\(doctor.everything)")
    // One that was named by hand and is damaged is a damaged decision, and keeps its row.
    let damaged = CommandTree.decision(20).replacing("## Action", with: "## Actoin")
    try tree.git.write(".moha/maven/decisions/2026-01-13-note.md", damaged)
    try tree.git.commit("damaged")
    try await tree.expect(3, "reconcile")
    #expect(
      try await tree.value("SELECT git_status FROM maven_decisions WHERE git_filename = '2026-01-13-note.md'") == "unreadable")
    // The name that was told makes a stray one a record.
    try tree.git.git("mv", ".moha/maven/decisions/note.md.bak", ".moha/maven/decisions/note.md")
    try await tree.expect(3, "sync")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "\(7 + records.count)")
  }

  @Test("a copy of the log is told by how many of its entries nothing else holds")
  func logs() async throws {
    let tree = try await CommandTree.sample()
    let entries = (1...20).map { "## [2026-01-01T10:00:\($0 + 10)+00:00] NOTE\n\nOld event \($0).\n\n---\n\n" }
    try tree.git.write(".moha/maven/session_log_backup_2026.md", "# Log\n\n---\n\n" + entries.joined())
    let log = try tree.git.git("show", "HEAD:.moha/maven/session_log.md")
    try tree.git.write(".moha/maven/backups/session_log.md.bak", log + "\n")
    try tree.git.write(".moha/maven/notes.md", "no log\n")
    try tree.git.commit("copies")
    try await tree.expect(0, "sync")
    let found = findings(try await tree.expect(0, "verify", "--json").json())
    #expect(found["session_log_backup_2026.md"]?.severity == "warning stray-log", "\(found)")
    #expect(found["session_log_backup_2026.md"]?.message.hasPrefix("20 of its 20 entries are in no log") == true)
    #expect(found["session_log.md.bak"]?.severity == "info log-copy", "\(found)")
    #expect(found["notes.md"] == nil)
    #expect(try await tree.value("SELECT count(*) FROM maven_memory") == "3")
  }

  @Test("controls and marks that reorder text are escaped in JSON, and mean the same")
  func json() async throws {
    let tree = try await CommandTree.sample()
    let hostile = "a\u{9B}31m b\u{202E}c\u{2066}d\u{200F}e\u{7F}f\u{E0041}g"
    try tree.git.write(CommandTree.decisionFile(9), CommandTree.decision(9, action: hostile))
    try tree.git.commit("hostile")
    try await tree.expect(0, "sync")
    for arguments in [["decisions", "--json"], ["search", "momentum", "--json"], ["decisions"], ["history", "-v"]] {
      let output = try await tree.run(arguments)
      for scalar in output.stdoutText.unicodeScalars where scalar != "\n" {
        let isHidden =
          scalar.properties.generalCategory == .control || (0x202A...0x202E).contains(scalar.value)
          || (0x2066...0x2069).contains(scalar.value) || [0x200E, 0x200F, 0x061C].contains(scalar.value)
        #expect(!isHidden, "U+\(String(scalar.value, radix: 16)) from \(arguments)")
        if isHidden { break }
      }
    }
    let document = try await tree.run("decisions", "--json").json()
    guard case .array(let decisions)? = document["decisions"] else { return }
    #expect(decisions.contains { $0["action"]?.text == hostile })
  }
}
