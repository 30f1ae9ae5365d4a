/// Encodes rows for `COPY … FROM STDIN (FORMAT binary)`.
///
/// A value without I/O: encode chunks on any thread, then hand them to `CopyWriter.raw(chunk:)`, which adds the
/// header and the trailer. Integers are big-endian. Each row starts with `row(columns:)`, then exactly that many
/// fields follow.
///
/// Every method throws `.invalidParameter`, for a value that PostgreSQL cannot hold and for fields that do not
/// add up to rows; the encoder is then not to be used further.
package struct BinaryRowEncoder: Sendable {
  /// What has been encoded since the last `takeChunk()`.
  package private(set) var bytes: [UInt8] = []
  /// Fields that the row in hand still lacks.
  private var missingFields = 0

  package init() {}

  /// Hands over the encoded rows and keeps encoding into an empty buffer. Call it between rows.
  package mutating func takeChunk() -> [UInt8] {
    var chunk: [UInt8] = []
    chunk.reserveCapacity(bytes.count)
    swap(&chunk, &bytes)
    return chunk
  }

  /// True between rows.
  package var isAtRowBoundary: Bool { missingFields == 0 }

  /// Starts a row.
  package mutating func row(columns: Int) throws(PostgresError) {
    guard missingFields == 0 else { throw refusal("the row before lacks \(missingFields) of its fields") }
    guard columns > 0, columns <= 1600 else { throw refusal("a row has 1 to 1600 columns, not \(columns)") }
    missingFields = columns
    append(Int16(columns))
  }

  package mutating func null() throws(PostgresError) {
    try beginField()
    append(Int32(-1))
  }

  package mutating func text(_ text: String) throws(PostgresError) {
    var text = text
    let isClean = text.withUTF8 { unsafe !$0.contains(0) }
    guard isClean else { throw refusal("a text holds U+0000, which PostgreSQL cannot store") }
    try beginField(length: text.utf8.count)
    bytes.append(contentsOf: text.utf8)
  }

  /// A text from its UTF-8 bytes, which the server checks.
  package mutating func textBytes(_ text: [UInt8]) throws(PostgresError) {
    try unsafe text.withUnsafeBufferPointer { buffer throws(PostgresError) in
      try unsafe textBytes(UnsafeRawBufferPointer(buffer))
    }
  }

  /// A text from its UTF-8 bytes, which the server checks.
  package mutating func textBytes(_ text: UnsafeRawBufferPointer) throws(PostgresError) {
    guard unsafe !text.contains(0) else { throw refusal("a text holds U+0000, which PostgreSQL cannot store") }
    try beginField(length: text.count)
    unsafe bytes.append(contentsOf: text)
  }

  package mutating func bytes(_ value: [UInt8]) throws(PostgresError) {
    try beginField(length: value.count)
    bytes.append(contentsOf: value)
  }

  package mutating func bool(_ value: Bool) throws(PostgresError) {
    try beginField(length: 1)
    bytes.append(value ? 1 : 0)
  }

  package mutating func int16(_ value: Int16) throws(PostgresError) { try field(value) }
  package mutating func int32(_ value: Int32) throws(PostgresError) { try field(value) }
  package mutating func int64(_ value: Int64) throws(PostgresError) { try field(value) }
  package mutating func double(_ value: Double) throws(PostgresError) { try field(value.bitPattern) }

  /// A `timestamptz` or `timestamp`, in microseconds since 2000-01-01 00:00 UTC.
  package mutating func timestamp(microsecondsSince2000 value: Int64) throws(PostgresError) { try field(value) }

  /// A `numeric` from decimal text: an optional sign, digits with an optional point, an optional exponent; or
  /// `NaN`, `Infinity`, `-Infinity`. Exact, down to the number of zeros behind the point.
  package mutating func numeric(_ text: String) throws(PostgresError) {
    let number = try BinaryNumeric(text)
    try beginField(length: 8 + 2 * number.digits.count)
    append(Int16(number.digits.count))
    append(number.weight)
    append(number.sign.rawValue)
    append(number.scale)
    for digit in number.digits { append(digit) }
  }

  /// A `jsonb` from JSON text, which the server parses.
  package mutating func jsonb(_ text: String) throws(PostgresError) {
    try jsonb(bytes: Array(text.utf8))
  }

  /// A `jsonb` from the UTF-8 bytes of JSON text, which the server parses.
  package mutating func jsonb(bytes text: [UInt8]) throws(PostgresError) {
    guard !text.contains(0) else { throw refusal("a JSON text holds U+0000") }
    try beginField(length: text.count + 1)
    bytes.append(1)  // the version of jsonb's binary form
    bytes.append(contentsOf: text)
  }

  /// A one-dimensional `text[]`.
  package mutating func textArray(_ elements: [String]) throws(PostgresError) {
    var length = elements.isEmpty ? 12 : 20
    for element in elements {
      guard !element.utf8.contains(0) else { throw refusal("a text holds U+0000, which PostgreSQL cannot store") }
      length += 4 + element.utf8.count
    }
    try beginField(length: length)
    append(Int32(elements.isEmpty ? 0 : 1))  // dimensions
    append(Int32(0))  // no nulls
    append(Int32(25))  // the element type's object identifier: text
    guard !elements.isEmpty else { return }
    append(Int32(elements.count))
    append(Int32(1))  // the first index
    for element in elements {
      append(Int32(element.utf8.count))
      bytes.append(contentsOf: element.utf8)
    }
  }

  // MARK: Shared

  private mutating func field(_ value: some FixedWidthInteger) throws(PostgresError) {
    try beginField(length: value.bitWidth / 8)
    append(value)
  }

  private mutating func beginField() throws(PostgresError) {
    guard missingFields > 0 else { throw refusal("the row has no column left for this field") }
    missingFields -= 1
  }

  private mutating func beginField(length: Int) throws(PostgresError) {
    guard length < 1 << 30 else { throw refusal("a field is longer than a value may be, 1 GiB") }
    try beginField()
    append(Int32(length))
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    unsafe withUnsafeBytes(of: value.bigEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  /// Appends rows that another encoder made.
  mutating func append(chunk: [UInt8]) throws(PostgresError) {
    guard isAtRowBoundary else { throw refusal("a chunk comes between the fields of a row") }
    bytes.append(contentsOf: chunk)
  }

  private func refusal(_ message: String) -> PostgresError {
    PostgresError(.invalidParameter, operation: "encoding a row", message: message)
  }
}
