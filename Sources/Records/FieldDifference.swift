/// A field that git and the database say differently.
package struct FieldDifference: Hashable, Sendable {
  /// The column.
  package let name: String
  /// The value in git, for people; nil for null.
  package let git: String?
  /// The value in the row, for people; nil for null.
  package let row: String?

  package init(name: String, git: String?, row: String?) {
    self.name = name
    self.git = git
    self.row = row
  }
}

extension RecordRow {
  /// Returns the columns in which this row, git's, differs from `other`, the database's, in the order of the columns.
  ///
  /// Numbers compare by value (`98.0` is `98.00`), texts by bytes, and null differs from empty text. Rows of two kinds
  /// differ in nothing that can be named.
  package func fieldDifferences(from other: RecordRow) -> [FieldDifference] {
    guard kind == other.kind else { return [] }
    return zip(Self.columns(of: kind), zip(values, other.values)).compactMap { name, pair in
      pair.0 == pair.1 ? nil : FieldDifference(name: name, git: pair.0.text, row: pair.1.text)
    }
  }
}

extension Record {
  /// Returns the fields in which this record, git's, differs from `other`, the database's.
  package func fieldDifferences(from other: Record) -> [FieldDifference] {
    row.fieldDifferences(from: other.row)
  }
}
