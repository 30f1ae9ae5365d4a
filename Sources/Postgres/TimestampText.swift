/// Timestamps as text in the ISO style, in UTC, without a calendar library.
///
/// Both directions are exact over the whole range of `timestamptz`; the calendar is the proleptic Gregorian one,
/// as the server's is.
enum TimestampText {
  static let microsecondsPerDay: Int64 = 86_400_000_000

  /// `2026-01-13 03:56:13.642576+00`, with ` BC` before the year 1. The two ends of `Int64` are the infinities.
  static func format(microsecondsSince2000 value: Int64) -> String {
    if value == .max { return "infinity" }
    if value == .min { return "-infinity" }
    // Not `value - days * microsecondsPerDay`: near the lower end that product lies outside of Int64.
    let days = value.flooredQuotient(by: microsecondsPerDay)
    let remainder = value % microsecondsPerDay
    let time = remainder < 0 ? remainder + microsecondsPerDay : remainder
    let (year, month, day) = civil(daysSince2000: days)
    let isBeforeChrist = year <= 0
    let shownYear = isBeforeChrist ? 1 - year : year
    let seconds = time / 1_000_000
    var text = "\(padded(shownYear, to: 4))-\(padded(month, to: 2))-\(padded(day, to: 2)) "
    text += "\(padded(seconds / 3600, to: 2)):\(padded(seconds / 60 % 60, to: 2)):\(padded(seconds % 60, to: 2))"
    let fraction = time % 1_000_000
    if fraction != 0 { text += ".\(padded(fraction, to: 6))" }
    text += "+00"
    return isBeforeChrist ? text + " BC" : text
  }

  /// The inverse, for what the server prints with `TimeZone` UTC and `DateStyle` ISO: a `timestamptz`, a
  /// `timestamp` or a `date`. Nil for any other text.
  static func parse(_ text: some Collection<UInt8>) -> Int64? {
    let bytes = Array(text)
    if bytes.elementsEqual("infinity".utf8) { return .max }
    if bytes.elementsEqual("-infinity".utf8) { return .min }
    var scanner = Scanner(bytes: bytes)
    guard let shownYear = scanner.digits(atLeast: 4), scanner.skip("-"), let month = scanner.digits(atLeast: 2),
      scanner.skip("-"), let day = scanner.digits(atLeast: 2), (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    var time: Int64 = 0
    if scanner.skip(" "), !scanner.isAt("B") {
      guard let hour = scanner.digits(atLeast: 2), scanner.skip(":"), let minute = scanner.digits(atLeast: 2),
        scanner.skip(":"), let second = scanner.digits(atLeast: 2), hour <= 24, minute < 60, second <= 60
      else { return nil }
      time = ((hour * 60 + minute) * 60 + second) * 1_000_000
      if scanner.skip(".") {
        guard let fraction = scanner.microseconds() else { return nil }
        time += fraction
      }
      if scanner.skip("+") {
        guard scanner.digits(atLeast: 2) == 0 else { return nil }
      }
      _ = scanner.skip(" ")
    }
    var year = shownYear
    if scanner.skip("B") {
      guard scanner.skip("C") else { return nil }
      year = 1 - shownYear
    }
    guard scanner.isAtEnd, year > -300_000, year < 300_000 else { return nil }
    let (midnight, isTooFar) = daysSince2000(year: year, month: month, day: day)
      .multipliedReportingOverflow(by: microsecondsPerDay)
    let (instant, isPastEnd) = midnight.addingReportingOverflow(time)
    return isTooFar || isPastEnd ? nil : instant
  }

  // Both conversions count in eras of 400 years that begin on 1 March, so that the leap day ends its year.

  private static func civil(daysSince2000 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 730_425  // 2000-01-01 counted from 0000-03-01
    let era = shifted.flooredQuotient(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  private static func daysSince2000(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear.flooredQuotient(by: 400)
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 730_425
  }

  private static func padded(_ number: Int64, to width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }

  private struct Scanner {
    let bytes: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    func isAt(_ character: Unicode.Scalar) -> Bool {
      position < bytes.count && UInt32(bytes[position]) == character.value
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
      guard isAt(character) else { return false }
      position += 1
      return true
    }

    /// A run of at least `count` and at most 6 digits.
    mutating func digits(atLeast count: Int) -> Int64? {
      let start = position
      var number: Int64 = 0
      while position < bytes.count, position - start < 6, let digit = Self.digit(bytes[position]) {
        number = number * 10 + digit
        position += 1
      }
      return position - start >= count ? number : nil
    }

    /// A fraction of a second, of 1 to 6 digits.
    mutating func microseconds() -> Int64? {
      let start = position
      guard var number = digits(atLeast: 1) else { return nil }
      for _ in (position - start)..<6 { number *= 10 }
      return number
    }

    private static func digit(_ byte: UInt8) -> Int64? {
      byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte - UInt8(ascii: "0")) : nil
    }
  }
}

extension Int64 {
  /// The quotient rounded down, so that the remainder is never negative. `divisor` is positive.
  fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
