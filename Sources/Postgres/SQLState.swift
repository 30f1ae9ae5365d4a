/// The five-character code by which PostgreSQL names a condition, such as `23505`.
///
/// Unlike the message, it does not depend on the server's language. The first two characters are the class.
package struct SQLState: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
  /// Five ASCII digits and capital letters.
  package let rawValue: String

  /// Nil unless `rawValue` is five ASCII digits or capital letters.
  package init?(rawValue: String) {
    guard rawValue.utf8.count == 5, rawValue.utf8.allSatisfy(Self.isCodeByte) else { return nil }
    self.rawValue = rawValue
  }

  private init(_ constant: StaticString) {
    rawValue = "\(constant)"
  }

  /// The first two characters: `23` holds every violation of a constraint.
  package var classCode: String { String(rawValue.prefix(2)) }

  package var description: String { rawValue }

  static func isCodeByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
  }
}

extension SQLState {
  package static let featureNotSupported = SQLState("0A000")
  package static let invalidParameterValue = SQLState("22023")
  package static let readOnlyTransaction = SQLState("25006")
  package static let inFailedTransaction = SQLState("25P02")
  package static let invalidStatementName = SQLState("26000")
  package static let invalidCatalogName = SQLState("3D000")
  package static let insufficientPrivilege = SQLState("42501")
  package static let duplicatePreparedStatement = SQLState("42P05")
  package static let undefinedTable = SQLState("42P01")
  package static let duplicateDatabase = SQLState("42P04")
  package static let diskFull = SQLState("53100")
  package static let tooManyConnections = SQLState("53300")
  package static let lockNotAvailable = SQLState("55P03")
  package static let queryCanceled = SQLState("57014")
  package static let adminShutdown = SQLState("57P01")
  package static let cannotConnectNow = SQLState("57P03")
  package static let uniqueViolation = SQLState("23505")
}
