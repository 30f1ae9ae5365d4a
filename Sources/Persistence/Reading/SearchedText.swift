/// The part of a row's text that full-text search covers, as SQL.
///
/// The expressions are those of the indexes in `migrations/0007_arrival.sql` and `0009_interface.sql`, term for term:
/// another one would read the whole table. They are cut because a `tsvector` holds at most 1 MiB of lexemes; see there for how much fits.
struct SearchedText {
  /// What an excerpt is taken from.
  let text: String
  let vector: String

  private init(indexed: String, text: String? = nil) {
    self.text = text ?? indexed
    vector = "to_tsvector('english'::regconfig, \(indexed))"
  }

  private init(column: String, text: String) {
    self.text = text
    vector = column
  }

  static let decisions = SearchedText(indexed: "left(left(action, 30000) || ' ' || reasoning, 100000)")
  static let insights = SearchedText(indexed: "left(content, 100000)")
  static let milestones = SearchedText(
    indexed: "left(left(title, 30000) || ' ' || description, 100000)", text: "left(description, 100000)")
  /// A column that a trigger keeps.
  static let memory = SearchedText(column: "search_vector", text: "left(description, 100000)")

  /// The assets that a text names between commas, in capitals and without blanks.
  static func assets(_ text: String) -> String {
    "string_to_array(left(translate(upper(left(\(text), 600)), ' ', ''), 600), ',')"
  }
}
