internal import Records
internal import Testing

@testable internal import Pages
@testable internal import Persistence

/// The page of a decision whose row does not say what its file says.
@Suite struct DecisionComparisonTests {
  private func row(_ confidence: String, at position: DecisionPosition) -> DecisionRow {
    DecisionRow(
      position: position, file: "decision_20260201_080001.md", type: "buy", asset: "BTC",
      action: "Row's action", reasoning: "Row's reasoning", confidence: .text(confidence), risk: "low", decidedAt: nil,
      recordedOutcome: nil, metadata: nil, path: ".moha/maven/decisions/decision_20260201_080001.md", commit: nil,
      gitStatus: "current", trades: 0, openTrades: 0, netPnL: .none, outcome: "no trades")
  }

  private func document(_ comparison: RowComparison) throws -> String {
    let position = try #require(DecisionPosition("1.2"))
    return DecisionDetailPage(
      agent: .default, file: "decision_20260201_080001.md",
      content: .row(row("12.00", at: position), trades: Dataset([], rows: []), provenance: nil, comparison: comparison), now: .now()
    ).document
  }

  @Test("of fields that differ git's value stands in its place, and both stand in a table")
  func differs() throws {
    let document = try document(
      .differs([
        .init(name: "confidence", git: "70.0", row: "12.00"), .init(name: "action", git: "Git's action", row: "Row's action"),
        .init(name: "outcome", git: "won", row: nil),
      ]))
    #expect(document.contains("The row says something else than the file: confidence, action, outcome."))
    let facts = try #require(document.firstRange(of: "<h2>Facts</h2>")).upperBound
    let confidence = document[facts...].prefix(200)
    #expect(confidence.contains("70.0 %") && !confidence.contains("12"), "\(confidence)")
    #expect(document.contains("dir=\"auto\">Git&#39;s action<") && !document.contains("dir=\"auto\">Row&#39;s action<"))
    #expect(document.contains("dir=\"auto\">Row&#39;s reasoning<") && document.contains("dir=\"auto\">won<"))
    for value in ["12.00", "nothing", "Row&#39;s action"] { #expect(document.contains(value), "\(value)") }
  }

  @Test("what was not compared is said so; only what was compared is said to be the same")
  func verdicts() throws {
    let same = "The file and the row say the same"
    let equal = try document(.same)
    #expect(equal.contains(same) && !equal.contains("cannot be compared"))
    let unknown = try document(.unknown("the tree has no such file now"))
    #expect(unknown.contains("it cannot be compared with git: the tree has no such file now.") && !unknown.contains(same))
  }
}
