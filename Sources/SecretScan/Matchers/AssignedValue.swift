/// The value that follows a name, as people and programs write it: `NAME=value`, `"name": "value"`,
/// `**Name:** value`, `| name | value |`, `--name value`, `the name is value`.
struct AssignedValue {
  /// The value without quotes and without the punctuation of the sentence around it; not empty.
  let range: Range<Int>
  let isQuoted: Bool
  /// Whether nothing but `=` stands between name and value, as in a shell or an .env file.
  let isShell: Bool
  /// Whether no other word stands between name and value.
  let isDirect: Bool

  /// - Parameter nameEnd: the offset after the name's last byte.
  init?(_ text: ByteText, after nameEnd: Int) {
    guard let (separatorEnd, separator) = Self.separator(text, after: nameEnd) else { return nil }
    var start = separatorEnd
    var lineEnds = 0
    let leadBound = start + 24
    lead: while start < leadBound {
      switch text[start] {
      case 0x20, 0x09, 0x0D, UInt8(ascii: "*"), UInt8(ascii: "|"), UInt8(ascii: "="), UInt8(ascii: ">"),
        UInt8(ascii: ":"), UInt8(ascii: "("), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
        start += 1
      case 0x0A where separator == UInt8(ascii: ":") && lineEnds < 2:
        // A value on a line of its own, perhaps after a blank line or in a code fence.
        lineEnds += 1
        start += 1
      default: break lead
      }
    }
    let quote = text[start - 1]
    // `a.password === b.password` compares; only what it compares with in quotes is a value.
    let isComparison = separator == UInt8(ascii: "=") && text[separatorEnd] == UInt8(ascii: "=")
    if isComparison && !quote.isQuote { return nil }
    var end: Int
    if quote.isQuote {
      end = text.end(from: start, limit: 512) { $0 != quote && $0 != 0x0A && $0 != UInt8(ascii: "\\") }
      isQuoted = text[end] == quote
    } else {
      end = start
      isQuoted = false
    }
    if !isQuoted {
      let isQuery = text[separatorEnd - 1] == UInt8(ascii: "=") && Self.isQueryItem(text, nameEnd: nameEnd)
      // So many names and values in a row, with nothing between, are no value.
      var equalsSigns = 0
      end = text.end(from: start, limit: 512) { byte in
        if byte == UInt8(ascii: "=") { equalsSigns += 1 }
        return byte.isGraphic && !Self.ends(byte) && !(isQuery && byte == UInt8(ascii: "&")) && equalsSigns < 12
      }
      guard equalsSigns < 12 else { return nil }
      while end > start, Self.trails(text[end - 1]) { end -= 1 }
    }
    guard end > start else { return nil }
    range = start..<end
    isShell = separator == UInt8(ascii: "=") && separatorEnd == nameEnd + 1
    isDirect =
      separator == 0x20
      ? separatorEnd <= nameEnd + 5 : !text[nameEnd..<separatorEnd].contains(where: \.isAlphanumeric)
  }

  /// The separator and the offset after it, at most 32 bytes after the name, on its line and in its sentence.
  private static func separator(_ text: ByteText, after nameEnd: Int) -> (end: Int, byte: UInt8)? {
    var offset = nameEnd
    while offset < nameEnd + 32 {
      let byte = text[offset]
      switch byte {
      case UInt8(ascii: ":") where text[offset + 1] == UInt8(ascii: "/"): return nil
      case UInt8(ascii: ".") where text[offset + 1].isSpace: return nil
      case UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: "|"): return (offset + 1, byte)
      case UInt8(ascii: "-") where text[offset + 1] == UInt8(ascii: ">"): return (offset + 2, UInt8(ascii: "="))
      case 0x20:
        if text.has(" is ", at: offset) || text.has(" to ", at: offset) { return (offset + 4, 0x20) }
        if text.has(" - ", at: offset) { return (offset + 3, 0x20) }
        if text.has(" was ", at: offset) { return (offset + 5, 0x20) }
        // An option of a command takes its value after a space; so does a directive of redis.conf.
        if offset == nameEnd && isOption(text, nameEnd: nameEnd) { return (offset + 1, 0x20) }
        // `the secret kQH5…`: no word is that long.
        let word = text.end(from: offset + 1, limit: 24) { $0.isBase64 || $0.isBase64URL }
        if offset == nameEnd && word == offset + 25 { return (offset + 1, 0x20) }
      case 0x09, UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "*"),
        UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
        break
      default: guard byte.isAlphanumeric else { return nil }
      }
      offset += 1
    }
    return nil
  }

  private static func isOption(_ text: ByteText, nameEnd: Int) -> Bool {
    let start = text.start(before: nameEnd, limit: 40, where: \.isBase64URL)
    return text.has("--", at: start) || text.has("requirepass", at: start) || text.has("masterauth", at: start)
  }

  private static func isQueryItem(_ text: ByteText, nameEnd: Int) -> Bool {
    let start = text.start(before: nameEnd, limit: 40, where: \.isBase64URL)
    return text[start - 1] == UInt8(ascii: "?") || text[start - 1] == UInt8(ascii: "&")
  }

  private static func ends(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"), UInt8(ascii: ","), UInt8(ascii: ";"),
      UInt8(ascii: "|"), UInt8(ascii: "\\"), UInt8(ascii: ")"), UInt8(ascii: "]"): true
    default: false
    }
  }

  private static func trails(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "*") || byte == UInt8(ascii: ">")
  }
}
