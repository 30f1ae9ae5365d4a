/// The name of a rate limit, a counter or a lock: a part of a key.
///
/// Letters, digits, `.`, `_`, `-`, `/` and `@`, up to 100 bytes, so that it can stand in keys, in a terminal and in a
/// variable of the environment as it is.
package struct CacheName: Hashable, Sendable, CustomStringConvertible {
  package let text: String

  /// - Throws: `.invalidName`.
  package init(_ text: String) throws(PersistenceError) {
    let isUsable = text.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "._-/@".utf8.contains(byte)
    }
    guard isUsable, (1...100).contains(text.utf8.count) else {
      throw PersistenceError(
        .invalidName, "a name has 1 to 100 letters, digits or characters of ._-/@: nothing was changed")
    }
    self.text = text
  }

  package var description: String { text }
}
