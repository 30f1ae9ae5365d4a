import ArgumentParser
import Persistence
import Records

/// Moments as people type them.
enum Moment {
  /// RFC 3339, a date (its midnight in UTC), or a time before now: `90m`, `24h`, `7d`, `2w`.
  static func parse(_ text: String) throws -> Instant {
    if let instant = Instant(text) ?? before(text, now: Instant.now()) { return instant }
    throw ValidationError(
      "\(printable(text)) is no time; write 2026-01-31, 2026-01-31T09:30:00Z, or how long ago: 90m, 24h, 7d, 2w")
  }

  private static func before(_ text: String, now: Instant) -> Instant? {
    let units: [Character: Int64] = ["m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
    guard let unit = text.last.flatMap({ units[$0] }), text.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }),
      let count = Int64(text.dropLast())
    else { return nil }
    let (seconds, isTooLong) = count.multipliedReportingOverflow(by: unit * 1_000_000)
    let (start, isTooEarly) = now.microseconds.subtractingReportingOverflow(seconds)
    return isTooLong || isTooEarly ? nil : Instant(microseconds: start)
  }

  /// The moment so many days ago.
  static func daysAgo(_ days: Int) -> Instant? { before("\(days)d", now: Instant.now()) }
}

/// The time that figures are taken from.
struct WindowOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Only the last so many days. Default: everything.", valueName: "n"))
  var days: Int?

  func validate() throws {
    if let days, !(1...36_500).contains(days) { throw ValidationError("--days takes a number from 1 to 36500") }
  }

  var since: Instant? { days.flatMap { Moment.daysAgo($0) } }
}
