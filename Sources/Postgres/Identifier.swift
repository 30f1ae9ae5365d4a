/// Names of tables, columns, schemas and roles inside SQL text.
///
/// Values are never quoted into SQL; they are parameters. Names cannot be parameters, so they are quoted here.
package enum Identifier {
  /// `name` between quotation marks, with those inside doubled, as `PQescapeIdentifier` does.
  ///
  /// - Throws: `.invalidParameter` when the name is empty or holds U+0000.
  package static func quoted(_ name: String) throws(PostgresError) -> String {
    guard !name.isEmpty, !name.utf8.contains(0) else {
      throw PostgresError(
        .invalidParameter, operation: "quoting an identifier", message: "the name is empty or holds U+0000")
    }
    var bytes: [UInt8] = [UInt8(ascii: "\"")]
    for byte in name.utf8 {
      if byte == UInt8(ascii: "\"") { bytes.append(byte) }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `"schema"."name"`.
  ///
  /// - Throws: `.invalidParameter`, as `quoted(_:)` does.
  package static func quoted(schema: String, _ name: String) throws(PostgresError) -> String {
    "\(try quoted(schema)).\(try quoted(name))"
  }
}
