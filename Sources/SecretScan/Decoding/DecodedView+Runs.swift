extension DecodedView {
  /// The fewest bytes of text that a decoded run must have in a row: random bytes have so many once in 100,000.
  private static let shortestText = 12

  /// Appends what of `run` is text in base64, whichever of its first four characters the encoding begins with.
  ///
  /// Bytes of 0x00 are left out, so that UTF-16 shows its ASCII.
  mutating func append(base64 run: Range<Int>, of text: ByteText) {
    for phase in 0..<4 {
      // Twelve bytes in a row hold three whole groups, one of which is a third one.
      var group = run.lowerBound + phase
      while group + 3 < run.upperBound {
        guard Self.isText(base64: group, in: text) else {
          group += 12
          continue
        }
        var start = group
        while start - 4 >= run.lowerBound, Self.isText(base64: start - 4, in: text) { start -= 4 }
        var end = group + 4
        while end + 3 < run.upperBound, Self.isText(base64: end, in: text) { end += 4 }
        // Three whole groups are the least that twelve bytes have.
        if end - start >= 12 { append(base64: start..<end, within: run, of: text) }
        group = end + 4
      }
    }
  }

  /// Appends whole groups that are text, with what the groups beside them have of it.
  private mutating func append(base64 groups: Range<Int>, within run: Range<Int>, of text: ByteText) {
    let mark = bytes.count
    let start = max(groups.lowerBound - 4, run.lowerBound + (groups.lowerBound - run.lowerBound) % 4)
    let end = min(groups.upperBound + 4, run.upperBound)
    var bits: UInt32 = 0
    var held = 0
    for (index, offset) in (start..<end).enumerated() {
      bits = bits << 6 | UInt32(Base64.value(text[offset]))
      held += 6
      guard held >= 8 else { continue }
      held -= 8
      let byte = UInt8(truncatingIfNeeded: bits >> UInt32(held))
      let isInside = groups.contains(start + index / 4 * 4)
      if !isInside && !Self.isText(byte) {
        // What stands before the text is no part of it.
        if offset < groups.lowerBound { removeLast(from: mark) } else { break }
      } else if byte != 0 {
        append(byte, from: offset - 1)
      }
    }
    keepStretch(from: mark, end: end)
  }

  private static func isText(base64 group: Int, in text: ByteText) -> Bool {
    let first = Base64.value(text.inside(group))
    // The first six bits of a printable byte, of white space or of 0x00, which half of all groups lack.
    guard first &- 8 < 24 || first == 0 || first &- 2 < 2 else { return false }
    let second = Base64.value(text.inside(group + 1))
    guard isText(first << 2 | second >> 4) else { return false }
    let third = Base64.value(text.inside(group + 2))
    return isText(second << 4 | third >> 2) && isText(third << 6 | Base64.value(text.inside(group + 3)))
  }

  /// Appends what of `run` is text in hexadecimal, whichever of its first two digits the encoding begins with.
  mutating func append(hexadecimal run: Range<Int>, of text: ByteText) {
    for phase in 0..<2 {
      // Text that is long enough has each twelfth byte.
      var probe = run.lowerBound + phase
      while probe + 1 < run.upperBound {
        guard Self.isText(Self.byte(hexadecimal: probe, of: text)) else {
          probe += 2 * Self.shortestText
          continue
        }
        var start = probe
        while start - 2 >= run.lowerBound, Self.isText(Self.byte(hexadecimal: start - 2, of: text)) { start -= 2 }
        var end = probe + 2
        while end + 1 < run.upperBound, Self.isText(Self.byte(hexadecimal: end, of: text)) { end += 2 }
        if end - start >= 2 * Self.shortestText {
          let mark = bytes.count
          for offset in stride(from: start, to: end, by: 2) {
            let byte = Self.byte(hexadecimal: offset, of: text)
            if byte != 0 { append(byte, from: offset) }
          }
          keepStretch(from: mark, end: end)
        }
        probe = end + 2 * Self.shortestText
      }
    }
  }

  private static func byte(hexadecimal offset: Int, of text: ByteText) -> UInt8 {
    (text[offset].hexadecimalValue ?? 0) << 4 | (text[offset + 1].hexadecimalValue ?? 0)
  }

  private mutating func keepStretch(from mark: Int, end: Int) {
    if bytes.count - mark >= Self.shortestText { endStretch(at: end) } else { removeLast(from: mark) }
  }

  /// Printable ASCII, white space, or 0x00.
  private static func isText(_ byte: UInt8) -> Bool {
    byte &- 0x20 < 0x5F || byte == 0x0A || byte == 0x0D || byte == 0x09 || byte == 0
  }
}
