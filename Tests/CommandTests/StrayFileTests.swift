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

  @Test("what reads as a decision under another name is told with the name that makes it one; files = rows + findings")
  func records() async throws {
    let tree = try await CommandTree.sample()
    let names = ["2026-01-13-note.md", "Decision_20260113.md", "decision_20260113_080000.markdown", "decision_1.MD"]
    for (index, name) in names.enumerated() {
      try tree.git.write(".moha/maven/decisions/\(name)", CommandTree.decision(20 + index))
    }
    try tree.git.write(".moha/maven/decisions/README.md", "# What is here\n\nDecisions.\n")
    try tree.git.write(".moha/maven/decisions/.#decision_x.md", CommandTree.decision(30))
    try tree.git.write(".moha/maven/strategies/first.md", "# A strategy\n")
    try tree.git.commit("strays")
    try await tree.expect(0, "sync")
    let verify = try await tree.expect(0, "verify", "--json").json()
    let found = findings(verify)
    for name in names {
      #expect(found[name]?.severity == "warning stray-record", "\(name): \(verify)")
      #expect(found[name]?.message.contains("`git mv` it to decision_20260201_080000.md") == true)
    }
    #expect(found["README.md"]?.severity == "info no-record")
    let told = found.filter { $0.value.severity.hasSuffix(" stray-record") || $0.value.severity.hasSuffix(" no-record") }
    #expect(told.count == 5, "\(found)")
    #expect(verify["kinds"]?["decisions"]?["rows"]?.integer == 6)
    let doctor = try await tree.run("doctor", "--timeout", "300", "--json", "--without", "redis,mcp")
    let strays = try DoctorTests.findings(doctor).filter { $0["code"]?.text == "stray-record" }
    #expect(doctor.status == 3 && strays.count == 4, "\(doctor.everything)")
    let others = try DoctorTests.findings(doctor).first { $0["code"]?.text == "other-files" }
    #expect(others?["found"]?.text?.hasPrefix("6 files of the tree are no records") == true, "\(doctor.everything)")
    // The name that was told makes it a record.
    try tree.git.git("mv", ".moha/maven/decisions/\(names[0])", ".moha/maven/decisions/decision_20260201_080000.md")
    try await tree.expect(0, "sync")
    #expect(try await tree.value("SELECT count(*) FROM maven_decisions") == "7")
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
