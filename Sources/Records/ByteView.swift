#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A window on borrowed bytes whose reads are total.
///
/// Every codec of this module reads input through this type. A read outside the window gives 0, as the terminator of a
/// C string would, so no offset derived from a file can trap or touch foreign memory. The owner of the memory must
/// outlive the view; views are made inside `withUnsafeBytes` closures and never stored beyond them.
struct ByteView {
  let buffer: UnsafeBufferPointer<UInt8>

  init(_ buffer: UnsafeBufferPointer<UInt8>) {
    self.buffer = buffer
  }

  init(_ raw: UnsafeRawBufferPointer) {
    self.buffer = raw.bindMemory(to: UInt8.self)
  }

  var count: Int { buffer.count }

  subscript(index: Int) -> UInt8 {
    @inline(__always) get { UInt(bitPattern: index) < UInt(bitPattern: buffer.count) ? buffer[index] : 0 }
  }

  /// Returns the offset of the first `byte` in `start..<end`, or `end` where there is none.
  @inline(__always)
  func index(of byte: UInt8, from start: Int, to end: Int) -> Int {
    guard start >= 0, start < end, end <= buffer.count, let base = buffer.baseAddress,
      let hit = memchr(base + start, Int32(byte), end - start)
    else { return end }
    return UnsafeRawPointer(hit) - UnsafeRawPointer(base)
  }

  /// Returns whether the bytes from `start`, ending before `end`, begin with `prefix`.
  @inline(__always)
  func hasPrefix(_ prefix: StaticString, from start: Int, to end: Int) -> Bool {
    let length = prefix.utf8CodeUnitCount
    guard start >= 0, end <= buffer.count, end - start >= length, let base = buffer.baseAddress else { return false }
    return memcmp(base + start, prefix.utf8Start, length) == 0
  }

  /// Returns whether the bytes in `start..<end` are exactly `text`.
  @inline(__always)
  func equals(_ text: StaticString, from start: Int, to end: Int) -> Bool {
    end - start == text.utf8CodeUnitCount && hasPrefix(text, from: start, to: end)
  }

  /// Returns the offset of the first occurrence of `text` in `start..<end`, or nil.
  func index(of text: StaticString, from start: Int, to end: Int) -> Int? {
    let first = text.utf8CodeUnitCount > 0 ? text.utf8Start.pointee : 0
    var position = start
    while true {
      position = index(of: first, from: position, to: end)
      if position >= end { return nil }
      if hasPrefix(text, from: position, to: end) { return position }
      position += 1
    }
  }

  /// Returns `start..<end` without spaces, tabs and carriage returns at either end.
  @inline(__always)
  func trimmed(_ start: Int, _ end: Int) -> Range<Int> {
    var low = start
    var high = max(start, end)
    while low < high, isBlank(self[low]) { low += 1 }
    while high > low, isBlank(self[high - 1]) { high -= 1 }
    return low..<high
  }

  /// Returns whether `start..<end` holds nothing but spaces, tabs and carriage returns.
  @inline(__always)
  func isBlankLine(_ start: Int, _ end: Int) -> Bool {
    var position = start
    while position < end {
      if !isBlank(self[position]) { return false }
      position += 1
    }
    return true
  }

  /// Returns the bytes in `start..<end`, clamped to the window, as text; invalid UTF-8 becomes U+FFFD.
  @inline(__always)
  func string(_ start: Int, _ end: Int) -> String {
    String(decoding: slice(start, end), as: UTF8.self)
  }

  func string(_ range: Range<Int>) -> String {
    string(range.lowerBound, range.upperBound)
  }

  /// Returns the bytes in `start..<end`, clamped to the window.
  @inline(__always)
  func slice(_ start: Int, _ end: Int) -> UnsafeBufferPointer<UInt8> {
    let low = min(max(start, 0), buffer.count)
    let high = min(max(end, low), buffer.count)
    return UnsafeBufferPointer(rebasing: buffer[low..<high])
  }

  /// Returns the number, from 1, of the line that holds `offset`.
  func lineNumber(at offset: Int) -> Int {
    var line = 1
    var position = 0
    let limit = min(max(offset, 0), count)
    while true {
      position = index(of: 0x0A, from: position, to: limit)
      if position >= limit { return line }
      line += 1
      position += 1
    }
  }
}

/// Space, tab or carriage return: what a line may hold and still be blank.
@inline(__always)
func isBlank(_ byte: UInt8) -> Bool {
  byte == 0x20 || byte == 0x09 || byte == 0x0D
}

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool {
  byte &- 0x30 < 10
}

/// Returns the value of an ASCII hexadecimal digit, or nil.
@inline(__always)
func hexValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x41 + 10
  case 0x61...0x66: byte - 0x61 + 10
  default: nil
  }
}

/// Returns the lower-case ASCII hexadecimal digit of `value & 15`.
@inline(__always)
func hexDigit(_ value: UInt8) -> UInt8 {
  let nibble = value & 15
  return nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10
}

extension [UInt8] {
  /// Lends the array as a view.
  @inline(__always)
  func withView<Result, Failure: Error>(_ body: (ByteView) throws(Failure) -> Result) throws(Failure) -> Result {
    try withUnsafeBufferPointer { (buffer) throws(Failure) -> Result in try body(ByteView(buffer)) }
  }

  @inline(__always)
  mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends the UTF-8 of `text`.
  @inline(__always)
  mutating func append(text: String) {
    var text = text
    text.withUTF8 { append(contentsOf: $0) }
  }

  /// Appends `value` in decimal digits.
  mutating func append(decimal value: Int) {
    if value < 0 {
      append(text: String(value))
      return
    }
    let start = count
    var rest = value
    repeat {
      append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    if count - start > 1 { self[start...].reverse() }
  }

  /// Appends `value` in decimal digits, with zeros in front up to `width` digits.
  mutating func append(decimal value: Int, width: Int) {
    var divisor = 1
    for _ in 1..<Swift.max(width, 1) { divisor *= 10 }
    var rest = value
    while divisor > 0 {
      append(0x30 + UInt8(truncatingIfNeeded: (rest / divisor) % 10))
      rest %= divisor
      divisor /= 10
    }
  }
}

extension String {
  /// Lends the UTF-8 of the string as a view.
  @inline(__always)
  func withView<Result, Failure: Error>(_ body: (ByteView) throws(Failure) -> Result) throws(Failure) -> Result {
    // `withUTF8` rethrows without a type: the outcome travels as a value.
    var copy = self
    let outcome = copy.withUTF8 { buffer -> Swift.Result<Result, Failure> in
      do throws(Failure) { return .success(try body(ByteView(buffer))) } catch { return .failure(error) }
    }
    return try outcome.get()
  }

  /// Returns whether both hold the same bytes. `==` would say that an NFC and an NFD spelling are equal.
  func isIdentical(toBytesOf other: String) -> Bool {
    utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
  }
}

extension String? {
  func isIdentical(toBytesOf other: String?) -> Bool {
    switch (self, other) {
    case (nil, nil): true
    case (let left?, let right?): left.isIdentical(toBytesOf: right)
    default: false
    }
  }
}
