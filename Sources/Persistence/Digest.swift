internal import Crypto
internal import Records

/// A set of records as one number: the sum modulo 2²⁵⁶ of SHA-256 over each record's key and content hash.
///
/// Addition keeps order out of it, so either side may be summed in any order or in parts, and a record that is
/// there twice counts twice (with exclusive or, two equal rows would cancel out). The term of a record is
/// SHA-256 of the key's UTF-8 bytes, one zero byte and the 32 bytes of the content hash, read as a big-endian
/// integer.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
  /// Big-endian words.
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  /// How many terms were added.
  package private(set) var count = 0

  package init() {}

  package mutating func add(key: RecordKey, contentHash: [UInt8]) {
    var sha = SHA256()
    sha.update(data: Array(key.text.utf8))
    sha.update(data: [0])
    sha.update(data: contentHash)
    var term: [UInt64] = [0, 0, 0, 0]
    for (index, byte) in sha.finalize().enumerated() { term[index / 8] = term[index / 8] << 8 | UInt64(byte) }
    var carry: UInt64 = 0
    func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
      let (partial, first) = left.addingReportingOverflow(right)
      let (total, second) = partial.addingReportingOverflow(carry)
      carry = (first ? 1 : 0) + (second ? 1 : 0)
      return total
    }
    words.3 = sum(words.3, term[3])
    words.2 = sum(words.2, term[2])
    words.1 = sum(words.1, term[1])
    words.0 = sum(words.0, term[0])
    count += 1
  }

  /// 64 lower-case hex digits.
  package var description: String {
    let bytes = [words.0, words.1, words.2, words.3].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
    }
    return hex(bytes)
  }

  package static func == (left: Digest, right: Digest) -> Bool {
    left.words == right.words && left.count == right.count
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.3)
    hasher.combine(count)
  }
}
