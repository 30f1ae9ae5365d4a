internal import CMigrations
internal import Crypto

/// One numbered file of `migrations/`, as compiled into the program.
package struct Migration: Hashable, Sendable {
  /// The number that the file's name begins with; versions are consecutive from 1.
  package let version: Int
  /// The file's name.
  package let name: String
  package let sql: String
  /// SHA-256 of the text in hex, line endings taken as LF: a checkout that turns them into CRLF is no edit.
  package let checksum: String

  /// All migrations in order of version.
  package static let all: [Migration] = (0..<moha_migration_count()).map { index in
    Migration(moha_migration_at(index))
  }

  private init(_ file: moha_migration) {
    name = String(cString: file.name)
    let bytes = UnsafeBufferPointer(start: file.bytes, count: file.length)
    sql = String(decoding: bytes, as: UTF8.self)
    version = Int(name.prefix { $0 != "_" }) ?? 0
    checksum = Migration.checksum(of: bytes)
  }

  static func checksum(of bytes: some Sequence<UInt8>) -> String {
    var digest = SHA256()
    var normalised: [UInt8] = []
    var previousWasCarriageReturn = false
    for byte in bytes {
      if previousWasCarriageReturn && byte != UInt8(ascii: "\n") { normalised.append(UInt8(ascii: "\r")) }
      previousWasCarriageReturn = byte == UInt8(ascii: "\r")
      if !previousWasCarriageReturn { normalised.append(byte) }
    }
    if previousWasCarriageReturn { normalised.append(UInt8(ascii: "\r")) }
    digest.update(data: normalised)
    return hex(digest.finalize())
  }

  /// `schema.txt`: one catalog object a line, sorted by bytes; what a migrated schema must hold at least.
  static let manifest: Set<String> = {
    let file = moha_schema_manifest()
    let text = String(decoding: UnsafeBufferPointer(start: file.bytes, count: file.length), as: UTF8.self)
    return Set(text.split(separator: "\n").map(String.init))
  }()
}

/// Lower-case hexadecimal of the bytes, two digits each.
func hex(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}
