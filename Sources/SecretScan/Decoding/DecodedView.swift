/// Stretches of a text with an encoding undone, and for each byte where it comes from.
///
/// What stands in one stretch is not beside what stands in the next one.
struct DecodedView {
  private(set) var bytes: [UInt8] = []
  /// The stretches, in their order; a line end follows each.
  private(set) var stretches: [Range<Int>] = []
  /// For each byte the offset, in the text that was decoded, of the first byte it came from.
  private(set) var origins: [Int] = []
  /// The offsets, ascending, before which a line end was taken out; nil in a view that takes out none.
  private(set) var joints: [Int]?

  init(isJoined: Bool = false) {
    joints = isJoined ? [] : nil
  }

  var isEmpty: Bool { bytes.isEmpty }

  /// Makes room at least twice as large where there is none, so that many stretches cost linear time.
  mutating func reserve(_ count: Int) {
    guard bytes.capacity < bytes.count + count else { return }
    bytes.reserveCapacity(max(bytes.count + count, 2 * bytes.capacity))
    origins.reserveCapacity(bytes.capacity)
  }

  mutating func append(_ byte: UInt8, from origin: Int) {
    bytes.append(byte)
    origins.append(origin)
  }

  /// Appends bytes as they are.
  mutating func append(_ range: Range<Int>, of text: ByteText) {
    bytes.append(contentsOf: text[range])
    origins.append(contentsOf: range)
  }

  mutating func removeLast(from count: Int) {
    bytes.removeLast(bytes.count - count)
    origins.removeLast(origins.count - count)
  }

  /// Marks that a line end was taken out here.
  mutating func join() {
    joints?.append(bytes.count)
  }

  /// Ends a stretch whose last byte comes from before `end`.
  mutating func endStretch(at end: Int) {
    stretches.append((stretches.last.map { $0.upperBound + 1 } ?? 0)..<bytes.count)
    append(0x0A, from: end)
  }

  /// Lends each stretch as a text of its own, with its place in the view, until `body` returns false.
  ///
  /// A view that takes out line ends is lent as a whole: what is looked for there does not reach over a line end.
  func forEachText(_ body: (ByteText, Int) -> Bool) -> Bool {
    unsafe bytes.withUnsafeBytes { bytes in
      if let joints {
        return unsafe joints.withUnsafeBufferPointer { joints in body(unsafe ByteText(bytes, joints: joints), 0) }
      }
      return stretches.allSatisfy { stretch in
        body(unsafe ByteText(UnsafeRawBufferPointer(rebasing: bytes[stretch])), stretch.lowerBound)
      }
    }
  }

  /// The bytes of the decoded text that `range` of this view came from.
  func origin(of range: Range<Int>) -> Range<Int> {
    guard range.lowerBound >= 0, range.upperBound < origins.count, !range.isEmpty else { return 0..<0 }
    return origins[range.lowerBound]..<origins[range.upperBound]
  }
}
