extension DecodedView {
  /// The next offset of `range` that folding would change.
  static func firstFolded(_ text: ByteText, in range: Range<Int>) -> Int? {
    let percent = firstPercent(text, in: range)
    let soft = firstSoft(text, in: range.lowerBound..<(percent ?? range.upperBound))
    return soft ?? percent
  }

  private static func firstPercent(_ text: ByteText, in range: Range<Int>) -> Int? {
    var start = range.lowerBound
    while let offset = text.first(UInt8(ascii: "%"), in: start..<range.upperBound) {
      if text[offset + 1].isHexadecimal && text[offset + 2].isHexadecimal { return offset }
      start = offset + 1
    }
    return nil
  }

  private static func firstSoft(_ text: ByteText, in range: Range<Int>) -> Int? {
    var start = range.lowerBound
    while let offset = text.firstNonASCII(in: start..<range.upperBound) {
      if SoftCharacter.at(offset, in: text) != nil { return offset }
      start = offset + 1
    }
    return nil
  }

  /// Undoes percent-encoding (RFC 3986 §2.1), drops invisible characters, and takes fullwidth ones for what they are
  /// like.
  mutating func append(folding text: ByteText, _ range: Range<Int>) {
    reserve(range.count + 1)
    var offset = range.lowerBound
    while offset < range.upperBound {
      let byte = text[offset]
      if byte < 0x80 {
        if byte == UInt8(ascii: "%"), let high = text[offset + 1].hexadecimalValue,
          let low = text[offset + 2].hexadecimalValue
        {
          append(high << 4 | low, from: offset)
          offset += 3
        } else {
          append(byte, from: offset)
          offset += 1
        }
      } else if let (character, length) = SoftCharacter.at(offset, in: text) {
        if case .like(let ascii) = character { append(ascii, from: offset) }
        offset += length
      } else {
        append(byte, from: offset)
        offset += 1
      }
    }
    endStretch(at: range.upperBound)
  }
}
