internal import Records

/// Pages of a list that is sorted by key, in byte order.
///
/// A cursor names the last key that was given, not a place, so a walk under changes neither repeats nor loses an entry
/// that stays. It is opaque to clients: the list's name and the key in base64. The empty string is a cursor too, the
/// one before every key.
enum Page {
  static let maximumEntries = 50
  /// Bytes of the entries of a page, beyond the first entry: a model takes in whole results.
  static let maximumBytes = 20_000

  /// The key to go on after; nil where the parameters hold no cursor.
  ///
  /// - Throws: -32602 for a cursor that is not of this list.
  static func start(_ list: String, _ parameters: JSONValue) throws(RPCError) -> String? {
    let invalid = RPCError.invalidParameters("the cursor is not one that this list gave")
    switch parameters["cursor"] {
    case nil, .null: return nil
    case .string(let cursor):
      guard let text = cursor.text else { throw invalid }
      if text.isEmpty { return "" }
      guard let bytes = Base64.decode(text), let decoded = String(validating: bytes, as: UTF8.self) else {
        throw invalid
      }
      let parts = decoded.utf8.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0].elementsEqual(list.utf8) else { throw invalid }
      return String(Substring(parts[1]))
    default: throw .invalidParameters("`cursor` must be a string")
    }
  }

  static func cursor(_ list: String, after key: String) -> String {
    Base64.encode(Array(list.utf8) + [0] + Array(key.utf8))
  }

  /// A result object with the entries of `source` that follow the cursor.
  ///
  /// - Parameters:
  ///   - list: the member that holds the entries, and part of the cursor.
  ///   - key: what `source` is sorted by; an entry's is unique.
  ///   - write: an entry as serialised JSON.
  static func result<Entry>(
    _ list: String, of source: [Entry], after start: String?, key: (Entry) -> String, write: (Entry) -> [UInt8]
  ) -> [UInt8] {
    var bytes = Array("{\"\(list)\":[".utf8)
    var position = start.map { first(after: $0, in: source, key: key) } ?? 0
    let begin = position
    while position < source.count, position - begin < maximumEntries {
      let entry = write(source[position])
      if position > begin {
        guard bytes.count + entry.count <= maximumBytes else { break }
        bytes.append(0x2C)
      }
      bytes.append(contentsOf: entry)
      position += 1
    }
    bytes.append(0x5D)
    if position < source.count, position > begin {
      let next = cursor(list, after: key(source[position - 1]))
      bytes.append(contentsOf: ",\"nextCursor\":\"\(next)\"".utf8)
    }
    bytes.append(0x7D)
    return bytes
  }

  /// The position of the first entry with a larger key.
  private static func first<Entry>(after start: String, in source: [Entry], key: (Entry) -> String) -> Int {
    var low = 0
    var high = source.count
    while low < high {
      let middle = (low + high) / 2
      if start.utf8.lexicographicallyPrecedes(key(source[middle]).utf8) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
