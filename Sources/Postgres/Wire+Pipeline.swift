internal import CLibPQ
internal import Telemetry

extension Wire {
  /// How many statements may be under way before their answers are read, which bounds what waits in memory.
  private static let window = 256

  /// Runs one statement with each of many parameter sets, without waiting for an answer in between.
  ///
  /// All or nothing: outside of a transaction it opens one, because the sets that went before an error would
  /// otherwise be committed by the synchronisation point that ends the pipeline.
  ///
  /// - Returns: The sum of affected rows.
  func executeMany(_ sql: String, _ parameterSets: some Sequence<[Value]>) throws -> Int {
    guard !isInTransaction else { return try pipeline(sql, parameterSets) }
    return try transaction(Wire.plainBegin) { try pipeline(sql, parameterSets) }
  }

  private func pipeline(_ sql: String, _ parameterSets: some Sequence<[Value]>) throws(PostgresError) -> Int {
    try checkReady(sql)
    let statementName = try prepare(sql)
    guard unsafe PQenterPipelineMode(handle.pointer) == 1 else { throw failed(Self.operationName(sql), sql) }
    isStreaming = true
    defer {
      _ = unsafe PQexitPipelineMode(handle.pointer)
      isStreaming = false
    }
    var progress = PipelineProgress()
    do throws(PostgresError) {
      for set in parameterSets {
        try checkCancellation(Self.operationName(sql))
        try send(set, to: statementName, sql, &progress)
        if progress.unanswered >= Self.window { try readAnswers(sql, &progress) }
      }
      try readAnswers(sql, &progress)
    } catch {
      endPipeline()
      throw error
    }
    endPipeline()
    guard handle.isOpen else { throw failed(Self.operationName(sql), sql) }
    return progress.affectedRows
  }

  private func send(
    _ set: [Value], to statementName: String, _ sql: String, _ progress: inout PipelineProgress
  ) throws(PostgresError) {
    let list = try ParameterList(set, operation: "\(Self.operationName(sql)), set \(progress.sent + 1)")
    let status = unsafe list.withPointers { count, values, lengths, formats in
      unsafe PQsendQueryPrepared(handle.pointer, statementName, count, values, lengths, formats, 0)
    }
    guard status == 1 else { throw failed(Self.operationName(sql), sql) }
    progress.sent += 1
  }

  /// Asks for the answers that are due and reads them: for each statement its result, then the null that ends it.
  private func readAnswers(_ sql: String, _ progress: inout PipelineProgress) throws(PostgresError) {
    guard progress.unanswered > 0 else { return }
    guard unsafe PQsendFlushRequest(handle.pointer) == 1, unsafe PQflush(handle.pointer) == 0 else {
      throw failed(Self.operationName(sql), sql)
    }
    WorkCount.add(.statements)
    while progress.unanswered > 0 {
      do throws(PostgresError) {
        unsafe progress.affectedRows += try checked(unsafe PQgetResult(handle.pointer), sql).affectedRows
      } catch {
        var numbered = error
        numbered.operation += ", set \(progress.answered + 1)"
        throw numbered
      }
      progress.answered += 1
      while let extra = unsafe PQgetResult(handle.pointer) { _ = unsafe ResultHandle(extra) }
    }
  }

  /// Sends the synchronisation point and reads up to it, over whatever an error has left unanswered.
  private func endPipeline() {
    guard handle.isOpen, unsafe PQpipelineSync(handle.pointer) == 1 else { return }
    var nulls = 0
    // Two nulls in a row mean that nothing is due any more; one alone ends the answer to a statement.
    while handle.isOpen, nulls < 2 {
      guard let pointer = unsafe PQgetResult(handle.pointer) else {
        nulls += 1
        continue
      }
      nulls = 0
      if unsafe ResultHandle(pointer).status == PGRES_PIPELINE_SYNC { return }
    }
  }
}

private struct PipelineProgress {
  var sent = 0
  var answered = 0
  var affectedRows = 0

  var unanswered: Int { sent - answered }
}
