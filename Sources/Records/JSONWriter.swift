/// How JSON is laid out.
package enum JSONStyle: Sendable {
  /// No white space: `{"a":1,"b":[1,2]}`.
  case compact
  /// One line, with a space after each comma and colon: `{"a": 1, "b": [1, 2]}`.
  case spaced
  /// Two spaces for each level, a member or element a line, no line feed at the end.
  case pretty
}

extension JSONValue {
  /// Writes the value; numbers keep their spelling and members their order.
  package func serialized(_ style: JSONStyle = .compact) -> [UInt8] {
    var output: [UInt8] = []
    write(style, level: 0, to: &output)
    return output
  }

  /// The value as text; see `serialized(_:)`.
  package func text(_ style: JSONStyle = .compact) -> String {
    String(decoding: serialized(style), as: UTF8.self)
  }

  /// Appends the value; in the pretty style its lines after the first are indented by `level` and more.
  func write(_ style: JSONStyle, level: Int, to output: inout [UInt8]) {
    switch self {
    case .null: output.append("null")
    case .bool(let value): output.append(value ? "true" : "false")
    case .number(let number): output.append(text: number.spelling)
    case .string(let string): string.write(to: &output)
    case .array(let elements):
      output.append(0x5B)
      for (index, element) in elements.enumerated() {
        Self.separate(index, style, level, &output)
        element.write(style, level: level + 1, to: &output)
      }
      if !elements.isEmpty { Self.close(style, level, &output) }
      output.append(0x5D)
    case .object(let members):
      output.append(0x7B)
      for (index, member) in members.enumerated() {
        Self.separate(index, style, level, &output)
        member.key.write(to: &output)
        output.append(0x3A)
        if style != .compact { output.append(0x20) }
        member.value.write(style, level: level + 1, to: &output)
      }
      if !members.isEmpty { Self.close(style, level, &output) }
      output.append(0x7D)
    }
  }

  private static func separate(_ index: Int, _ style: JSONStyle, _ level: Int, _ output: inout [UInt8]) {
    if index > 0 { output.append(0x2C) }
    switch style {
    case .compact: break
    case .spaced: if index > 0 { output.append(0x20) }
    case .pretty: indent(level + 1, &output)
    }
  }

  private static func close(_ style: JSONStyle, _ level: Int, _ output: inout [UInt8]) {
    if style == .pretty { indent(level, &output) }
  }

  private static func indent(_ level: Int, _ output: inout [UInt8]) {
    output.append(0x0A)
    for _ in 0..<level { output.append("  ") }
  }
}

extension JSONString {
  /// Appends the string in quotes.
  ///
  /// Beyond what JSON demands, U+2028 and U+2029 are escaped, since some readers take them for line ends; lone
  /// surrogates are written as the escapes that they came from.
  func write(to output: inout [UInt8]) {
    output.append(0x22)
    withBytes { bytes in
      let view = ByteView(bytes)
      var start = 0
      var position = 0
      while position < view.count {
        let byte = view[position]
        var length = 1
        switch byte {
        case 0x22, 0x5C, 0..<0x20: break
        case 0xE2 where view[position + 1] == 0x80 && view[position + 2] & 0xFE == 0xA8: length = 3
        case 0xED where view[position + 1] >= 0xA0: length = 3
        default:
          position += 1
          continue
        }
        output.append(contentsOf: view.slice(start, position))
        if length == 3 {
          let point =
            UInt16(byte & 0x0F) << 12 | UInt16(view[position + 1] & 0x3F) << 6 | UInt16(view[position + 2] & 0x3F)
          Self.append(unicodeEscape: point, to: &output)
        } else {
          Self.append(escapeOf: byte, to: &output)
        }
        position += length
        start = position
      }
      output.append(contentsOf: view.slice(start, view.count))
    }
    output.append(0x22)
  }

  /// Appends the shortest escape of a quote, a backslash or a control character below U+0020.
  static func append(escapeOf byte: UInt8, to output: inout [UInt8]) {
    switch byte {
    case 0x22: output.append("\\\"")
    case 0x5C: output.append("\\\\")
    case 0x08: output.append("\\b")
    case 0x0C: output.append("\\f")
    case 0x0A: output.append("\\n")
    case 0x0D: output.append("\\r")
    case 0x09: output.append("\\t")
    default: append(unicodeEscape: UInt16(byte), to: &output)
    }
  }

  private static func append(unicodeEscape unit: UInt16, to output: inout [UInt8]) {
    output.append("\\u")
    for shift: UInt16 in [12, 8, 4, 0] { output.append(hexDigit(UInt8(truncatingIfNeeded: unit >> shift))) }
  }
}
