/// A `numeric` as the server's binary format holds it: digits in base 10,000 around a weight, and a scale.
///
/// The value is the sum of `digits[i] × 10000^(weight − i)`; `scale` is the number of decimal digits behind the
/// point that the text shows.
struct BinaryNumeric: Equatable {
  enum Sign: UInt16 {
    case positive = 0x0000
    case negative = 0x4000
    case notANumber = 0xC000
    case infinity = 0xD000
    case negativeInfinity = 0xF000
  }

  var sign: Sign
  var weight: Int16
  var scale: Int16
  var digits: [Int16]

  /// The server's limits: 131,072 digits before the point and 16,383 behind it.
  private static let maximumWeight = 131_072 / 4
  private static let maximumScale = 16_383

  private init(special sign: Sign) {
    (self.sign, weight, scale, digits) = (sign, 0, 0, [])
  }

  /// - Throws: `.invalidParameter` when `text` is not a decimal number or is beyond the server's limits.
  init(_ text: String) throws(PostgresError) {
    switch text.lowercased() {
    case "nan": self.init(special: .notANumber)
    case "infinity", "inf", "+infinity": self.init(special: .infinity)
    case "-infinity", "-inf": self.init(special: .negativeInfinity)
    default:
      guard let decimal = DecimalText(text) else { throw Self.refusal("a numeric is not decimal text") }
      try self.init(decimal)
    }
  }

  private init(_ decimal: DecimalText) throws(PostgresError) {
    // The value is 0.d₁d₂d₃… × 10^pointPosition.
    let scale = max(0, decimal.digits.count - decimal.pointPosition)
    guard scale <= Self.maximumScale else { throw Self.refusal("a numeric has more than 16383 decimal places") }
    self.scale = Int16(scale)
    let significant = decimal.digits.drop { $0 == 0 }
    guard !significant.isEmpty else {
      (sign, weight, digits) = (.positive, 0, [])
      return
    }
    sign = decimal.isNegative ? .negative : .positive
    let integerDigits = decimal.pointPosition - (decimal.digits.count - significant.count)
    // The group of the first digit: how many whole groups of four lie between it and the point.
    let groups = (Double(integerDigits) / 4).rounded(.up)
    let firstWeight = Int(groups) - 1
    guard firstWeight < Self.maximumWeight, let weight = Int16(exactly: firstWeight) else {
      throw Self.refusal("a numeric has more than 131072 digits before the point")
    }
    self.weight = weight
    var grouped: [Int16] = []
    var group: Int16 = 0
    var filled = (firstWeight + 1) * 4 - integerDigits  // zeros in front of the first group's digits
    for digit in significant {
      group = group * 10 + Int16(digit)
      filled += 1
      if filled == 4 {
        grouped.append(group)
        (group, filled) = (0, 0)
      }
    }
    if filled > 0 {
      for _ in filled..<4 { group *= 10 }
      grouped.append(group)
    }
    while grouped.last == 0 { grouped.removeLast() }
    digits = grouped
  }

  private static func refusal(_ message: String) -> PostgresError {
    PostgresError(.invalidParameter, operation: "encoding a numeric", message: message)
  }
}

extension BinaryNumeric {
  /// Reads the binary form; nil when it is malformed.
  init?(binary field: UnsafeRawBufferPointer) {
    guard field.count >= 8, field.count % 2 == 0 else { return nil }
    func word(_ index: Int) -> UInt16 {
      UInt16(unsafe field[2 * index]) << 8 | UInt16(unsafe field[2 * index + 1])
    }
    let scale = Int16(bitPattern: word(3))
    guard let sign = Sign(rawValue: word(2)), Int(word(0)) == field.count / 2 - 4, scale >= 0 else { return nil }
    self.sign = sign
    self.scale = scale
    weight = Int16(bitPattern: word(1))
    digits = []
    for index in 0..<Int(word(0)) {
      let digit = word(4 + index)
      guard digit < 10_000 else { return nil }
      digits.append(Int16(digit))
    }
  }

  /// The text that the server prints.
  var text: String {
    switch sign {
    case .notANumber: return "NaN"
    case .infinity: return "Infinity"
    case .negativeInfinity: return "-Infinity"
    case .positive, .negative: break
    }
    func group(_ position: Int) -> String {
      let digit = digits.indices.contains(position) ? digits[position] : 0
      let shown = String(digit)
      return String(repeating: "0", count: 4 - shown.utf8.count) + shown
    }
    let weight = Int(weight)
    var integer = Substring(weight < 0 ? "" : (0...weight).map(group).joined())
    integer = integer.drop { $0 == "0" }
    var text = (sign == .negative ? "-" : "") + (integer.isEmpty ? "0" : integer)
    guard scale > 0 else { return text }
    let groups = (Int(scale) + 3) / 4
    let fraction = (1...groups).map { group(weight + $0) }.joined()
    text += "." + fraction.prefix(Int(scale))
    return text
  }
}

/// Decimal text taken apart: the value is `0.d₁d₂d₃… × 10^pointPosition`.
private struct DecimalText {
  var isNegative = false
  var digits: [UInt8] = []
  var pointPosition = 0

  init?(_ text: String) {
    var rest = Array(text.utf8)[...]
    if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      isNegative = sign == UInt8(ascii: "-")
      rest.removeFirst()
    }
    // More is refused by the limits later; this bounds the work before them.
    guard rest.count <= 200_000 else { return nil }
    let integer = Self.takeDigits(&rest)
    digits = integer
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      digits += Self.takeDigits(&rest)
    }
    guard !digits.isEmpty else { return nil }
    pointPosition = integer.count
    if let mark = rest.first, mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") {
      rest.removeFirst()
      guard let exponent = Int(String(decoding: rest, as: UTF8.self)), abs(exponent) <= 200_000 else { return nil }
      pointPosition += exponent
      rest = []
    }
    guard rest.isEmpty else { return nil }
  }

  private static func takeDigits(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
    var digits: [UInt8] = []
    while let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      digits.append(byte - UInt8(ascii: "0"))
      rest.removeFirst()
    }
    return digits
  }
}
