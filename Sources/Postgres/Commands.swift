/// What can be done with a connection while its thread is lent: by a `Transaction` and by a `Session`.
///
/// Every method blocks the connection's thread, and throws `PostgresError` or what its closure throws. After the
/// task has been cancelled, the statement in hand ends with `.cancelled`, and no other one is sent.
package protocol Commands: ~Copyable {
  var wire: Wire { get }
}

extension Commands where Self: ~Copyable {
  /// Runs one statement; the number of rows that it affected.
  @discardableResult
  package func execute(_ sql: String, _ parameters: [Value] = []) throws(PostgresError) -> Int {
    try wire.run(sql, parameters).affectedRows
  }

  /// Runs one statement; all of its rows.
  package func query(_ sql: String, _ parameters: [Value] = []) throws(PostgresError) -> [Row] {
    try wire.run(sql, parameters).rows
  }

  /// Like `execute`, through a statement that the connection prepares once and keeps: for what is run often.
  @discardableResult
  package func executePrepared(_ sql: String, _ parameters: [Value] = []) throws(PostgresError) -> Int {
    try wire.runPrepared(sql, parameters).affectedRows
  }

  /// Like `query`, through a statement that the connection prepares once and keeps: for what is run often.
  package func queryPrepared(_ sql: String, _ parameters: [Value] = []) throws(PostgresError) -> [Row] {
    try wire.runPrepared(sql, parameters).rows
  }

  /// Runs several statements without parameters. Outside of a transaction they are one, unless they say otherwise;
  /// behind a pooler they are one in any case.
  package func script(_ sql: String) throws(PostgresError) {
    try wire.runScript(sql)
  }

  /// Feeds the rows of a query to `body` as they arrive, one at a time, in bounded memory.
  ///
  /// `body` cannot use the connection. When it throws, the rest of the rows is skipped.
  package func forEachRow(
    _ sql: String, _ parameters: [Value] = [], _ body: (borrowing RowView) throws -> Void
  ) throws {
    try wire.stream(sql, parameters, body)
  }

  /// Runs one statement with each of the parameter sets, without a round trip for each; the sum of affected rows.
  ///
  /// All or nothing. An error names the set, counted from 1.
  @discardableResult
  package func executeMany(_ sql: String, _ parameterSets: some Sequence<[Value]>) throws -> Int {
    try wire.executeMany(sql, parameterSets)
  }

  /// Runs `COPY … FROM STDIN (FORMAT binary)` with the rows that `body` writes; the number of rows.
  ///
  /// When `body` throws, the COPY fails as a whole and the connection stays usable.
  @discardableResult
  package func copyIn(_ statement: String, _ body: (inout CopyWriter) throws -> Void) throws -> Int {
    try wire.copyIn(statement, body)
  }

  /// Runs `COPY (…) TO STDOUT (FORMAT binary)` and lends each row to `body`, in bounded memory; the number of rows.
  @discardableResult
  package func copyOut(_ statement: String, _ body: (borrowing BinaryRow) throws -> Void) throws -> Int {
    try wire.copyOut(statement, body)
  }
}

extension ResultHandle {
  /// All rows.
  var rows: [Row] {
    let table = ResultTable(self)
    return (0..<table.rowCount).map { Row(table: table, index: $0) }
  }
}
