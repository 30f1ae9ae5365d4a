internal import CLibPQ

/// Owns a `PGresult`: `PQclear` on deinit.
///
/// `@safe`: the pointer is private, never null, and lives as long as the value; indices are checked here.
@safe struct ResultHandle: ~Copyable {
  private let pointer: OpaquePointer

  /// Takes ownership of `pointer`.
  init(_ pointer: OpaquePointer) {
    unsafe self.pointer = pointer
  }

  deinit {
    unsafe PQclear(pointer)
  }

  var status: ExecStatusType { unsafe PQresultStatus(pointer) }
  var rowCount: Int { Int(unsafe PQntuples(pointer)) }
  var columnCount: Int { Int(unsafe PQnfields(pointer)) }

  /// True if data follows, in either direction.
  var isCopy: Bool { [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(status) }

  /// True if a COPY carries its rows in binary format.
  var isBinaryCopy: Bool { unsafe PQbinaryTuples(pointer) == 1 }

  /// Rows inserted, updated, deleted, copied or returned; 0 for statements that have no rows.
  var affectedRows: Int {
    guard let text = unsafe PQcmdTuples(pointer) else { return 0 }
    return unsafe Int(String(cString: text)) ?? 0
  }

  /// The command tag, such as `ROLLBACK`.
  var commandTag: String {
    guard let text = unsafe PQcmdStatus(pointer) else { return "" }
    return unsafe String(cString: text)
  }

  func columnName(_ column: Int) -> String {
    guard let name = unsafe PQfname(pointer, CInt(truncatingIfNeeded: column)) else { return "" }
    return unsafe String(cString: name)
  }

  func columnType(_ column: Int) -> UInt32 {
    unsafe PQftype(pointer, CInt(truncatingIfNeeded: column))
  }

  /// The bytes of one value, valid while the result lives; nil for null or outside of the result.
  func cell(row: Int, column: Int) -> UnsafeRawBufferPointer? {
    guard row >= 0, row < rowCount, column >= 0, column < columnCount else { return nil }
    let (row, column) = (CInt(row), CInt(column))
    guard unsafe PQgetisnull(pointer, row, column) == 0, let start = unsafe PQgetvalue(pointer, row, column) else {
      return nil
    }
    return unsafe UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(pointer, row, column)))
  }

  /// A field of an error report, `PG_DIAG_…`.
  func errorField(_ code: Unicode.Scalar) -> String? {
    guard let text = unsafe PQresultErrorField(pointer, CInt(code.value)) else { return nil }
    return unsafe String(cString: text)
  }

  /// The whole report, or libpq's own message when the server sent none.
  var errorMessage: String {
    guard let text = unsafe PQresultErrorMessage(pointer) else { return "" }
    return unsafe String(cString: text)
  }
}
