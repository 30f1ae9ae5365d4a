/// Exact sums and products of amounts and prices; nil where a result has more than 36 digits.
extension ExactDecimal {
  /// The value as `digits × 10^-scale`.
  private var scaled: (digits: Int128, scale: Int)? {
    let parts = canonical.split(separator: ".", omittingEmptySubsequences: false)
    guard let whole = parts.first, parts.count <= 2 else { return nil }
    let fraction = parts.count == 2 ? parts[1] : ""
    guard whole.utf8.count + fraction.utf8.count <= 37, let digits = Int128(String(whole + fraction)) else {
      return nil
    }
    return (digits, fraction.utf8.count)
  }

  private init?(_ digits: Int128, scale: Int) {
    var text = String(digits.magnitude)
    guard text.utf8.count <= 36 else { return nil }
    if scale > 0 {
      text = String(repeating: "0", count: max(0, scale + 1 - text.utf8.count)) + text
      text.insert(".", at: text.index(text.endIndex, offsetBy: -scale))
    }
    self.init((digits < 0 ? "-" : "") + text)
  }

  private static func power(_ exponent: Int) -> Int128? {
    guard (0...36).contains(exponent) else { return nil }
    return (0..<exponent).reduce(Int128(1)) { power, _ in power * 10 }
  }

  /// - Returns: nil where the sum cannot be told exactly.
  package func adding(_ other: ExactDecimal) -> ExactDecimal? {
    guard let left = scaled, let right = other.scaled else { return nil }
    let scale = max(left.scale, right.scale)
    guard let leftFactor = Self.power(scale - left.scale), let rightFactor = Self.power(scale - right.scale) else {
      return nil
    }
    let (leftDigits, leftOverflows) = left.digits.multipliedReportingOverflow(by: leftFactor)
    let (rightDigits, rightOverflows) = right.digits.multipliedReportingOverflow(by: rightFactor)
    let (sum, sumOverflows) = leftDigits.addingReportingOverflow(rightDigits)
    return leftOverflows || rightOverflows || sumOverflows ? nil : ExactDecimal(sum, scale: scale)
  }

  package var negated: ExactDecimal? {
    scaled.flatMap { ExactDecimal(-$0.digits, scale: $0.scale) }
  }

  package func subtracting(_ other: ExactDecimal) -> ExactDecimal? {
    other.negated.flatMap { adding($0) }
  }

  package func multiplied(by other: ExactDecimal) -> ExactDecimal? {
    guard let left = scaled, let right = other.scaled else { return nil }
    let (product, overflows) = left.digits.multipliedReportingOverflow(by: right.digits)
    return overflows ? nil : ExactDecimal(product, scale: left.scale + right.scale)
  }

  /// The value with `places` decimals, all of them written; halves go away from zero, as PostgreSQL rounds.
  package func rounded(to places: Int) -> ExactDecimal? {
    guard let value = scaled else { return nil }
    if value.scale <= places {
      guard let factor = Self.power(places - value.scale) else { return nil }
      let (digits, overflows) = value.digits.multipliedReportingOverflow(by: factor)
      return overflows ? nil : ExactDecimal(digits, scale: places)
    }
    guard let divisor = Self.power(value.scale - places) else { return nil }
    var (quotient, rest) = value.digits.quotientAndRemainder(dividingBy: divisor)
    if rest.magnitude * 2 >= divisor.magnitude { quotient += value.digits < 0 ? -1 : 1 }
    return ExactDecimal(quotient, scale: places)
  }
}
