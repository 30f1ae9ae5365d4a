import Glibc

/// Bytes to be read at any offset: outside of them every byte is 0x00, which no format of a secret contains.
///
/// The bytes are the caller's and outlive every use of the view, which lives only inside one call of the scanner.
@safe struct ByteText {
  private let base: UnsafeRawPointer
  let count: Int
  /// The offsets, ascending, before which a line end was taken out; nil where none was.
  private let joints: UnsafeBufferPointer<Int>?

  init(_ bytes: UnsafeRawBufferPointer, joints: UnsafeBufferPointer<Int>? = nil) {
    unsafe base = bytes.baseAddress ?? UnsafeRawPointer(("" as StaticString).utf8Start)
    count = bytes.count
    unsafe self.joints = joints
  }

  subscript(offset: Int) -> UInt8 {
    // One comparison: a negative offset is above every count.
    guard UInt(bitPattern: offset) < UInt(bitPattern: count) else { return 0 }
    return unsafe base.load(fromByteOffset: offset, as: UInt8.self)
  }

  /// The byte at an offset that the caller knows to be inside.
  func inside(_ offset: Int) -> UInt8 { unsafe base.load(fromByteOffset: offset, as: UInt8.self) }

  /// The bytes of `range` that exist.
  subscript(range: Range<Int>) -> [UInt8] {
    let range = range.clamped(to: 0..<count)
    return unsafe Array(UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count))
  }

  /// The first offset from `start` whose byte does not satisfy `matches`, at most `limit` bytes on.
  func end(from start: Int, limit: Int, where matches: (UInt8) -> Bool) -> Int {
    let bound = min(count, start + limit)
    var offset = start
    while offset < bound, matches(self[offset]) { offset += 1 }
    return offset
  }

  /// The offset of the first `byte` in `range`.
  func first(_ byte: UInt8, in range: Range<Int>) -> Int? {
    let range = range.clamped(to: 0..<count)
    guard let found = unsafe memchr(base + range.lowerBound, Int32(byte), range.count) else { return nil }
    return unsafe UnsafeRawPointer(found) - base
  }

  /// The offset of the first byte above 0x7F in `range`, eight bytes at a time.
  func firstNonASCII(in range: Range<Int>) -> Int? {
    let range = range.clamped(to: 0..<count)
    var offset = range.lowerBound
    while offset <= range.upperBound - 8 {
      let word = unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if word & 0x8080_8080_8080_8080 != 0 { break }
      offset += 8
    }
    return (offset..<range.upperBound).first { self[$0] >= 0x80 }
  }

  /// The smallest offset from which every byte up to `end` satisfies `matches`, at most `limit` bytes back.
  func start(before end: Int, limit: Int, where matches: (UInt8) -> Bool) -> Int {
    let bound = max(0, end - limit)
    var offset = end
    while offset > bound, matches(self[offset - 1]) { offset -= 1 }
    return offset
  }

  /// Is `literal` (as it is written) at `offset`?
  func has(_ literal: StaticString, at offset: Int) -> Bool {
    literal.withUTF8Buffer { literal in
      guard offset >= 0, offset <= count - literal.count else { return false }
      return literal.indices.allSatisfy { unsafe literal[$0] == self[offset + $0] }
    }
  }

  /// Does `range` hold `word` (lower case), in any case of letters?
  func contains(_ word: StaticString, in range: Range<Int>) -> Bool {
    word.withUTF8Buffer { word in
      let range = range.clamped(to: 0..<count)
      guard let first = unsafe word.first, range.count >= word.count else { return false }
      for offset in range.lowerBound...(range.upperBound - word.count) where self[offset].folded == first {
        if word.indices.allSatisfy({ unsafe word[$0] == self[offset + $0].folded }) { return true }
      }
      return false
    }
  }

  /// Is `word` (lower case) at `offset`, in any case of letters?
  func hasFolded(_ word: StaticString, at offset: Int) -> Bool {
    word.withUTF8Buffer { word in word.indices.allSatisfy { unsafe word[$0] == self[offset + $0].folded } }
  }

  /// Is it text whose lines were joined?
  var isJoined: Bool { unsafe joints != nil }

  /// The last offset of `range` before which a line end was taken out.
  func lastJoint(in range: Range<Int>) -> Int? {
    guard let joints = unsafe joints else { return nil }
    var low = 0
    var high = joints.count
    while low < high {
      let middle = (low + high) / 2
      if unsafe joints[middle] < range.upperBound { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let joint = unsafe joints[low - 1]
    return joint >= range.lowerBound ? joint : nil
  }

  /// Was a line end taken out inside `range`?
  func crossesJoint(_ range: Range<Int>) -> Bool {
    isJoined && lastJoint(in: (range.lowerBound + 1)..<max(range.upperBound, range.lowerBound + 1)) != nil
  }

  /// May a token begin at `offset`: not inside a word, except right after a percent escape.
  func isTokenStart(_ offset: Int) -> Bool {
    guard self[offset - 1].isAlphanumeric else { return true }
    return self[offset - 3] == UInt8(ascii: "%") && self[offset - 2].isHexadecimal && self[offset - 1].isHexadecimal
  }
}
