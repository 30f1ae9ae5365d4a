/// The classes of ASCII bytes that the formats of secrets are made of.
extension UInt8 {
  var isDigit: Bool { self &- 0x30 < 10 }
  var isLower: Bool { self &- 0x61 < 26 }
  var isUpper: Bool { self &- 0x41 < 26 }
  var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }
  var isAlphanumeric: Bool { isLetter || isDigit }
  var isHexadecimal: Bool { isDigit || (self | 0x20) &- 0x61 < 6 }
  /// What a hexadecimal digit stands for.
  var hexadecimalValue: UInt8? {
    if isDigit { return self &- 0x30 }
    let letter = (self | 0x20) &- 0x61
    return letter < 6 ? letter &+ 10 : nil
  }
  /// Letters, digits and `_`.
  var isWord: Bool { isAlphanumeric || self == UInt8(ascii: "_") }
  /// The alphabet of base64url (RFC 4648 §5), without padding.
  var isBase64URL: Bool { isWord || self == UInt8(ascii: "-") }
  /// The alphabet of base64 (RFC 4648 §4), without padding.
  var isBase64: Bool { isAlphanumeric || self == UInt8(ascii: "+") || self == UInt8(ascii: "/") }
  /// A space, a tab or a carriage return.
  var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0D }
  /// Blank, or the end of a line.
  var isSpace: Bool { isBlank || self == 0x0A }
  /// Printable ASCII except the space.
  var isGraphic: Bool { self > 0x20 && self < 0x7F }
  var isQuote: Bool { self == UInt8(ascii: "\"") || self == UInt8(ascii: "'") || self == UInt8(ascii: "`") }
  /// Lower case for A to Z, every other byte as it is.
  var folded: UInt8 { isUpper ? self | 0x20 : self }
}
