/// Parameters in the form in which libpq takes them: one buffer, and a pointer into it for each value.
///
/// All are in text format except `bytea`, which is sent as it is.
struct ParameterList {
  /// Values one after another; those in text format end in a zero byte, as libpq wants.
  private var bytes: [UInt8] = []
  /// Offset of each value in `bytes`; nil for null.
  private var offsets: [Int?] = []
  private var lengths: [CInt] = []
  private var formats: [CInt] = []

  /// - Throws: `.invalidParameter` for U+0000 in a text, which libpq would cut off there, for more than
  ///   65,535 values, and for a value of 1 GiB, both beyond the protocol.
  init(_ values: [Value], operation: String) throws(PostgresError) {
    guard values.count <= 65_535 else {
      throw PostgresError(
        .invalidParameter, operation: operation, message: "\(values.count) parameters are more than 65535")
    }
    for (index, value) in values.enumerated() {
      let start = bytes.count
      let isBinary: Bool
      do throws(PostgresError) {
        isBinary = try append(value)
      } catch {
        throw PostgresError(.invalidParameter, operation: operation, message: "$\(index + 1) \(error.message)")
      }
      let length = bytes.count - start
      guard length < 1 << 30 else {
        throw PostgresError(
          .invalidParameter, operation: operation, message: "$\(index + 1) is longer than a value may be, 1 GiB")
      }
      offsets.append(value == .null ? nil : start)
      lengths.append(CInt(length))
      formats.append(isBinary ? 1 : 0)
      bytes.append(0)
    }
  }

  /// Lends the four arrays that `PQsendQueryParams` and its relatives take. None may be kept.
  func withPointers<R>(
    _ body: (
      _ count: CInt, _ values: UnsafePointer<UnsafePointer<CChar>?>?, _ lengths: UnsafePointer<CInt>?,
      _ formats: UnsafePointer<CInt>?
    ) -> R
  ) -> R {
    unsafe bytes.withUnsafeBytes { buffer in
      let values = unsafe offsets.map { offset -> UnsafePointer<CChar>? in
        guard let offset, let base = buffer.baseAddress else { return nil }
        return unsafe (base + offset).assumingMemoryBound(to: CChar.self)
      }
      return unsafe body(CInt(offsets.count), values, lengths, formats)
    }
  }

  /// Appends one value and tells whether it is in binary format.
  private mutating func append(_ value: Value) throws(PostgresError) -> Bool {
    switch value {
    case .null: break
    case .text(let text), .json(let text), .numeric(let text): try append(text: text)
    case .int(let number): append(ascii: String(number))
    case .bool(let flag): append(ascii: flag ? "t" : "f")
    case .double(let number): append(ascii: String(number))
    case .timestamp(let microseconds): append(ascii: TimestampText.format(microsecondsSince2000: microseconds))
    case .bytes(let raw):
      bytes.append(contentsOf: raw)
      return true
    case .textArray(let elements): try append(array: elements)
    case .intArray(let elements): append(ascii: "{\(elements.map(String.init).joined(separator: ","))}")
    case .bytesArray(let elements):
      append(ascii: "{")
      for (index, element) in elements.enumerated() {
        append(ascii: index == 0 ? "\"\\\\x" : ",\"\\\\x")
        appendHexadecimal(element)
        append(ascii: "\"")
      }
      append(ascii: "}")
    }
    return false
  }

  private mutating func append(ascii text: String) {
    bytes.append(contentsOf: text.utf8)
  }

  private mutating func append(text: String) throws(PostgresError) {
    let start = bytes.count
    bytes.append(contentsOf: text.utf8)
    guard !bytes[start...].contains(0) else { throw Self.nulByte }
  }

  private mutating func append(array elements: [String?]) throws(PostgresError) {
    append(ascii: "{")
    for (index, element) in elements.enumerated() {
      if index > 0 { append(ascii: ",") }
      guard let element else {
        append(ascii: "NULL")
        continue
      }
      append(ascii: "\"")
      for byte in element.utf8 {
        if byte == 0 { throw Self.nulByte }
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
        bytes.append(byte)
      }
      append(ascii: "\"")
    }
    append(ascii: "}")
  }

  private mutating func appendHexadecimal(_ raw: [UInt8]) {
    for byte in raw {
      bytes.append(Self.hexadecimalDigit(byte >> 4))
      bytes.append(Self.hexadecimalDigit(byte & 0xF))
    }
  }

  private static func hexadecimalDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + (nibble - 10)
  }

  private static var nulByte: PostgresError {
    PostgresError(
      .invalidParameter, operation: "encoding a parameter",
      message: "holds U+0000, which PostgreSQL cannot store in a text")
  }
}
