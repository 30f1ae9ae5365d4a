internal import CLibGit2

/// The SHA-1 name of a git object: 20 bytes, stored inline.
///
/// Ordered by its bytes, which is the order of its hexadecimal form.
package struct ObjectID: Hashable, Comparable, Sendable {
  // Big-endian words: comparing the words in order compares the bytes.
  private let high: UInt64
  private let middle: UInt64
  private let low: UInt32

  /// The number of bytes in an id.
  package static let byteCount = 20

  /// Takes exactly 20 bytes; nil for any other count.
  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count == ObjectID.byteCount else { return nil }
    self.init(exactly: bytes)
  }

  /// Takes exactly 40 hexadecimal digits in either case; nil for anything else.
  package init?(hex: some StringProtocol) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(ObjectID.byteCount)
    var pending: UInt8?
    for digit in hex.utf8 {
      guard bytes.count < ObjectID.byteCount, let value = ObjectID.value(ofHexDigit: digit) else { return nil }
      if let first = pending {
        bytes.append(first << 4 | value)
        pending = nil
      } else {
        pending = value
      }
    }
    guard pending == nil, bytes.count == ObjectID.byteCount else { return nil }
    self.init(exactly: bytes)
  }

  /// `bytes` holds `byteCount` bytes; missing ones would read as zero.
  private init(exactly bytes: some Collection<UInt8>) {
    var high: UInt64 = 0
    var middle: UInt64 = 0
    var low: UInt32 = 0
    for (index, byte) in bytes.enumerated() {
      switch index {
      case 0..<8: high = high << 8 | UInt64(byte)
      case 8..<16: middle = middle << 8 | UInt64(byte)
      default: low = low << 8 | UInt32(byte)
      }
    }
    self.high = high
    self.middle = middle
    self.low = low
  }

  /// Reads 20 bytes at `pointer`, which need not be aligned.
  init(readingFrom pointer: UnsafeRawPointer) {
    high = unsafe UInt64(bigEndian: pointer.loadUnaligned(as: UInt64.self))
    middle = unsafe UInt64(bigEndian: pointer.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    low = unsafe UInt32(bigEndian: pointer.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
  }

  init(_ oid: git_oid) {
    self = unsafe withUnsafeBytes(of: oid.id) { buffer in
      // An imported 20-byte array is never empty, so it has a base address.
      guard let base = buffer.baseAddress else { return ObjectID.zero }
      return unsafe ObjectID(readingFrom: base)
    }
  }

  private init(high: UInt64, middle: UInt64, low: UInt32) {
    self.high = high
    self.middle = middle
    self.low = low
  }

  /// Twenty zero bytes: git's name for "no object".
  package static let zero = ObjectID(high: 0, middle: 0, low: 0)

  /// The tree without entries.
  package static let emptyTree = ObjectID(
    high: 0x4b82_5dc6_42cb_6eb9, middle: 0xa060_e54b_f8d6_9288, low: 0xfbee_4904)

  /// The blob without bytes.
  package static let emptyBlob = ObjectID(
    high: 0xe69d_e29b_b2d1_d643, middle: 0x4b8b_29ae_775a_d8c2, low: 0xe48c_5391)

  /// The 20 bytes in order.
  package var bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(ObjectID.byteCount)
    append(to: &result)
    return result
  }

  /// Appends the 20 bytes in order.
  func append(to buffer: inout [UInt8]) {
    unsafe withUnsafeBytes(of: high.bigEndian) { unsafe buffer.append(contentsOf: $0) }
    unsafe withUnsafeBytes(of: middle.bigEndian) { unsafe buffer.append(contentsOf: $0) }
    unsafe withUnsafeBytes(of: low.bigEndian) { unsafe buffer.append(contentsOf: $0) }
  }

  /// The form that the library takes.
  var oid: git_oid {
    var result = git_oid()
    unsafe withUnsafeMutableBytes(of: &result.id) { buffer in
      unsafe buffer.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
      unsafe buffer.storeBytes(of: middle.bigEndian, toByteOffset: 8, as: UInt64.self)
      unsafe buffer.storeBytes(of: low.bigEndian, toByteOffset: 16, as: UInt32.self)
    }
    return result
  }

  package static func < (left: ObjectID, right: ObjectID) -> Bool {
    if left.high != right.high { return left.high < right.high }
    if left.middle != right.middle { return left.middle < right.middle }
    return left.low < right.low
  }

  private static func value(ofHexDigit digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension ObjectID: CustomStringConvertible {
  /// Forty lower-case hexadecimal digits.
  package var description: String {
    let digits: [UInt8] = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(ObjectID.byteCount * 2)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension ObjectID {
  /// The id that a blob of these bytes has, whether or not any repository holds it. No filter is applied.
  package static func blob(_ bytes: [UInt8]) -> ObjectID {
    unsafe bytes.withUnsafeBytes { buffer in unsafe hash(of: buffer, type: GIT_OBJECT_BLOB) }
  }

  /// `git_odb_hash`: the id of an object of `type` with these bytes.
  static func hash(of bytes: UnsafeRawBufferPointer, type: git_object_t) -> ObjectID {
    Library.start()
    var oid = git_oid()
    var placeholder: UInt8 = 0
    let status = unsafe withUnsafePointer(to: &placeholder) { empty in
      // A null pointer is refused even for no bytes.
      unsafe git_odb_hash(&oid, bytes.baseAddress ?? UnsafeRawPointer(empty), bytes.count, type)
    }
    // It fails only for a type that is not one of git's four, or when the hash context cannot be allocated.
    precondition(status == 0, "git_odb_hash failed with \(status)")
    return ObjectID(oid)
  }
}
