internal import Crypto
internal import Persistence
internal import Records

/// A position in a search as an opaque word, bound to its query.
enum SearchCursor {
  static func text(of position: RecordSearch.Position, query: String) -> String {
    let plain = "\(position.time.microseconds).\(position.kind.rawValue).\(position.key)"
    return hexadecimal(Array(plain.utf8)) + "-" + check(plain, query)
  }

  /// Nil for a cursor of another query, or none at all.
  static func position(of cursor: String, query: String) -> RecordSearch.Position? {
    let parts = cursor.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.count == 2, let bytes = decoded(Array(parts[0])), let plain = String(validating: bytes, as: UTF8.self),
      check(plain, query).utf8.elementsEqual(parts[1])
    else { return nil }
    let fields = plain.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard fields.count == 3, let time = Int64(fields[0]).flatMap({ Instant(microseconds: $0) }),
      let kind = RecordSearch.Kind(rawValue: String(fields[1]))
    else { return nil }
    return .init(time: time, kind: kind, key: String(fields[2]))
  }

  /// Tells a cursor that was cut or mixed up from a whole one; it keeps nothing secret.
  private static func check(_ plain: String, _ query: String) -> String {
    hexadecimal(Array(SHA256.hash(data: Array("\(query)\u{0}\(plain)".utf8)).prefix(4)))
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static func decoded(_ digits: [UInt8]) -> [UInt8]? {
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for position in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[position...(position + 1)], as: UTF8.self), radix: 16) else {
        return nil
      }
      bytes.append(byte)
    }
    return bytes
  }
}
