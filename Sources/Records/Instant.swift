/// A moment: microseconds since 1970-01-01T00:00:00Z in the proleptic Gregorian calendar, within the years 1 to 9999.
///
/// Microseconds are the resolution of PostgreSQL's `timestamptz`, and the years are those that every reader of the
/// files (Python, PostgreSQL, people) can print, so a value survives each of them unchanged.
package struct Instant: Hashable, Comparable, Sendable {
  package let microseconds: Int64

  /// 0001-01-01T00:00:00Z.
  package static let earliest = Instant(unchecked: -62_135_596_800_000_000)
  /// 9999-12-31T23:59:59.999999Z.
  package static let latest = Instant(unchecked: 253_402_300_799_999_999)
  /// Microseconds from 1970-01-01 to 2000-01-01, the epoch of PostgreSQL's `timestamptz_send`.
  static let postgresEpoch: Int64 = 946_684_800_000_000

  /// Fails outside the years 1 to 9999.
  package init?(microseconds: Int64) {
    guard microseconds >= Self.earliest.microseconds, microseconds <= Self.latest.microseconds else { return nil }
    self.microseconds = microseconds
  }

  /// Makes a moment from seconds since 1970-01-01T00:00:00Z, as git has them. Fails as `init(microseconds:)` does.
  package init?(seconds: Int64) {
    let (microseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    guard !overflow else { return nil }
    self.init(microseconds: microseconds)
  }

  /// Makes a moment from microseconds since 2000-01-01T00:00:00Z, as PostgreSQL's binary format has them.
  package init?(microsecondsSince2000 microseconds: Int64) {
    let (sum, overflow) = microseconds.addingReportingOverflow(Self.postgresEpoch)
    guard !overflow else { return nil }
    self.init(microseconds: sum)
  }

  private init(unchecked microseconds: Int64) {
    self.microseconds = microseconds
  }

  /// Makes a moment from UTC calendar fields; nil where a field is out of range or the day does not exist.
  init?(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0) {
    guard (1...9999).contains(year), (1...12).contains(month), (1...Self.days(inMonth: month, of: year)).contains(day),
      (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second), (0...999_999).contains(microsecond)
    else { return nil }
    let days = Self.daysSince1970(year: year, month: month, day: day)
    let seconds = Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
    self.init(microseconds: seconds * 1_000_000 + Int64(microsecond))
  }

  /// Microseconds since 2000-01-01T00:00:00Z: the integer that PostgreSQL's `timestamptz_send` gives.
  package var microsecondsSince2000: Int64 { microseconds - Self.postgresEpoch }

  /// This moment without its fraction of a second, rounded towards the past.
  package var wholeSecond: Instant {
    let remainder = microseconds % 1_000_000
    return Instant(unchecked: microseconds - (remainder < 0 ? remainder + 1_000_000 : remainder))
  }

  package static func < (left: Instant, right: Instant) -> Bool {
    left.microseconds < right.microseconds
  }

  // MARK: Calendar

  /// The fields of a moment in UTC.
  package struct Calendar: Hashable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var microsecond: Int
  }

  /// The fields of this moment in UTC.
  package var calendar: Calendar {
    var days = Int(microseconds / 86_400_000_000)
    var rest = Int(microseconds % 86_400_000_000)
    if rest < 0 {
      rest += 86_400_000_000
      days -= 1
    }
    // Civil-from-days over eras of 400 years that begin on 1 March, so that leap days end a year.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return Calendar(
      year: year, month: month, day: day, hour: rest / 3_600_000_000, minute: rest / 60_000_000 % 60,
      second: rest / 1_000_000 % 60, microsecond: rest % 1_000_000)
  }

  /// The first moment of this moment's month in UTC.
  package var startOfMonth: Instant {
    let calendar = calendar
    return Instant(year: calendar.year, month: calendar.month, day: 1) ?? self
  }

  /// Reads `YYYY-MM` as the first moment of that month in UTC.
  package init?(month: String) {
    let parts = month.utf8.split(separator: 0x2D, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count == 4, parts[1].count == 2,
      parts.joined().allSatisfy({ (0x30...0x39).contains($0) }), let year = Int(String(parts[0]) ?? ""),
      let number = Int(String(parts[1]) ?? "")
    else { return nil }
    self.init(year: year, month: number, day: 1)
  }

  static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  static func days(inMonth month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
