internal import Records
internal import Testing

@testable internal import Pages
@testable internal import Persistence

/// Drawings of numbers as they may come.
@Suite struct ChartTests {
  private func chart(_ values: [Dataset.Cell], _ shape: Chart.Shape) -> String {
    let rows = values.enumerated().map { [Dataset.Cell.integer($0), $1] }
    return Chart(
      id: "c", title: "Title & <name>", summary: "What it shows.", shape: shape,
      dataset: Dataset([.init("x", "X", .integer), .init("y", "Y", .money)], rows: rows), x: "x", y: "y",
      beginsAtZero: true
    ).html.markup
  }

  private func number(_ text: String) throws -> Dataset.Cell { .number(try #require(ExactDecimal(text))) }

  @Test("a drawing has a name, a description and its data as a table, each value as the database spells it")
  func accessible() throws {
    let markup = chart([try number("1.50"), try number("-20000.25"), try number("3")], .line(isFilled: true))
    #expect(markup.contains(#"role="img" aria-labelledby="c-title c-text""#))
    #expect(markup.contains(#"<h2 id="c-title">Title &amp; &lt;name&gt;</h2>"#))
    #expect(markup.contains("<summary>Data: 3 rows</summary>") && markup.contains(">1.50<"))
    #expect(markup.contains("−20\u{202F}000.25"))
  }

  @Test("any numbers draw without a coordinate that is none: equal, huge, tiny, missing, or a single one")
  func numbers() throws {
    let big = String(repeating: "9", count: 400)
    let cases: [[Dataset.Cell]] = [
      [], [try number("0")], [try number("0"), try number("0")], [try number("5"), try number("5"), try number("5")],
      [try number(big), try number("-\(big)")],
      [try number("0.\(String(repeating: "0", count: 330))1"), try number("0")],
      [.none, .text("NaN"), try number("1"), try number("-1")], [try number("-3"), try number("-1")],
    ]
    for values in cases {
      for shape in [Chart.Shape.line(isFilled: true), .columns, .dots] {
        let markup = chart(values, shape)
        #expect(!markup.contains("nan") && !markup.contains("inf"), "\(markup)")
        for match in markup.matches(of: /\ (?:x|y|width|height|d)="([^"]*)"/) {
          #expect(String(match.1).wholeMatch(of: /[-0-9. MLHVhvZ]*/) != nil, "\(match.1)")
        }
        #expect(markup.contains("<svg") || markup.contains("Not enough data"))
      }
    }
  }

  @Test("an axis has round ends around all values and few labels, which differ")
  func axes() {
    for values in [
      [0.0, 1], [3, 97], [-54.25, 101.1], [12_099, 571_647], [0.001, 0.0042], [1e9, 3.3e9], [-5, -1],
    ] {
      let axis = Axis(values, includesZero: true)
      #expect(axis.low <= (values.min() ?? 0) && axis.high >= (values.max() ?? 0))
      let labels = axis.ticks.map { axis.label($0) }
      #expect((3...9).contains(labels.count) && Set(labels).count == labels.count, "\(labels)")
      #expect(labels.contains("0") && labels.allSatisfy { $0.count <= 8 }, "\(labels)")
    }
  }

  @Test("times are told as people say them")
  func relative() throws {
    let now = try #require(Instant("2026-01-13T12:00:00Z"))
    for (text, words) in [
      ("2026-01-13T11:59:30Z", "just now"), ("2026-01-13T11:58:00Z", "2 minutes ago"),
      ("2026-01-13T11:00:00Z", "1 hour ago"),
      ("2026-01-10T11:00:00Z", "3 days ago"), ("2025-11-01T00:00:00Z", "2 months ago"),
      ("2024-01-01T00:00:00Z", "2 years ago"),
      ("2026-01-13T14:00:00Z", "in 2 hours"), ("0001-01-01", "2025 years ago"), ("9999-12-31", "in 7973 years"),
    ] {
      #expect(PageFrame.relative(try #require(Instant(text)), to: now) == words)
    }
  }
}
