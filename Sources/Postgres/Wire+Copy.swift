internal import CLibPQ
internal import Telemetry

extension Wire {
  /// Runs `COPY … FROM STDIN (FORMAT binary)` and lets `body` write its rows; the number of rows.
  func copyIn(_ sql: String, _ body: (inout CopyWriter) throws -> Void) throws -> Int {
    try streamUnderOurSettings { try copyInAsIs(sql, body) }
  }

  private func copyInAsIs(_ sql: String, _ body: (inout CopyWriter) throws -> Void) throws -> Int {
    try beginCopy(sql, expecting: PGRES_COPY_IN)
    isStreaming = true
    defer { isStreaming = false }
    do {
      var writer = CopyWriter(self, sql)
      try writer.writeHeader()
      try body(&writer)
      try writer.finish()
    } catch {
      if handle.isOpen { _ = unsafe PQputCopyEnd(handle.pointer, "the writer gave up") }
      abandonResults(cancelling: false)
      throw error
    }
    guard unsafe PQputCopyEnd(handle.pointer, nil) == 1 else { throw failed(Self.operationName(sql), sql) }
    return try finishCopy(sql)
  }

  /// Runs `COPY … TO STDOUT (FORMAT binary)` and lends each row to `body`; the number of rows.
  func copyOut(_ sql: String, _ body: (borrowing BinaryRow) throws -> Void) throws -> Int {
    try streamUnderOurSettings { try copyOutAsIs(sql, body) }
  }

  private func copyOutAsIs(_ sql: String, _ body: (borrowing BinaryRow) throws -> Void) throws -> Int {
    let wasInTransaction = isInTransaction
    try beginCopy(sql, expecting: PGRES_COPY_OUT)
    isStreaming = true
    defer { isStreaming = false }
    do {
      var reader = BinaryCopyReader()
      var message: UnsafeMutablePointer<CChar>?
      while true {
        let length = unsafe PQgetCopyData(handle.pointer, &message, 0)
        guard length > 0 else {
          if length == -2 { throw failed(Self.operationName(sql), sql) }
          break
        }
        defer { unsafe PQfreemem(message) }
        try unsafe reader.feed(UnsafeRawBufferPointer(start: message, count: Int(length)), body)
      }
    } catch {
      abandonResults(cancelling: !wasInTransaction)
      throw error
    }
    return try finishCopy(sql)
  }

  private func beginCopy(_ sql: String, expecting status: ExecStatusType) throws(PostgresError) {
    try checkReady(sql)
    let result = try result(ifSent: unsafe PQsendQuery(handle.pointer, sql), sql)
    guard result.status == status, result.isBinaryCopy else {
      abandonResults(cancelling: false)
      throw PostgresError(
        .invalidParameter, operation: Self.operationName(sql),
        message: "it is not COPY … (FORMAT binary) in the direction asked for")
    }
  }

  /// Reads the result that follows the data, and then to the end.
  private func finishCopy(_ sql: String) throws(PostgresError) -> Int {
    defer { abandonResults(cancelling: false) }
    let rows = try unsafe checked(unsafe PQgetResult(handle.pointer), sql).affectedRows
    WorkCount.add(.rowsCopied, rows)
    return rows
  }
}
