/// The name of an asset as keys of the cache hold it: `BTC`, `ETH-USD`, `EUR/USD`.
///
/// Upper and lower case are kept as given, so `btc` is another asset than `BTC`.
package struct Asset: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let name: String

  /// The most bytes that a name may have.
  static let maximumLength = 64

  /// Accepts 1 to 64 bytes without spaces, control characters and colons, which separate the parts of a key.
  ///
  /// - Throws: `.invalidName`.
  package init(_ name: String) throws(PersistenceError) {
    guard Self.isUsable(name) else {
      throw PersistenceError(
        .invalidName,
        "an asset's name has 1 to \(Self.maximumLength) bytes without spaces, colons or control characters")
    }
    self.name = name
  }

  /// Whether the text can be a part of a key.
  static func isUsable(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= maximumLength
      && name.unicodeScalars.allSatisfy { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
          .spaceSeparator:
          false
        default: scalar != ":" && scalar != "\u{FFFD}"
        }
      }
  }

  package var description: String { name }

  /// As Redis compares keys: by their bytes, and not by what looks the same.
  package static func == (left: Asset, right: Asset) -> Bool { left.name.utf8.elementsEqual(right.name.utf8) }

  package func hash(into hasher: inout Hasher) {
    for byte in name.utf8 { hasher.combine(byte) }
  }

  package static func < (left: Asset, right: Asset) -> Bool {
    left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }
}
