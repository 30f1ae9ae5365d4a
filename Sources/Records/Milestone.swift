/// Something that an agent reached. The fields are normalised when it is made: see `RecordText`.
package struct Milestone: Sendable, Equatable {
  package let title: String
  /// Nil in files from before the format existed.
  package let category: String?
  /// Free text of one line.
  package let significance: String?
  /// Nil where the file names no date.
  package let achievedAt: Instant?
  package let description: String
  package let metadata: JSONValue

  package init(
    title: String, category: String? = nil, significance: String? = nil, achievedAt: Instant?, description: String,
    metadata: JSONValue = .emptyObject
  ) {
    self.title = RecordText.line(title)
    self.category = RecordText.optionalLine(category)
    self.significance = RecordText.optionalLine(significance)
    self.achievedAt = achievedAt
    self.description = RecordText.body(description)
    self.metadata = metadata
  }

  /// Equality of the bytes of every text; `metadata` compares as written.
  package static func == (left: Milestone, right: Milestone) -> Bool {
    left.title.isIdentical(toBytesOf: right.title) && left.category.isIdentical(toBytesOf: right.category)
      && left.significance.isIdentical(toBytesOf: right.significance) && left.achievedAt == right.achievedAt
      && left.description.isIdentical(toBytesOf: right.description) && left.metadata == right.metadata
  }
}
