internal import Git
internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Whatever git holds arrives as a row that says the same, or is a finding; nothing fails a run.
@Suite struct ArrivalTests {
  @Test("records at and beyond each limit are rows with equal hashes, or findings", arguments: 0..<3 as Range<UInt64>)
  func limits(seed: UInt64) async throws {
    let tree = try await MavenTree.sample()
    var extremes = Extremes(seed: seed)
    for index in 0..<16 {
      try tree.write("decisions/decision_2026\(1_000 + index)_000000.md", extremes.decision(index))
      try tree.write("milestones/extreme-\(index).md", extremes.milestone(index))
      try tree.write("portfolio/snapshot_2026\(1_000 + index)_000000.json", extremes.snapshot(index))
    }
    try tree.write(
      "session_log.md", MavenTree.log(entries: 1...3) + (0..<16).map { extremes.entry($0) }.joined())
    // More than a row may have in such a column.
    let long = MavenTree.decision(7).replacing(
      "BTC\n**Risk", with: String(repeating: "B", count: 1_048_577) + "\n**Risk")
    try tree.write("decisions/\(MavenTree.decisionName(7))", long)
    try tree.git.commit("extremes")
    #expect(try await expectArrival(tree) >= 1)
    // Most of them are odd, and no more than that.
    let rows = try await tree.value(
      "SELECT count(*) FROM maven_decisions WHERE length(action) + length(reasoning) > 999")
    #expect(Int(rows ?? "") ?? 0 > 0)
  }

  @Test("names that no file system holds are findings, beside which all others arrive")
  func names() async throws {
    let tree = try await MavenTree.sample()
    let blob = try tree.git.git(["hash-object", "-w", "--stdin"], input: Array(MavenTree.decision(9).utf8))
    var random = SeededGenerator(seed: 1)
    var listing = try tree.git.gitBytes(["ls-tree", "-z", "HEAD:\(tree.root)/decisions"])
    for length in [200, 2_600, 2_705, 4_000, 9_000] {
      let middle = (0..<length).map { _ in UInt8(97 + random.below(26)) }
      listing += Array("100644 blob \(blob)\tdecision_".utf8) + middle + Array(".md\0".utf8)
    }
    listing +=
      Array("100644 blob \(blob)\tdecision_".utf8) + (1..<250).map { UInt8($0 == 47 ? 200 : $0) }
      + Array(".md\0".utf8)
    let decisions = try tree.git.git(["mktree", "-z"], input: listing)
    let maven = try tree.git.gitBytes(["ls-tree", "HEAD:\(tree.root)"])
    let replaced = String(decoding: maven, as: UTF8.self).split(separator: "\n").map {
      $0.hasSuffix("\tdecisions") ? "040000 tree \(decisions)\tdecisions" : String($0)
    }
    let agent = try tree.git.git(["mktree"], input: Array((replaced.joined(separator: "\n") + "\n").utf8))
    let moha = try tree.git.git(["mktree"], input: Array("040000 tree \(agent)\tmaven\n".utf8))
    let root = try tree.git.git(["mktree"], input: Array("040000 tree \(moha)\t.moha\n".utf8))
    tree.git.setDate()
    let commit = try tree.git.git("commit-tree", root, "-p", "HEAD", "-m", "long names")
    let refused = try await expectArrival(tree, at: commit)
    #expect(refused == 3)
  }

  /// Restores twice and proves the result. Returns how many records the database refused.
  @discardableResult
  private func expectArrival(_ tree: MavenTree, at revision: String? = nil) async throws -> Int {
    for attempt in 1...2 {
      let outcome = try await tree.run("sync", at: revision)
      #expect(outcome.remaining == 0, "\(attempt)")
      if attempt == 2 {
        #expect(outcome.inserted.values.allSatisfy { $0 == 0 } && outcome.quarantined == 0)
      }
    }
    let verification = try await tree.verification(at: revision)
    let survey = verification.survey
    #expect(survey.rowDifferences == 0, "\(survey.differences.map(\.message))")
    for kind in verification.kinds {
      #expect(kind.git == kind.rows + kind.findings && kind.gitDigest == kind.rowDigest, "\(kind)")
    }
    let errors = Set(survey.git.findings.filter { $0.severity == .error }.map(\.path))
    let records = Set(survey.git.records.map { RecordPath($0.path.bytes) })
    for entry in survey.source.entries {
      let path = RecordPath(entry.path.bytes)
      guard TreeLayout.role(of: path, agent: tree.agent).kind != nil else { continue }
      #expect(records.contains(path) || errors.contains(path), "\(path)")
    }
    // Every record file that could not become a row is kept as it is.
    let kept = Int(
      try await tree.value("SELECT count(raw_bytes) FROM maven_quarantine WHERE resolved_at IS NULL") ?? "")
    #expect(kept == verification.kinds.reduce(0) { $0 + $1.findings })
    return survey.plan.refused.count
  }
}

