extension ByteView {
  /// Returns the offset of the first byte in `start..<end` that is not part of well-formed UTF-8, or nil.
  ///
  /// Follows table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
  func firstInvalidUTF8(from start: Int, to end: Int) -> Int? {
    let limit = min(end, count)
    var position = max(start, 0)
    let raw = UnsafeRawBufferPointer(buffer)
    while position < limit {
      if position + 8 <= limit,
        raw.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
      {
        position += 8
        continue
      }
      let lead = buffer[position]
      if lead < 0x80 {
        position += 1
        continue
      }
      let length: Int
      var low: UInt8 = 0x80
      var high: UInt8 = 0xBF
      switch lead {
      case 0xC2...0xDF: length = 2
      case 0xE0:
        length = 3
        low = 0xA0
      case 0xED:
        length = 3
        high = 0x9F
      case 0xE1...0xEF: length = 3
      case 0xF0:
        length = 4
        low = 0x90
      case 0xF4:
        length = 4
        high = 0x8F
      case 0xF1...0xF3: length = 4
      default: return position
      }
      guard limit - position >= length else { return position }
      let second = buffer[position + 1]
      guard second >= low, second <= high else { return position }
      for offset in 2..<max(length, 2) where buffer[position + offset] & 0xC0 != 0x80 { return position }
      position += length
    }
    return nil
  }
}
