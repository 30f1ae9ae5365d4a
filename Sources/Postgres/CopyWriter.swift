internal import CLibPQ

/// Writes the rows of a `COPY … FROM STDIN (FORMAT binary)`, lent for the duration of `copyIn`.
///
/// The methods are those of `BinaryRowEncoder`, with its errors, and `.connectionLost`. Rows are sent in pieces
/// of 128 KiB and more; when the server cannot keep up, a method blocks.
package struct CopyWriter: ~Copyable {
  private let wire: Wire
  private let sql: String
  private var encoder = BinaryRowEncoder()
  private static let flushSize = 128 << 10

  init(_ wire: Wire, _ sql: String) {
    (self.wire, self.sql) = (wire, sql)
  }

  package mutating func row(columns: Int) throws(PostgresError) {
    if encoder.bytes.count >= Self.flushSize, encoder.isAtRowBoundary { try flush() }
    try encoder.row(columns: columns)
  }

  /// Whole rows that a `BinaryRowEncoder` made, sent without another copy.
  package mutating func raw(chunk: [UInt8]) throws(PostgresError) {
    try encoder.append(chunk: [])
    try flush()
    try send(chunk)
  }

  package mutating func null() throws(PostgresError) { try encoder.null() }
  package mutating func text(_ value: String) throws(PostgresError) { try encoder.text(value) }
  package mutating func textBytes(_ value: [UInt8]) throws(PostgresError) { try encoder.textBytes(value) }
  package mutating func textBytes(_ value: UnsafeRawBufferPointer) throws(PostgresError) {
    try unsafe encoder.textBytes(value)
  }
  package mutating func bytes(_ value: [UInt8]) throws(PostgresError) { try encoder.bytes(value) }
  package mutating func bool(_ value: Bool) throws(PostgresError) { try encoder.bool(value) }
  package mutating func int16(_ value: Int16) throws(PostgresError) { try encoder.int16(value) }
  package mutating func int32(_ value: Int32) throws(PostgresError) { try encoder.int32(value) }
  package mutating func int64(_ value: Int64) throws(PostgresError) { try encoder.int64(value) }
  package mutating func double(_ value: Double) throws(PostgresError) { try encoder.double(value) }
  package mutating func timestamp(microsecondsSince2000 value: Int64) throws(PostgresError) {
    try encoder.timestamp(microsecondsSince2000: value)
  }
  package mutating func numeric(_ text: String) throws(PostgresError) { try encoder.numeric(text) }
  package mutating func jsonb(_ text: String) throws(PostgresError) { try encoder.jsonb(text) }
  package mutating func jsonb(bytes text: [UInt8]) throws(PostgresError) { try encoder.jsonb(bytes: text) }
  package mutating func textArray(_ elements: [String]) throws(PostgresError) { try encoder.textArray(elements) }

  mutating func writeHeader() throws(PostgresError) {
    try send(BinaryCopyFormat.header)
  }

  mutating func finish() throws(PostgresError) {
    try encoder.append(chunk: [])
    try flush()
    try send([0xFF, 0xFF])  // the trailer: a row of -1 columns
  }

  private mutating func flush() throws(PostgresError) {
    try send(encoder.takeChunk())
  }

  /// `PQputCopyData` counts in 32 bits, so what is longer goes in parts.
  private func send(_ bytes: [UInt8]) throws(PostgresError) {
    let partSize = 16 << 20
    var start = 0
    while start < bytes.count {
      try wire.checkCancellation(Wire.operationName(sql))
      let count = min(partSize, bytes.count - start)
      let status = unsafe bytes.withUnsafeBytes { buffer in
        unsafe PQputCopyData(
          wire.handle.pointer, buffer.baseAddress?.assumingMemoryBound(to: CChar.self).advanced(by: start), CInt(count))
      }
      guard status == 1 else { throw wire.failed(Wire.operationName(sql), sql) }
      start += count
    }
  }
}
