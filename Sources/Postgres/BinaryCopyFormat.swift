/// The frame around the rows of a binary COPY.
enum BinaryCopyFormat {
  static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

  /// The signature, no flags, no extension.
  static let header: [UInt8] = signature + [0, 0, 0, 0, 0, 0, 0, 0]
}

/// Cuts the bytes of a `COPY … TO STDOUT (FORMAT binary)` into rows.
///
/// A value without I/O. The server usually sends one message for each row, but the protocol does not promise it,
/// so what is incomplete is kept until more arrives.
struct BinaryCopyReader {
  private var pending: [UInt8] = []
  private var fields: [Range<Int>?] = []
  private var hasHeader = false
  private(set) var isFinished = false

  /// Feeds one message and calls `body` for each row that it completes.
  ///
  /// - Throws: `.protocolViolation` on malformed bytes, and whatever `body` throws.
  mutating func feed(_ message: UnsafeRawBufferPointer, _ body: (borrowing BinaryRow) throws -> Void) throws {
    if pending.isEmpty {
      let consumed = try unsafe parse(message, body)
      unsafe pending.append(contentsOf: message[consumed...])
      return
    }
    unsafe pending.append(contentsOf: message)
    var joined: [UInt8] = []
    swap(&joined, &pending)
    let consumed = try unsafe joined.withUnsafeBytes { try unsafe parse($0, body) }
    pending = Array(joined[consumed...])
  }

  /// The number of bytes at the start of `buffer` that were whole.
  private mutating func parse(
    _ buffer: UnsafeRawBufferPointer, _ body: (borrowing BinaryRow) throws -> Void
  ) throws -> Int {
    var cursor = unsafe BinaryCursor(buffer)
    if !hasHeader {
      guard let extensionLength = try header(&cursor), cursor.skip(extensionLength) else { return 0 }
      hasHeader = true
    }
    var whole = cursor.position
    while let columns = cursor.int16() {
      if columns == -1 {
        isFinished = true
        return buffer.count
      }
      guard columns >= 0 else { throw Self.malformed("a row of \(columns) columns") }
      fields.removeAll(keepingCapacity: true)
      for _ in 0..<columns {
        guard let length = cursor.int32() else { return whole }
        guard length >= -1 else { throw Self.malformed("a field of \(length) bytes") }
        if length == -1 {
          fields.append(nil)
          continue
        }
        let start = cursor.position
        guard cursor.skip(Int(length)) else { return whole }
        fields.append(start..<start + Int(length))
      }
      whole = cursor.position
      // Named, since the optimizer of Swift 6.3.1 crashes on a non-copyable temporary here.
      let row = unsafe BinaryRow(buffer: buffer, fields: fields)
      try body(row)
    }
    return whole
  }

  /// The length of the header's extension; nil if more bytes are needed.
  private func header(_ cursor: inout BinaryCursor) throws -> Int? {
    guard let signature = unsafe cursor.bytes(11) else { return nil }
    guard unsafe signature.elementsEqual(BinaryCopyFormat.signature) else { throw Self.malformed("another signature") }
    guard let flags = cursor.int32(), let length = cursor.int32() else { return nil }
    // The upper half of the flags is critical: an unknown one there means another format.
    guard flags & ~0xFFFF == 0, length >= 0 else { throw Self.malformed("unknown flags") }
    return Int(length)
  }

  private static func malformed(_ what: String) -> PostgresError {
    PostgresError(.protocolViolation, operation: "reading a binary COPY", message: "it holds \(what)")
  }
}

/// Reads big-endian integers off a buffer, nil when it ends.
///
/// `@safe`: it lives inside the call that lends the buffer, and no read passes its end.
@safe private struct BinaryCursor {
  private let buffer: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ buffer: UnsafeRawBufferPointer) {
    unsafe self.buffer = buffer
  }

  mutating func bytes(_ count: Int) -> Slice<UnsafeRawBufferPointer>? {
    let start = position
    guard skip(count) else { return nil }
    return unsafe buffer[start..<start + count]
  }

  mutating func skip(_ count: Int) -> Bool {
    guard unsafe count <= buffer.count - position else { return false }
    position += count
    return true
  }

  mutating func int16() -> Int16? {
    guard let bytes = unsafe bytes(2) else { return nil }
    return Int16(bitPattern: unsafe bytes.reduce(0) { $0 << 8 | UInt16($1) })
  }

  mutating func int32() -> Int32? {
    guard let bytes = unsafe bytes(4) else { return nil }
    return Int32(bitPattern: unsafe bytes.reduce(0) { $0 << 8 | UInt32($1) })
  }
}
