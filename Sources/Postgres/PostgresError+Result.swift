extension PostgresError {
  /// What a failed result reports.
  init(_ result: borrowing ResultHandle, sql: String, connectionIsOpen: Bool) {
    let state = result.errorField("C").flatMap(SQLState.init(rawValue:))
    // FATAL and PANIC end the connection; its end itself arrives a little later.
    let isFatal = ["FATAL", "PANIC"].contains(result.errorField("V"))
    let code: Code =
      if isFatal || !connectionIsOpen {
        .connectionLost
      } else if let state {
        .named(by: state)
      } else {
        .protocolViolation
      }
    self.init(
      code, operation: Wire.operationName(sql),
      message: result.errorField("M") ?? result.errorMessage.trimmingLineEnd(), sqlState: state)
    detail = result.errorField("D")
    hint = result.errorField("H")
    context = result.errorField("W")
    schema = result.errorField("s")
    table = result.errorField("t")
    column = result.errorField("c")
    constraint = result.errorField("n")
    statement = sql
  }
}
