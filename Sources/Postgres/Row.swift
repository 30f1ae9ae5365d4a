/// One row of a result, detached from the connection.
///
/// Rows of one result share their storage: keeping one keeps all. To read many rows in bounded memory, use
/// `forEachRow`.
package struct Row: ResultRow, Sendable {
  let table: ResultTable
  let index: Int

  /// The names of the columns, in order.
  package var columns: [String] { table.columns.names }

  package func index(of column: String) -> Int? { table.columns.index(of: column) }

  package func withCell<R>(
    _ column: Int, _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
  ) throws(PostgresError) -> R {
    try unsafe table.withCell(row: index, column: column, body)
  }
}
