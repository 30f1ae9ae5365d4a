/// What a value beside a telling name can be, other than the secret itself.
enum SecretShape {
  /// Does it stand for a secret that is kept elsewhere: a variable, a mask, or the word for the slot?
  ///
  /// Deliberately few: `${NAME}`, `$NAME`, `<…>`, `{{…}}`, `%NAME%`, `%(name)s`, `[…]`; three or more of one of
  /// `*`, `x`, `X`, `.`, `-`, `_`, `•`, `…` and nothing else; the words in ``slotNames``; names that begin with `your`.
  static func isPlaceholder(_ value: [UInt8]) -> Bool {
    guard let first = value.first, let last = value.last else { return true }
    switch first {
    case UInt8(ascii: "$"):
      if value.dropFirst().first == UInt8(ascii: "{") || value.dropFirst().first == UInt8(ascii: "(") { return true }
      if let next = value.dropFirst().first, next.isUpper || next == UInt8(ascii: "_") {
        return value.dropFirst().allSatisfy { $0.isUpper || $0.isDigit || $0 == UInt8(ascii: "_") }
      }
    case UInt8(ascii: "<"): return last == UInt8(ascii: ">")
    case UInt8(ascii: "{"): return last == UInt8(ascii: "}")
    case UInt8(ascii: "["): return last == UInt8(ascii: "]")
    case UInt8(ascii: "%"):
      if last == UInt8(ascii: "%") || value.dropFirst().first == UInt8(ascii: "(") || value.count == 2 { return true }
    default: break
    }
    if value.allSatisfy({ $0 == first }) && value.count >= 3 { return true }
    if value.allSatisfy({ $0 >= 0x80 || $0 == UInt8(ascii: ".") }) { return true }
    if value.allSatisfy({ masks.contains($0) }) { return true }
    let word = value.prefix(16).map(\.folded)
    return word.starts(with: yours) || (word.count == value.count && slotNames.contains(word))
  }

  private static let masks = Array("*xX.-_#%2A".utf8)
  private static let yours = Array("your".utf8)
  private static let slotNames = Set(
    [
      "password", "passwd", "pass", "pwd", "null", "none", "nil", "true", "false", "undefined", "redacted", "masked",
      "hidden", "placeholder", "changeme", "unset", "empty", "n/a", "todo", "required", "optional", "string", "sample",
      "example",
    ].map { Array($0.utf8) })

  /// Does it have what only fillers have: one byte but `A` eight times in a row, six crosses, `your-` at its beginning?
  static func isFiller(_ value: [UInt8]) -> Bool {
    var run = 0
    var previous: UInt8 = 0
    for byte in value {
      run = byte == previous ? run + 1 : 1
      previous = byte
      if (run >= 8 && byte != UInt8(ascii: "A")) || (run >= 6 && byte.folded == UInt8(ascii: "x")) { return true }
    }
    return value.prefix(4).map(\.folded) == yours && (value.count < 5 || !value[4].isAlphanumeric)
  }

  /// Is it a UUID in its form with hyphens?
  static func isUUID(_ value: [UInt8]) -> Bool {
    guard value.count == 36 else { return false }
    return value.enumerated().allSatisfy { index, byte in
      [8, 13, 18, 23].contains(index) ? byte == UInt8(ascii: "-") : byte.isHexadecimal
    }
  }

  /// Is it a number, a date or a time: digits with less than four letters?
  static func isNumeric(_ value: [UInt8]) -> Bool {
    value.count(where: \.isLetter) < 4
  }

  /// Is it a digest that says so: `sha256:…`, `sha512-…`, `md5:…`?
  static func isNamedDigest(_ value: [UInt8]) -> Bool {
    digestNames.contains { value.starts(with: $0) }
  }

  private static let digestNames = ["sha1", "sha256", "sha384", "sha512", "md5", "blake3"].flatMap { name in
    [":", "-", "="].map { Array((name + $0).utf8) }
  }

  /// Is it an address of a chain that writes them in bech32?
  static func isBech32Address(_ value: [UInt8]) -> Bool {
    guard (39...90).contains(value.count), value.allSatisfy({ $0.isLower || $0.isDigit }) else { return false }
    return bech32Names.contains { value.starts(with: $0) }
  }

  private static let bech32Names = ["bc1", "tb1", "ltc1", "cosmos1", "osmo1", "inj1", "addr1"].map { Array($0.utf8) }

  /// The hexadecimal digits of a value that is nothing else, `0x` taken off; nil for every other value.
  static func hexadecimal(_ value: [UInt8]) -> (digits: ArraySlice<UInt8>, isPrefixed: Bool)? {
    let isPrefixed = value.count > 2 && value[0] == UInt8(ascii: "0") && value[1] | 0x20 == UInt8(ascii: "x")
    let digits = isPrefixed ? value.dropFirst(2) : value[...]
    return digits.allSatisfy(\.isHexadecimal) ? (digits, isPrefixed) : nil
  }

  /// Does a value of 20 bytes or more look like a random secret?
  ///
  /// - Parameter isNamedSecret: whether the name says secret, password or key; `token` alone also names coins, pages
  ///   and fences, so a public address beside it is none.
  static func looksRandom(_ value: [UInt8], isNamedSecret: Bool) -> Bool {
    guard value.count >= 20, !isPlaceholder(value), !isUUID(value), !isNamedDigest(value) else { return false }
    if let (digits, isPrefixed) = hexadecimal(value) {
      // Addresses and hashes; 32 bytes that are called a private key are another matcher's.
      if isPrefixed && (digits.count == 40 || digits.count == 64 || !isNamedSecret) { return false }
      return digits.contains(where: \.isLetter) && Randomness.entropy(of: digits) >= 2.5
    }
    if isNumeric(value) || isBech32Address(value) || holdsScheme(value) { return false }
    if !isNamedSecret && Base58.isAddress(value) { return false }
    // 20 random characters have about 4 bits each; 3 is below every one of a million that were drawn.
    return Randomness.entropy(of: value) >= 3 && !Randomness.isWordLike(value)
  }

  /// Is it a URL, or has one inside?
  static func holdsScheme(_ value: [UInt8]) -> Bool {
    value.indices.dropLast(2).contains {
      value[$0] == UInt8(ascii: ":") && value[$0 + 1] == UInt8(ascii: "/") && value[$0 + 2] == UInt8(ascii: "/")
    }
  }
}
