/// The long runs of bytes of one class, in which something may be encoded.
enum LongRuns {
  /// The shortest run of base64 characters that is looked at: 20 characters are 15 bytes.
  static let shortest = 20
  /// The shortest run of hexadecimal digits: 16 bytes.
  private static let shortestHexadecimal = 32

  /// Passes on each run of base64 characters, of either alphabet, in `range`, until `found` returns false.
  ///
  /// - Returns: whether the whole of `range` was read.
  static func scan(_ text: ByteText, _ range: Range<Int>, found: (Range<Int>) -> Bool) -> Bool {
    allSatisfy(text, range, shortest, isMember, found)
  }

  /// The digits of a run that is one hexadecimal number, without its `0x`.
  static func hexadecimal(_ text: ByteText, _ run: Range<Int>) -> Range<Int>? {
    let start = text.has("0x", at: run.lowerBound) ? run.lowerBound + 2 : run.lowerBound
    guard start + shortestHexadecimal <= run.upperBound else { return nil }
    let end = text.end(from: start, limit: run.upperBound - start, where: \.isHexadecimal)
    return end == run.upperBound ? start..<end : nil
  }

  /// Passes on each run of hexadecimal digits in a run.
  static func forEachHexadecimal(_ text: ByteText, _ run: Range<Int>, body: (Range<Int>) -> Void) {
    _ = allSatisfy(text, run, shortestHexadecimal, \.isHexadecimal) {
      body($0)
      return true
    }
  }

  /// Does every long run of letters and digits in a run satisfy `body`?
  static func wordsSatisfy(_ text: ByteText, _ run: Range<Int>, body: (Range<Int>) -> Bool) -> Bool {
    allSatisfy(text, run, WalletKey.lengths.lowerBound, \.isAlphanumeric, body)
  }

  static func isMember(_ byte: UInt8) -> Bool { Base64.value(byte) < 64 }

  /// A long run covers one of any `shortest` neighbouring offsets, so that of other text only so many bytes are read.
  @inline(__always)
  private static func allSatisfy(
    _ text: ByteText, _ range: Range<Int>, _ shortest: Int, _ isMember: (UInt8) -> Bool, _ body: (Range<Int>) -> Bool
  ) -> Bool {
    var searched = range.lowerBound
    var probe = range.lowerBound + shortest - 1
    while probe < range.upperBound {
      guard isMember(text[probe]) else {
        probe += shortest
        continue
      }
      let start = text.start(before: probe, limit: min(probe - searched, shortest), where: isMember)
      let end = text.end(from: probe, limit: range.upperBound - probe, where: isMember)
      if end - start >= shortest, !body(start..<end) { return false }
      searched = end
      probe = end + shortest
    }
    return true
  }
}