/// Files of records whose fields are as long, deep, large or odd as a limit allows, and more.
private struct Extremes {
  private var random: SeededGenerator

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  private mutating func length() -> Int {
    random.pick([0, 1, 19, 20, 254, 1_000, 2_704, 2_705, 8_191, 12_000, random.pick([70_000, 300_000])])
  }

  /// Text that a column, an index, a search or an encoding may not take.
  private mutating func text(_ count: Int) -> String {
    let alphabets = [
      "a", "ab cd", "\\", "\u{241B}0", "\u{1}\u{8}\u{7f}\u{9b}", "é e\u{301}", "💎𠀋-𐐀 ", "\"'`{}[]",
      "\u{202e}א ",
      "\u{fffd}",
      "a-b_c.d/e@f:g ",
    ]
    switch random.below(4) {
    case 0:
      let alphabet = Array(random.pick(alphabets).unicodeScalars)
      var text = String.UnicodeScalarView()
      for index in 0..<count { text.append(alphabet[index % alphabet.count]) }
      return String(text)
    case 1: return SearchTextGenerator.text(&random, characters: count)
    case 2: return "\u{0}" + String(repeating: "nul\u{0}", count: count / 4)
    default:
      let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz ".unicodeScalars)
      var text = String.UnicodeScalarView()
      for _ in 0..<count { text.append(random.pick(digits)) }
      return String(text)
    }
  }

  private mutating func line() -> String {
    text(length()).replacing("\n", with: " ")
  }

  private mutating func time() -> String {
    random.pick([
      "2026-02-01T08:00:11.250000+00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0000-12-31T00:00:00Z",
      "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2016-12-31T23:59:60Z",
      "1600-02-29T24:00:00Z", "2026-02-30T00:00:00Z", "-0044-03-15T12:00:00Z", "infinity", "now",
    ])
  }

  private mutating func number() -> String {
    let digits = random.pick([1, 3, 16, 999, 1_000, 1_001, 20_000, 140_000])
    let whole = "1" + String(repeating: "7", count: digits - 1)
    return random.pick([
      "98.0", "100", "-1", "0", "-0.0", "1e2", "1e200000", "1E-200000", "1e1000", "1e-1001", "1e99999999999999999999",
      whole, "0." + whole, "\(whole).\(whole)", "9999999999999.99", "10000000000000", "0.001", "NaN",
    ])
  }

  private mutating func json() -> String {
    let depth = random.pick([1, 510, 511, 512, 513, 3_000])
    let key = text(length()).replacing("\\", with: "").replacing("\"", with: "")
    let escaped = JSONString(key)
    let spelled = JSONValue.object([.init(escaped, .string(text(length())))]).text()
    return random.pick([
      "{}", "[]", "null", "1", spelled, "{\"n\": \(number())}", "{\"\\u0000\": \"\\ud800\"}",
      "{\"moha:json\": \"{}\"}", "{\"a\": 1, \"a\": \(number())}", "{\"\": [[], {}]}", "{\"a\": 01}", "{",
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth),
      String(repeating: "{\"k\":", count: depth) + "0" + String(repeating: "}", count: depth),
      "{\"d\": " + String(repeating: "[", count: depth) + "\"\\u0000\"" + String(repeating: "]", count: depth) + "}",
      "[" + (0..<random.pick([10, 20_000])).map { "{\"k\($0)\": \($0)}" }.joined(separator: ",") + "]",
      "{" + (0..<random.pick([10, 20_000])).map { "\"k\($0)\": \($0)" }.joined(separator: ",") + "}",
    ])
  }

  mutating func decision(_ index: Int) -> String {
    let metadata = random.below(2) == 0 ? "" : "## Metadata\n\n```json\n\(json())\n```\n\n"
    return """
      # Decision Record

      **Timestamp:** \(time())
      **Type:** \(line())
      **Asset:** \(line())
      **Risk Level:** \(line())
      **Confidence:** \(number())%

      ## Action

      \(text(length()))

      ## Reasoning

      \(text(length() * (random.below(6) == 0 ? 4 : 1)))

      \(metadata)---
      *Recorded by Maven*

      """
  }

  mutating func milestone(_ index: Int) -> String {
    """
    # Milestone: \(line())

    **Timestamp:** \(time())
    **Category:** \(line())
    **Significance:** \(line())

    ## Description

    \(text(length() * 2))

    ## Metadata

    ```json
    \(json())
    ```

    ---
    *Milestone recorded by Maven*

    """
  }

  mutating func snapshot(_ index: Int) -> String {
    """
    {"schema": 1, "snapshot_at": "\(time())", "snapshot_type": "manual", "total_value_usd": \(number()),
    "available_balance_usd": 1, "margin_used_usd": \(random.pick(["0", "9999999999999.99", number()])),
    "open_positions": [\(json())], "notes": \(JSONValue.string(text(length())).text()), "metadata": \(json())}
    """
  }

  mutating func entry(_ index: Int) -> String {
    let metadata = random.below(2) == 0 ? "" : "**Metadata:** \(json().replacing("\n", with: " "))\n\n"
    return "## [\(time())] \(line())\n\n\(text(length()))\n\n\(metadata)---\n\n"
  }
}
