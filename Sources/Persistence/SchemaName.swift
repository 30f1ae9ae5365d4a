/// The name of the schema that holds the tables: a lower-case SQL identifier that needs no quoting rules.
package struct SchemaName: Hashable, Sendable, CustomStringConvertible {
  package let name: String

  /// Accepts `[a-z_][a-z0-9_]*` of at most 63 bytes that is none of the server's own (`pg_…`, `information_schema`); nil
  /// otherwise.
  package init?(_ name: String) {
    let bytes = Array(name.utf8)
    guard let first = bytes.first, bytes.count <= 63, !name.hasPrefix("pg_"), name != "information_schema"
    else { return nil }
    func isLetter(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
    }
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard isLetter(first), bytes.allSatisfy({ isLetter($0) || isDigit($0) }) else { return nil }
    self.name = name
  }

  private init(unchecked name: String) {
    self.name = name
  }

  package static let `public` = SchemaName(unchecked: "public")

  package var quoted: String { "\"\(name)\"" }
  package var description: String { name }

  func qualified(_ relation: String) -> String { "\(quoted).\(relation)" }
}
