/// A decimal number that keeps the text it was written in.
///
/// Equality, order and hash are those of the value: `98.0` equals `98`. `text` tells the spellings apart.
package struct ExactDecimal: Sendable {
  /// The number as written: an optional sign, digits, and an optional point with digits; no exponent.
  package let text: String
  /// The value as PostgreSQL's `trim_scale(x)::text` prints it: no sign on zero, no leading zeros, no trailing zeros
  /// after the point, no exponent.
  package let canonical: String

  /// The most digits that a number may have. PostgreSQL's `numeric` holds far more; a file has no use for them.
  package static let maximumDigits = 1_000

  /// Fails where `text` is no decimal number, or has more than 1,000 digits.
  package init?(_ text: String) {
    guard let canonical = text.withView({ view in Self.canonical(view, 0, view.count) }) else { return nil }
    self.text = text
    self.canonical = canonical
  }

  init?(_ view: ByteView, _ start: Int, _ end: Int) {
    guard let canonical = Self.canonical(view, start, end) else { return nil }
    self.text = view.string(start, end)
    self.canonical = canonical
  }

  package init(_ value: Int) {
    self.text = String(value)
    self.canonical = self.text
  }

  static let zero = ExactDecimal(0)
  static let one = ExactDecimal(1)
  static let hundred = ExactDecimal(100)

  private static func canonical(_ view: ByteView, _ start: Int, _ end: Int) -> String? {
    var position = start
    let isNegative = view[position] == 0x2D && position < end
    if position < end, isNegative || view[position] == 0x2B { position += 1 }
    let wholeStart = position
    while position < end, isDigit(view[position]) { position += 1 }
    let wholeEnd = position
    var fractionStart = position
    if position < end, view[position] == 0x2E {
      position += 1
      fractionStart = position
      while position < end, isDigit(view[position]) { position += 1 }
    }
    let digits = (wholeEnd - wholeStart) + (position - fractionStart)
    guard position == end, digits > 0, digits <= maximumDigits else { return nil }
    var first = wholeStart
    while first < wholeEnd, view[first] == 0x30 { first += 1 }
    var last = position
    while last > fractionStart, view[last - 1] == 0x30 { last -= 1 }
    if first == wholeEnd, last == fractionStart { return "0" }
    var output: [UInt8] = []
    output.reserveCapacity(digits + 3)
    if isNegative { output.append(0x2D) }
    if first == wholeEnd {
      output.append(0x30)
    } else {
      output.append(contentsOf: view.slice(first, wholeEnd))
    }
    if last > fractionStart {
      output.append(0x2E)
      output.append(contentsOf: view.slice(fractionStart, last))
    }
    return String(decoding: output, as: UTF8.self)
  }
}

extension ExactDecimal: Hashable, Comparable, CustomStringConvertible {
  package var description: String { text }

  package static func == (left: ExactDecimal, right: ExactDecimal) -> Bool {
    left.canonical == right.canonical
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(canonical)
  }

  package static func < (left: ExactDecimal, right: ExactDecimal) -> Bool {
    let isLeftNegative = left.canonical.utf8.first == 0x2D
    let isRightNegative = right.canonical.utf8.first == 0x2D
    if isLeftNegative != isRightNegative { return isLeftNegative }
    let order = compareMagnitudes(left.canonical, right.canonical)
    return isLeftNegative ? order > 0 : order < 0
  }

  /// Compares two canonical texts without their signs: negative, zero or positive.
  private static func compareMagnitudes(_ left: String, _ right: String) -> Int {
    left.withView { left in
      right.withView { right in
        let leftStart = left[0] == 0x2D ? 1 : 0
        let rightStart = right[0] == 0x2D ? 1 : 0
        let leftWhole = left.index(of: 0x2E, from: leftStart, to: left.count) - leftStart
        let rightWhole = right.index(of: 0x2E, from: rightStart, to: right.count) - rightStart
        if leftWhole != rightWhole { return leftWhole - rightWhole }
        // Digits that stand in the same places; a point stands below them all, and so does the end.
        for offset in 0..<max(left.count - leftStart, right.count - rightStart) {
          let difference = Int(left[leftStart + offset]) - Int(right[rightStart + offset])
          if difference != 0 { return difference }
        }
        return 0
      }
    }
  }
}
