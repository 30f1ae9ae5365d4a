/// One row of a streamed result, lent for the duration of a closure.
///
/// It reads libpq's buffer in place; copy out what is to be kept.
package struct RowView: ResultRow, ~Copyable {
  let result: ResultHandle
  let columnNames: ResultColumns

  /// The names of the columns, in order.
  package var columns: [String] { columnNames.names }

  package func index(of column: String) -> Int? { columnNames.index(of: column) }

  package func withCell<R>(
    _ column: Int, _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
  ) throws(PostgresError) -> R {
    try unsafe body(result.cell(row: 0, column: column))
  }
}
