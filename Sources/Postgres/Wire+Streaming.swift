internal import CLibPQ

extension Wire {
  /// Feeds the rows of a query to `body` as they arrive, one at a time.
  func stream(_ sql: String, _ parameters: [Value], _ body: (borrowing RowView) throws -> Void) throws {
    try streamUnderOurSettings { try streamAsIs(sql, parameters, body) }
  }

  private func streamAsIs(_ sql: String, _ parameters: [Value], _ body: (borrowing RowView) throws -> Void) throws {
    try checkReady(sql)
    let list = try ParameterList(parameters, operation: Self.operationName(sql))
    let wasInTransaction = isInTransaction
    let sent = unsafe list.withPointers { count, values, lengths, formats in
      unsafe PQsendQueryParams(handle.pointer, sql, count, nil, values, lengths, formats, 0)
    }
    guard sent == 1 else { throw failed(Self.operationName(sql), sql) }
    _ = unsafe PQsetSingleRowMode(handle.pointer)
    isStreaming = true
    defer { isStreaming = false }
    do {
      var columns: ResultColumns?
      while let pointer = unsafe PQgetResult(handle.pointer) {
        let result = try unsafe checked(pointer, sql)
        guard result.status == PGRES_SINGLE_TUPLE else { continue }
        let known = columns ?? ResultColumns(result)
        columns = known
        try body(RowView(result: result, columnNames: known))
      }
    } catch {
      abandonResults(cancelling: !wasInTransaction)
      throw error
    }
    // Losing the connection can end the results without an error of their own.
    guard handle.isOpen else { throw failed(Self.operationName(sql), sql) }
  }

  /// Reads to the end of the statement in hand, so that the next one finds a quiet connection.
  ///
  /// Inside a transaction the server is left to finish: cancelling would end the transaction.
  func abandonResults(cancelling: Bool) {
    if cancelling, handle.isOpen { canceller.sendNow() }
    while let pointer = unsafe PQgetResult(handle.pointer) {
      let result = unsafe ResultHandle(pointer)
      switch result.status {
      case PGRES_COPY_OUT: skipCopyData()
      case PGRES_COPY_IN: _ = unsafe PQputCopyEnd(handle.pointer, "abandoned")
      default: break
      }
      // A broken connection may repeat its error for ever.
      if !handle.isOpen { return }
    }
  }

  private func skipCopyData() {
    var buffer: UnsafeMutablePointer<CChar>?
    while unsafe PQgetCopyData(handle.pointer, &buffer, 0) > 0 { unsafe PQfreemem(buffer) }
  }
}
