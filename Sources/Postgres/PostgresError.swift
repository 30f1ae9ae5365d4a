/// An error of the server, of libpq, or of a call that could not be made.
///
/// `description` is safe to log: it holds neither parameter values nor row contents nor passwords, so it leaves out
/// the server's DETAIL and CONTEXT, which quote rows, and masks what a message quotes from the data.
/// `debugDescription` holds all that the server said and the statement's text; it never holds a password.
package struct PostgresError: Error, Sendable, Hashable {
  /// What went wrong, as a caller would branch on it.
  package var code: Code
  /// The server's own code; nil when the server did not speak.
  package var sqlState: SQLState?
  /// What was being done, in a few words without values: `connecting to postgresql://…`, `executing INSERT`.
  package var operation: String
  /// The primary message, as the server or libpq wrote it. May quote data.
  package var message: String
  /// The server's DETAIL. Quotes rows and keys.
  package var detail: String?
  /// The server's HINT, or ours.
  package var hint: String?
  /// The server's CONTEXT: function call stack, or the line of a COPY. Quotes rows.
  package var context: String?
  package var schema: String?
  package var table: String?
  package var column: String?
  package var constraint: String?
  /// The statement that failed, without its parameters; only `debugDescription` shows it.
  package var statement: String?

  package init(_ code: Code, operation: String, message: String, sqlState: SQLState? = nil, hint: String? = nil) {
    self.code = code
    self.operation = operation
    self.message = message
    self.sqlState = sqlState
    self.hint = hint
  }

  /// True if the server hung up on the connection, as it does when it stops: a new one may get an answer.
  package var isOfLostConnection: Bool { code == .connectionLost || sqlState?.rawValue.hasPrefix("57P") == true }

  /// True if the same work may succeed when it is done again, on a new connection where this one is lost.
  ///
  /// A commit whose outcome is unknown is not transient: doing it again could do it twice.
  package var isTransient: Bool {
    if code == .commitOutcomeUnknown { return false }
    if code == .connectionLost || code == .serverStarting || code == .lockNotAvailable { return true }
    guard let sqlState else { return code == .connectionFailed }
    return sqlState.classCode == "08" && code != .protocolViolation || sqlState.classCode == "40"
      || isOfLostConnection || sqlState == .lockNotAvailable || sqlState == .tooManyConnections
  }
}

extension PostgresError {
  /// A kind of failure. New kinds may be added: a `switch` over it needs a default.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    private let name: String

    private init(_ name: StaticString) { self.name = "\(name)" }

    package var description: String { name }

    /// No connection could be made: refused, timed out, no such socket or host.
    package static let connectionFailed = Code("connection-failed")
    /// The connection broke during or since the last statement.
    package static let connectionLost = Code("connection-lost")
    /// Class 28: the role or its password was refused.
    package static let authenticationFailed = Code("authentication-failed")
    /// 3D000.
    package static let databaseMissing = Code("database-missing")
    /// 57P03: the server is starting, stopping or recovering.
    package static let serverStarting = Code("server-starting")
    /// 42501.
    package static let insufficientPrivilege = Code("insufficient-privilege")
    /// The task was cancelled: the server ended the statement for it (57014), or it was never sent.
    package static let cancelled = Code("cancelled")
    /// 57014, and nobody here cancelled: a time limit of the server's, or somebody else did.
    package static let timedOut = Code("timed-out")
    /// Class 23.
    package static let constraintViolation = Code("constraint-violation")
    /// Class 40: a serialization failure or a deadlock.
    package static let serializationFailure = Code("serialization-failure")
    /// 42P01.
    package static let undefinedTable = Code("undefined-table")
    /// 53100.
    package static let diskFull = Code("disk-full")
    /// 25006: a write in a read-only transaction, or on a standby.
    package static let readOnly = Code("read-only")
    /// 55P03, or an advisory lock that stayed taken until the deadline.
    package static let lockNotAvailable = Code("lock-not-available")
    /// A value, setting or identifier that cannot be sent.
    package static let invalidParameter = Code("invalid-parameter")
    /// A column that is missing, null, or of another type than the one asked for.
    package static let unexpectedValue = Code("unexpected-value")
    /// The other end, or the caller, broke the order of messages.
    package static let protocolViolation = Code("protocol-violation")
    /// The connection broke after COMMIT was sent: the transaction may or may not have taken place.
    package static let commitOutcomeUnknown = Code("commit-outcome-unknown")
    /// A statement of the transaction failed and its error was not passed on, so COMMIT was not possible.
    package static let transactionAborted = Code("transaction-aborted")
    /// The pool or the connection has been closed.
    package static let closed = Code("closed")
    /// Any other answer of the server; see `sqlState`.
    package static let server = Code("server")

    /// The code for a server's answer.
    static func named(by state: SQLState) -> Code {
      switch state {
      case .queryCanceled: .cancelled
      case .invalidCatalogName: .databaseMissing
      case .cannotConnectNow: .serverStarting
      case .insufficientPrivilege: .insufficientPrivilege
      case .undefinedTable: .undefinedTable
      case .diskFull: .diskFull
      case .readOnlyTransaction: .readOnly
      case .lockNotAvailable: .lockNotAvailable
      default:
        switch state.classCode {
        case "08": state.rawValue == "08P01" ? .protocolViolation : .connectionLost
        case "23": .constraintViolation
        case "28": .authenticationFailed
        case "40": .serializationFailure
        default: .server
        }
      }
    }
  }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
  package var description: String {
    var text = "\(operation): \(safeMessage)"
    if let sqlState { text += " (SQLSTATE \(sqlState))" }
    if let name = qualifiedTable { text += ", table \(name)" }
    if let column { text += ", column \(column)" }
    if let constraint { text += ", constraint \(constraint)" }
    return text
  }

  package var debugDescription: String {
    var lines = ["\(operation): \(message) [\(code)\(sqlState.map { ", SQLSTATE \($0)" } ?? "")]"]
    let fields = [
      ("detail", detail), ("hint", hint), ("context", context), ("table", qualifiedTable), ("column", column),
      ("constraint", constraint), ("statement", statement),
    ]
    for (name, value) in fields {
      if let value { lines.append("  \(name): \(value)") }
    }
    return lines.joined(separator: "\n")
  }

  private var qualifiedTable: String? {
    guard let table else { return nil }
    return schema.map { "\($0).\(table)" } ?? table
  }

  /// The primary message without anything that it may quote from the data.
  ///
  /// The messages of most classes name objects and settings only. Class 22 (data exceptions) quotes the offending
  /// value, and whatever a function raises (class P0, and codes of its own) can hold anything.
  private var safeMessage: String {
    guard let sqlState else { return message }
    if Self.classesWithoutData.contains(sqlState.classCode) { return message }
    if sqlState.classCode == "22" { return Self.maskingQuotations(in: message) }
    return "the server refused it"
  }

  private static let classesWithoutData: Set<String> = [
    "08", "0A", "23", "25", "26", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58",
  ]

  /// Replaces everything from the first quotation mark to the last.
  private static func maskingQuotations(in message: String) -> String {
    guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""), first < last else {
      return message
    }
    return message[..<first] + "\"…\"" + message[message.index(after: last)...]
  }
}
