/// Tells a random value from the long words, names, paths, numbers and addresses of ordinary records.
enum Randomness {
  /// Shannon's entropy in bits a byte.
  static func entropy(of value: some Collection<UInt8>) -> Double {
    var counts = InlineArray<256, UInt16>(repeating: 0)
    for byte in value.prefix(products.count - 1) { counts[Int(byte)] += 1 }
    let total = min(value.count, products.count - 1)
    guard total > 0 else { return 0 }
    var sum = 0.0
    for byte in counts.indices { sum += products[Int(counts[byte])] }
    // More than the error of the logarithms, so that eight bytes that are equally frequent have 3 bits.
    return (products[total] - sum) / Double(total) + 1e-6
  }

  /// For each number up to the length of the longest value that is looked at, it times its logarithm to base 2.
  private static let products: [Double] = (0...1024).map { $0 == 0 ? 0 : Double($0) * logarithm2(Double($0)) }

  /// How many different bytes the value has.
  static func distinctCount(_ value: some Collection<UInt8>) -> Int {
    var seen: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    for byte in value {
      let bit: UInt64 = 1 << UInt64(byte & 63)
      switch byte >> 6 {
      case 0: seen.0 |= bit
      case 1: seen.1 |= bit
      case 2: seen.2 |= bit
      default: seen.3 |= bit
      }
    }
    return seen.0.nonzeroBitCount + seen.1.nonzeroBitCount + seen.2.nonzeroBitCount + seen.3.nonzeroBitCount
  }

  /// Is the value made of words or names: `read_only_market_data`, `/opt/maven/keys.json`, `camelCaseName`?
  ///
  /// Words give long runs of one class, few runs of digits, and pairs of letters that English has; in mixed case they
  /// give few runs of a character or two. A random value fails at least one of these, except very rarely a short one
  /// in lower case only.
  static func isWordLike(_ value: [UInt8]) -> Bool {
    var runs = 0
    var shortRuns = 0
    var runLength = 3
    var characters = 0
    var digitRuns = 0
    var pairs = 0
    var commonPairs = 0
    var previous: UInt8 = 0
    for byte in value {
      defer { previous = byte }
      guard byte.isAlphanumeric else { continue }
      characters += 1
      let continues =
        byte.isDigit ? previous.isDigit : previous.isLetter && !(byte.isUpper && previous.isLower)
      guard continues else {
        if runLength < 3 { shortRuns += 1 }
        runs += 1
        digitRuns += byte.isDigit ? 1 : 0
        runLength = 1
        continue
      }
      runLength += 1
      if byte.isLetter {
        pairs += 1
        commonPairs += isCommonPair(previous.folded, byte.folded) ? 1 : 0
      }
    }
    if runLength < 3 { shortRuns += 1 }
    let isMixed = value.contains(where: \.isUpper) && value.contains(where: \.isLower)
    if isMixed && shortRuns * 4 > runs { return false }
    return digitRuns <= 3 && characters >= runs * 3 && commonPairs * 10 >= pairs * 6
  }

  /// Do digits stand between letters, three changes or more, as in short keys and not in words with a number?
  static func isInterleaved(_ value: [UInt8]) -> Bool {
    zip(value, value.dropFirst()).count { $0.isDigit && $1.isLetter || $0.isLetter && $1.isDigit } >= 3
  }

  /// The pairs of letters that make up nine tenths of English text, as a row of second letters for each first one.
  private static let pairRows: [StaticString] = [
    "bcdfgiklmnprstuvwxy", "aeiloruybs", "aehiklortuc", "aeiorsudgy", "acdefghilmnopqrstvwxyk", "aefiloru", "aehiloruns",
    "aeioruty", "abcdefgklmnoprstvxz", "eoua", "eisanl", "adefikloustyvm", "abeimopuys", "acdefgiklnosuvty",
    "abcdfgiklmnoprstuvwxy", "aehiloprstu", "u", "acdefgiklmnorstuvy", "acehiklmnopqstuwy", "aehiloprstuwym",
    "abcdegilmnprst", "aeio", "aehions", "aceipt", "eosbmnp", "eaioz",
  ]

  private static let commonPairs: [UInt32] = pairRows.map { row in
    row.withUTF8Buffer { unsafe $0.reduce(0) { $0 | 1 << UInt32($1 &- 0x61) } }
  }

  private static func isCommonPair(_ first: UInt8, _ second: UInt8) -> Bool {
    commonPairs[Int(first &- 0x61)] & (1 << UInt32(second &- 0x61)) != 0
  }

  /// The logarithm to base 2 of a positive number, by its exponent and 24 squarings of its significand.
  private static func logarithm2(_ value: Double) -> Double {
    var result = Double(value.exponent)
    var significand = value.significand
    var weight = 0.5
    for _ in 0..<24 {
      significand *= significand
      if significand >= 2 {
        significand /= 2
        result += weight
      }
      weight /= 2
    }
    return result
  }
}
