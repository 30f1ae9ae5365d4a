/// The bytes that a part of a token is made of.
package enum TokenAlphabet: Sendable {
  case digits
  /// In either case of letters, as most issuers write them in one and people in another.
  case hexadecimal
  case alphanumeric, upperAlphanumeric
  /// Letters, digits and `_`.
  case word
  /// The alphabet of base64url, without padding.
  case base64URL
  /// base64url and `.`.
  case dotted
  /// base64url, `.` and `=`.
  case dottedPadded
  /// base64, base64url and padding.
  case base64
  /// Letters and digits, others as a percent sign and their number.
  case percentEncoded
  /// `-` or `_`.
  case separator

  package func contains(_ byte: UInt8) -> Bool {
    switch self {
    case .digits: byte.isDigit
    case .hexadecimal: byte.isHexadecimal
    case .alphanumeric: byte.isAlphanumeric
    case .upperAlphanumeric: byte.isUpper || byte.isDigit
    case .word: byte.isWord
    case .base64URL: byte.isBase64URL
    case .dotted: byte.isBase64URL || byte == UInt8(ascii: ".")
    case .dottedPadded: byte.isBase64URL || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "=")
    case .base64: byte.isBase64 || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    case .percentEncoded: byte.isAlphanumeric || byte == UInt8(ascii: "%")
    case .separator: byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }
  }
}

/// How many bytes a part of a token has.
package struct TokenLength: Sendable, ExpressibleByIntegerLiteral {
  package let minimum: Int
  package let maximum: Int
  /// Whether a part with more bytes than `maximum` is one too, of which only so many are read.
  package let isOpen: Bool

  /// Exactly so many.
  package init(integerLiteral count: Int) {
    (minimum, maximum, isOpen) = (count, count, false)
  }

  private init(_ minimum: Int, _ maximum: Int, isOpen: Bool) {
    (self.minimum, self.maximum, self.isOpen) = (minimum, maximum, isOpen)
  }

  static func within(_ range: ClosedRange<Int>) -> TokenLength {
    TokenLength(range.lowerBound, range.upperBound, isOpen: false)
  }

  /// So many or more. What is read of it is more than the fingerprint needs, and little enough that a run of tokens
  /// costs linear time.
  static func from(_ minimum: Int) -> TokenLength {
    TokenLength(minimum, max(600, minimum), isOpen: true)
  }

  func contains(_ count: Int) -> Bool { count >= minimum && (isOpen || count <= maximum) }
}

/// A piece of a token's form.
package enum TokenPart: Sendable {
  case literal(StaticString)
  case run(TokenAlphabet, TokenLength)
  /// A UUID in its form with hyphens.
  case uuid
}
