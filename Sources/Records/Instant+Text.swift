extension Instant {
  /// What a timestamp's text says beyond the moment itself.
  struct Parsed {
    var instant: Instant
    /// False for a date alone.
    var hasTime: Bool
  }

  /// Reads the ISO 8601 forms that are found in files; nil for anything else.
  ///
  /// `YYYY-MM-DD`, optionally followed by `T` or a space and `HH:MM[:SS[.fraction]]`, optionally followed by `Z`, `UTC`
  /// or an offset (`+00`, `-04:00`, `+0530`). No offset means UTC, and a date alone means its midnight. Digits of the
  /// fraction beyond the sixth are cut, not rounded. Second 60 is the next minute, as in PostgreSQL. White space around
  /// the text is not accepted.
  package init?(_ text: String) {
    guard let parsed = text.withView({ view in Self.parse(view, 0, view.count) }) else { return nil }
    self = parsed.instant
  }

  /// Reads the timestamp that is exactly the bytes `start..<end`.
  static func parse(_ view: ByteView, _ start: Int, _ end: Int) -> Parsed? {
    guard let date = parseDate(view, start, end) else { return nil }
    var position = start + 10
    if position == end {
      return Instant(year: date.year, month: date.month, day: date.day).map { Parsed(instant: $0, hasTime: false) }
    }
    let separator = view[position]
    guard separator == 0x54 || separator == 0x74 || separator == 0x20 else { return nil }
    position += 1
    guard let hour = number(view, position, end, digits: 2), view[position + 2] == 0x3A,
      let minute = number(view, position + 3, end, digits: 2)
    else { return nil }
    position += 5
    var second = 0
    var microsecond = 0
    if position < end, view[position] == 0x3A {
      guard let value = number(view, position + 1, end, digits: 2) else { return nil }
      second = value
      position += 3
      if position < end, view[position] == 0x2E || view[position] == 0x2C {
        position += 1
        let first = position
        var scale = 100_000
        while position < end, isDigit(view[position]) {
          microsecond += Int(view[position] & 15) * scale
          scale /= 10
          position += 1
        }
        if position == first { return nil }
      }
    }
    guard
      let local = Instant(
        year: date.year, month: date.month, day: date.day, hour: hour, minute: minute, second: second,
        microsecond: microsecond),
      let offset = parseOffset(view, position, end),
      let instant = Instant(microseconds: local.microseconds - Int64(offset) * 1_000_000)
    else { return nil }
    return Parsed(instant: instant, hasTime: true)
  }

  /// Reads `YYYY-MM-DD` at `start`; more may follow it before `end`.
  static func parseDate(_ view: ByteView, _ start: Int, _ end: Int) -> (year: Int, month: Int, day: Int)? {
    guard let year = number(view, start, end, digits: 4), view[start + 4] == 0x2D,
      let month = number(view, start + 5, end, digits: 2), view[start + 7] == 0x2D,
      let day = number(view, start + 8, end, digits: 2),
      (1...9999).contains(year), (1...12).contains(month), (1...days(inMonth: month, of: year)).contains(day)
    else { return nil }
    return (year, month, day)
  }

  /// Reads the offset that is exactly the rest, in seconds east of UTC; an empty rest is UTC.
  private static func parseOffset(_ view: ByteView, _ start: Int, _ end: Int) -> Int? {
    var position = start
    if position == end { return 0 }
    if view[position] == 0x20 { position += 1 }
    if end - position == 1, view[position] | 0x20 == 0x7A { return 0 }
    if view.equals("UTC", from: position, to: end) { return 0 }
    let sign = view[position]
    guard sign == 0x2B || sign == 0x2D, let hours = number(view, position + 1, end, digits: 2), hours <= 15 else {
      return nil
    }
    position += 3
    var minutes = 0
    if position < end {
      if view[position] == 0x3A { position += 1 }
      guard let value = number(view, position, end, digits: 2), value <= 59, position + 2 == end else { return nil }
      minutes = value
    }
    return (hours * 3_600 + minutes * 60) * (sign == 0x2D ? -1 : 1)
  }

  /// Reads exactly `digits` decimal digits at `start`.
  static func number(_ view: ByteView, _ start: Int, _ end: Int, digits: Int) -> Int? {
    guard end - start >= digits else { return nil }
    var value = 0
    for offset in 0..<digits {
      let byte = view[start + offset]
      guard isDigit(byte) else { return nil }
      value = value * 10 + Int(byte & 15)
    }
    return value
  }
}

extension Instant: CustomStringConvertible {
  /// The form that files use: `2026-01-13T03:56:13.642576+00:00`, always UTC and always six digits.
  package var description: String {
    String(decoding: utf8, as: UTF8.self)
  }

  var utf8: [UInt8] {
    let fields = calendar
    var output: [UInt8] = []
    output.reserveCapacity(32)
    output.append(decimal: fields.year, width: 4)
    output.append(0x2D)
    output.append(decimal: fields.month, width: 2)
    output.append(0x2D)
    output.append(decimal: fields.day, width: 2)
    output.append(0x54)
    output.append(decimal: fields.hour, width: 2)
    output.append(0x3A)
    output.append(decimal: fields.minute, width: 2)
    output.append(0x3A)
    output.append(decimal: fields.second, width: 2)
    output.append(0x2E)
    output.append(decimal: fields.microsecond, width: 6)
    output.append("+00:00")
    return output
  }
}
