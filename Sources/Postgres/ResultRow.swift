/// A row in text format, whole (`Row`) or lent (`RowView`).
///
/// Each getter comes in two forms: the plain one refuses null, the optional one returns nil for it. Both throw
/// `.unexpectedValue` when there is no such column or when its text is not of the type. Columns count from 0.
package protocol ResultRow: ~Copyable {
  var columns: [String] { get }

  /// The first column of that name; nil if there is none.
  func index(of column: String) -> Int?

  /// Lends the value's text, nil for null.
  func withCell<R>(
    _ column: Int, _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
  ) throws(PostgresError) -> R
}

extension ResultRow where Self: ~Copyable {
  package func isNull(_ column: Int) throws(PostgresError) -> Bool {
    try unsafe read(column) { _ throws(PostgresError) in true } == nil
  }

  package func optionalString(_ column: Int) throws(PostgresError) -> String? {
    try unsafe read(column) { text throws(PostgresError) in unsafe String(decoding: text, as: UTF8.self) }
  }

  package func optionalInt(_ column: Int) throws(PostgresError) -> Int64? {
    try unsafe read(column, as: "an integer") { text throws(PostgresError) in
      unsafe Int64(String(decoding: text, as: UTF8.self))
    }
  }

  package func optionalDouble(_ column: Int) throws(PostgresError) -> Double? {
    try unsafe read(column, as: "a number") { text throws(PostgresError) in
      unsafe Double(String(decoding: text, as: UTF8.self))
    }
  }

  package func optionalBool(_ column: Int) throws(PostgresError) -> Bool? {
    try unsafe read(column, as: "a boolean") { text throws(PostgresError) in
      guard text.count == 1 else { return nil }
      return switch unsafe text[0] {
      case UInt8(ascii: "t"): true
      case UInt8(ascii: "f"): false
      default: nil
      }
    }
  }

  /// The bytes of a `bytea`.
  package func optionalBytes(_ column: Int) throws(PostgresError) -> [UInt8]? {
    try unsafe read(column, as: "a bytea") { text throws(PostgresError) in unsafe Hexadecimal.decode(text) }
  }

  /// A `timestamptz`, `timestamp` or `date` in microseconds since 2000-01-01 00:00 UTC.
  package func optionalTimestamp(_ column: Int) throws(PostgresError) -> Int64? {
    try unsafe read(column, as: "a timestamp") { text throws(PostgresError) in unsafe TimestampText.parse(text) }
  }

  package func string(_ column: Int) throws(PostgresError) -> String { try present(optionalString(column), column) }
  package func int(_ column: Int) throws(PostgresError) -> Int64 { try present(optionalInt(column), column) }
  package func double(_ column: Int) throws(PostgresError) -> Double { try present(optionalDouble(column), column) }
  package func bool(_ column: Int) throws(PostgresError) -> Bool { try present(optionalBool(column), column) }
  package func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { try present(optionalBytes(column), column) }
  package func timestamp(_ column: Int) throws(PostgresError) -> Int64 {
    try present(optionalTimestamp(column), column)
  }

  // MARK: By name

  package func isNull(_ column: String) throws(PostgresError) -> Bool { try isNull(position(of: column)) }
  package func optionalString(_ column: String) throws(PostgresError) -> String? {
    try optionalString(position(of: column))
  }
  package func optionalInt(_ column: String) throws(PostgresError) -> Int64? { try optionalInt(position(of: column)) }
  package func optionalDouble(_ column: String) throws(PostgresError) -> Double? {
    try optionalDouble(position(of: column))
  }
  package func optionalBool(_ column: String) throws(PostgresError) -> Bool? { try optionalBool(position(of: column)) }
  package func optionalBytes(_ column: String) throws(PostgresError) -> [UInt8]? {
    try optionalBytes(position(of: column))
  }
  package func optionalTimestamp(_ column: String) throws(PostgresError) -> Int64? {
    try optionalTimestamp(position(of: column))
  }
  package func string(_ column: String) throws(PostgresError) -> String { try string(position(of: column)) }
  package func int(_ column: String) throws(PostgresError) -> Int64 { try int(position(of: column)) }
  package func double(_ column: String) throws(PostgresError) -> Double { try double(position(of: column)) }
  package func bool(_ column: String) throws(PostgresError) -> Bool { try bool(position(of: column)) }
  package func bytes(_ column: String) throws(PostgresError) -> [UInt8] { try bytes(position(of: column)) }
  package func timestamp(_ column: String) throws(PostgresError) -> Int64 { try timestamp(position(of: column)) }

  // MARK: Shared

  private func position(of column: String) throws(PostgresError) -> Int {
    guard let index = index(of: column) else { throw unexpected("there is no column \(column)") }
    return index
  }

  /// Decodes a value; nil for null. A decoder that returns nil means that the text is not of that type.
  private func read<R>(
    _ column: Int, as type: String = "a text", _ decode: (UnsafeRawBufferPointer) throws(PostgresError) -> R?
  ) throws(PostgresError) -> R? {
    guard column >= 0, column < columns.count else { throw unexpected("there is no column \(column)") }
    return try unsafe withCell(column) { cell throws(PostgresError) -> R? in
      guard let cell = unsafe cell else { return nil }
      guard let value = try unsafe decode(cell) else { throw unexpected("column \(columns[column]) is not \(type)") }
      return value
    }
  }

  private func present<R>(_ value: R?, _ column: Int) throws(PostgresError) -> R {
    guard let value else { throw unexpected("column \(columns[column]) is null") }
    return value
  }

  private func unexpected(_ message: String) -> PostgresError {
    PostgresError(.unexpectedValue, operation: "reading a row", message: message)
  }
}

/// The server's text form of a `bytea`: `\x` and two digits for each byte.
private enum Hexadecimal {
  static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count >= 2, text.count % 2 == 0, unsafe text[0] == UInt8(ascii: "\\"),
      unsafe text[1] == UInt8(ascii: "x")
    else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2 - 1)
    for position in stride(from: 2, to: text.count, by: 2) {
      guard let high = unsafe digit(text[position]), let low = unsafe digit(text[position + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
