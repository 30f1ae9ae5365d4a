/// One row of a binary COPY, lent for the duration of a closure. Fields count from 0.
///
/// As in `ResultRow`, each getter comes in two forms: the plain one refuses null, the optional one returns nil for
/// it. Both throw `.unexpectedValue` when there is no such field or when it is not of the type.
///
/// `@safe`: the buffer outlives the closure that the row is lent to, and every range lies inside of it.
@safe package struct BinaryRow: ~Copyable {
  private let buffer: UnsafeRawBufferPointer
  private let fields: [Range<Int>?]

  init(buffer: UnsafeRawBufferPointer, fields: [Range<Int>?]) {
    unsafe self.buffer = buffer
    self.fields = fields
  }

  package var count: Int { fields.count }

  /// Lends the field's bytes, nil for null.
  package func withField<R>(
    _ index: Int, _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
  ) throws(PostgresError) -> R {
    guard fields.indices.contains(index) else { throw unexpected("there is no field \(index)") }
    guard let range = fields[index] else { return try body(nil) }
    return try unsafe body(UnsafeRawBufferPointer(rebasing: buffer[range]))
  }

  package func isNull(_ index: Int) throws(PostgresError) -> Bool {
    try unsafe withField(index) { field throws(PostgresError) in unsafe field == nil }
  }

  /// The field's bytes as they are: those of a `bytea`, or any type's binary form.
  package func optionalBytes(_ index: Int) throws(PostgresError) -> [UInt8]? {
    try unsafe withField(index) { field throws(PostgresError) in unsafe field.map { unsafe Array($0) } }
  }

  package func optionalString(_ index: Int) throws(PostgresError) -> String? {
    try unsafe withField(index) { field throws(PostgresError) in
      unsafe field.map { unsafe String(decoding: $0, as: UTF8.self) }
    }
  }

  /// A `smallint`, `integer` or `bigint`.
  package func optionalInt64(_ index: Int) throws(PostgresError) -> Int64? {
    try unsafe withField(index) { field throws(PostgresError) -> Int64? in
      guard let field = unsafe field else { return nil }
      let bits = unsafe field.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      switch field.count {
      case 2: return Int64(Int16(truncatingIfNeeded: bits))
      case 4: return Int64(Int32(truncatingIfNeeded: bits))
      case 8: return Int64(bitPattern: bits)
      default: throw unexpected("field \(index) is not an integer")
      }
    }
  }

  package func optionalBool(_ index: Int) throws(PostgresError) -> Bool? {
    try unsafe withField(index) { field throws(PostgresError) -> Bool? in
      guard let field = unsafe field else { return nil }
      guard field.count == 1, let byte = unsafe field.first, byte <= 1 else {
        throw unexpected("field \(index) is not a boolean")
      }
      return byte == 1
    }
  }

  /// A `double precision`.
  package func optionalDouble(_ index: Int) throws(PostgresError) -> Double? {
    try unsafe withField(index) { field throws(PostgresError) -> Double? in
      guard let field = unsafe field else { return nil }
      guard field.count == 8 else { throw unexpected("field \(index) is not a double precision") }
      return Double(bitPattern: unsafe field.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
  }

  /// A `numeric` as the text that the server prints for it.
  package func optionalNumeric(_ index: Int) throws(PostgresError) -> String? {
    try unsafe withField(index) { field throws(PostgresError) -> String? in
      guard let field = unsafe field else { return nil }
      guard let number = unsafe BinaryNumeric(binary: field) else {
        throw unexpected("field \(index) is not a numeric")
      }
      return number.text
    }
  }

  /// A `jsonb` as JSON text.
  package func optionalJSONB(_ index: Int) throws(PostgresError) -> String? {
    try unsafe withField(index) { field throws(PostgresError) -> String? in
      guard let field = unsafe field else { return nil }
      guard unsafe field.first == 1 else { throw unexpected("field \(index) is not a jsonb of version 1") }
      return unsafe String(decoding: field.dropFirst(), as: UTF8.self)
    }
  }

  package func bytes(_ index: Int) throws(PostgresError) -> [UInt8] { try present(optionalBytes(index), index) }
  package func string(_ index: Int) throws(PostgresError) -> String { try present(optionalString(index), index) }
  package func int64(_ index: Int) throws(PostgresError) -> Int64 { try present(optionalInt64(index), index) }
  package func bool(_ index: Int) throws(PostgresError) -> Bool { try present(optionalBool(index), index) }
  package func double(_ index: Int) throws(PostgresError) -> Double { try present(optionalDouble(index), index) }
  package func numeric(_ index: Int) throws(PostgresError) -> String { try present(optionalNumeric(index), index) }
  package func jsonb(_ index: Int) throws(PostgresError) -> String { try present(optionalJSONB(index), index) }

  private func present<R>(_ value: R?, _ index: Int) throws(PostgresError) -> R {
    guard let value else { throw unexpected("field \(index) is null") }
    return value
  }

  private func unexpected(_ message: String) -> PostgresError {
    PostgresError(.unexpectedValue, operation: "reading a binary COPY", message: message)
  }
}
