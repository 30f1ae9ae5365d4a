extension JSONValue {
  /// Reads one JSON text of RFC 8259, strictly: no byte order mark, comments, trailing commas or text after the value.
  ///
  /// - Parameter maximumDepth: how deep arrays and objects may nest, at most 512.
  /// - Throws: `JSONError` with `.syntax`, `.invalidUTF8` or `.tooDeep`.
  package static func parse(
    _ bytes: [UInt8], maximumDepth: Int = JSONValue.maximumDepth
  ) throws(JSONError) -> JSONValue {
    try bytes.withView { (view) throws(JSONError) -> JSONValue in
      try parse(view, from: 0, to: view.count, maximumDepth: maximumDepth)
    }
  }

  package static func parse(
    _ text: String, maximumDepth: Int = JSONValue.maximumDepth
  ) throws(JSONError) -> JSONValue {
    try text.withView { (view) throws(JSONError) -> JSONValue in
      try parse(view, from: 0, to: view.count, maximumDepth: maximumDepth)
    }
  }

  static func parse(
    _ view: ByteView, from start: Int, to end: Int, maximumDepth: Int = JSONValue.maximumDepth
  ) throws(JSONError) -> JSONValue {
    if let offset = view.firstInvalidUTF8(from: start, to: end) {
      throw JSONError(
        .invalidUTF8, offset: offset, line: view.lineNumber(at: offset), reason: "the bytes are not valid UTF-8")
    }
    var parser = JSONParser(
      view: view, position: start, end: end, maximumDepth: min(maximumDepth, JSONValue.maximumDepth))
    return try parser.document()
  }
}

/// A recursive-descent reader over bytes that are known to be valid UTF-8. Recursion is bounded by `maximumDepth`.
struct JSONParser {
  let view: ByteView
  var position: Int
  let end: Int
  let maximumDepth: Int

  mutating func document() throws(JSONError) -> JSONValue {
    let result = try value(depth: 0)
    skipSpace()
    guard position >= end else { throw failure("text follows the value") }
    return result
  }

  mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    skipSpace()
    guard position < end else { throw failure("a value is expected, the text ends") }
    switch view[position] {
    case 0x7B: return try object(depth: depth)
    case 0x5B: return try array(depth: depth)
    case 0x22: return .string(try string())
    case 0x74: return try literal("true", .bool(true))
    case 0x66: return try literal("false", .bool(false))
    case 0x6E: return try literal("null", .null)
    default:
      guard let after = JSONNumber.scan(view, from: position, to: end) else { throw failure("no value starts here") }
      let number = JSONNumber(scanned: view.string(position, after))
      position = after
      return .number(number)
    }
  }

  private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard view.hasPrefix(word, from: position, to: end) else { throw failure("no value starts here") }
    position += word.utf8CodeUnitCount
    return value
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    try enter(depth)
    var elements: [JSONValue] = []
    skipSpace()
    if take(0x5D) { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take(0x2C) { continue }
      if take(0x5D) { return .array(elements) }
      throw failure("`,` or `]` is expected")
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    try enter(depth)
    var members: [JSONValue.Member] = []
    skipSpace()
    if take(0x7D) { return .object(members) }
    while true {
      skipSpace()
      let key = try memberKey()
      members.append(JSONValue.Member(key, try value(depth: depth + 1)))
      skipSpace()
      if take(0x2C) { continue }
      if take(0x7D) { return .object(members) }
      throw failure("`,` or `}` is expected")
    }
  }

  /// Reads a key and the colon after it.
  mutating func memberKey() throws(JSONError) -> JSONString {
    guard view[position] == 0x22, position < end else { throw failure("a key in quotes is expected") }
    let key = try string()
    skipSpace()
    guard take(0x3A) else { throw failure("`:` is expected") }
    return key
  }

  private mutating func enter(_ depth: Int) throws(JSONError) {
    guard depth < maximumDepth else {
      throw JSONError(
        .tooDeep, offset: position, line: view.lineNumber(at: position),
        reason: "arrays and objects are nested more than \(maximumDepth) deep")
    }
    position += 1
  }

  @inline(__always)
  mutating func skipSpace() {
    while position < end {
      switch view[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  @inline(__always)
  mutating func take(_ byte: UInt8) -> Bool {
    guard position < end, view[position] == byte else { return false }
    position += 1
    return true
  }

  /// Reads the string whose opening quote is at `position`.
  mutating func string() throws(JSONError) -> JSONString {
    position += 1
    let start = position
    while position < end {
      let byte = view[position]
      if byte == 0x22 {
        let text = view.string(start, position)
        position += 1
        return JSONString(text)
      }
      if byte == 0x5C { return try stringWithEscapes(from: start) }
      if byte < 0x20 { throw failure("a control character must be escaped in a string") }
      position += 1
    }
    throw failure("the string does not end")
  }

  private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> JSONString {
    var bytes = Array(view.slice(start, position))
    var hasLoneSurrogate = false
    while position < end {
      let byte = view[position]
      position += 1
      switch byte {
      case 0x22:
        return hasLoneSurrogate ? JSONString(wtf8: bytes) : JSONString(String(decoding: bytes, as: UTF8.self))
      case 0x5C:
        try escape(into: &bytes, &hasLoneSurrogate)
      case 0..<0x20:
        position -= 1
        throw failure("a control character must be escaped in a string")
      default:
        bytes.append(byte)
      }
    }
    throw failure("the string does not end")
  }

  private mutating func escape(into bytes: inout [UInt8], _ hasLoneSurrogate: inout Bool) throws(JSONError) {
    let byte = position < end ? view[position] : 0
    position += 1
    switch byte {
    case 0x22, 0x5C, 0x2F: bytes.append(byte)
    case 0x62: bytes.append(0x08)
    case 0x66: bytes.append(0x0C)
    case 0x6E: bytes.append(0x0A)
    case 0x72: bytes.append(0x0D)
    case 0x74: bytes.append(0x09)
    case 0x75:
      var unit = try codeUnit()
      if unit & 0xFC00 == 0xD800, view.hasPrefix("\\u", from: position, to: end) {
        let rewind = position
        position += 2
        let low = try codeUnit()
        if low & 0xFC00 == 0xDC00 {
          unit = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
        } else {
          position = rewind
        }
      }
      if unit & 0xFFFF_F800 == 0xD800 { hasLoneSurrogate = true }
      Self.append(unit, to: &bytes)
    default:
      position -= 1
      throw failure("the escape is not one of JSON's")
    }
  }

  /// Reads the four digits after `\u`.
  private mutating func codeUnit() throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard position < end, let digit = hexValue(view[position]) else {
        throw failure("four hexadecimal digits are expected after `\\u`")
      }
      unit = unit << 4 | UInt32(digit)
      position += 1
    }
    return unit
  }

  /// Appends the UTF-8 of a code point; a surrogate takes the three bytes that its number would take (WTF-8).
  private static func append(_ point: UInt32, to bytes: inout [UInt8]) {
    func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: point >> shift & 0x3F) }
    switch point {
    case 0..<0x80: bytes.append(UInt8(truncatingIfNeeded: point))
    case 0x80..<0x800:
      bytes.append(0xC0 | UInt8(truncatingIfNeeded: point >> 6))
      bytes.append(tail(0))
    case 0x800..<0x10000:
      bytes.append(0xE0 | UInt8(truncatingIfNeeded: point >> 12))
      bytes.append(tail(6))
      bytes.append(tail(0))
    default:
      bytes.append(0xF0 | UInt8(truncatingIfNeeded: point >> 18))
      bytes.append(tail(12))
      bytes.append(tail(6))
      bytes.append(tail(0))
    }
  }

  func failure(_ reason: String) -> JSONError {
    let offset = min(position, end)
    return JSONError(.syntax, offset: offset, line: view.lineNumber(at: offset), reason: reason)
  }
}
