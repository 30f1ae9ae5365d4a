import Crypto

/// The SHA-256 of a record's canonical bytes: is it the same record?
package struct ContentHash: Hashable, Sendable {
  private let words: (UInt64, UInt64, UInt64, UInt64)

  private init(_ raw: UnsafeRawBufferPointer) {
    func word(_ offset: Int) -> UInt64 { UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    self.words = (word(0), word(8), word(16), word(24))
  }

  /// Hashes `data`.
  init(of data: UnsafeRawBufferPointer) {
    var hasher = SHA256()
    hasher.update(bufferPointer: data)
    self = hasher.finalize().withUnsafeBytes { ContentHash($0) }
  }

  /// Hashes the canonical bytes of a record.
  package init(of canonical: CanonicalBytes) {
    self = canonical.bytes.withUnsafeBytes { ContentHash(of: $0) }
  }

  /// Fails where `bytes` is not 32 bytes long.
  package init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self = bytes.withUnsafeBytes { ContentHash($0) }
  }

  /// Fails where `hex` is not 64 hexadecimal digits.
  package init?(hex: String) {
    var bytes: [UInt8] = []
    var high: UInt8?
    for byte in hex.utf8 {
      guard let digit = hexValue(byte) else { return nil }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    guard high == nil else { return nil }
    self.init(bytes: bytes)
  }

  /// The key of an event's record: the first 32 hexadecimal digits.
  package var recordKey: String { String(description.prefix(32)) }

  /// The 32 bytes, in the order of the digest.
  package var bytes: [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(32)
    for word in [words.0, words.1, words.2, words.3] {
      for shift in stride(from: UInt64(56), through: 0, by: -8) {
        output.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    return output
  }

  package static func == (left: ContentHash, right: ContentHash) -> Bool {
    left.words == right.words
  }

  package func hash(into hasher: inout Hasher) {
    // The digest is uniform already; one word of it spreads as well as all four.
    hasher.combine(words.0)
  }
}

extension ContentHash: CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  package var description: String {
    var output: [UInt8] = []
    output.reserveCapacity(64)
    for byte in bytes {
      output.append(hexDigit(byte >> 4))
      output.append(hexDigit(byte))
    }
    return String(decoding: output, as: UTF8.self)
  }
}
