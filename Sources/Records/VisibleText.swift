/// Record text in a form in which a reader sees everything that is in it.
///
/// Control characters and those that reorder or hide what follows become visible: `<U+202E>` in running text, an escape
/// in JSON. What is not UTF-8 becomes U+FFFD. Everything else stays as it is.
package enum VisibleText {
  /// Running text, a byte order mark in front left out.
  package static func text(_ bytes: some Collection<UInt8>) -> String {
    text(String(decoding: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...], as: UTF8.self))
  }

  package static func text(_ text: String) -> String {
    replacingHidden(in: text) { "<U+\(hexadecimal($0.value))>" }
  }

  /// A JSON text: what is hidden can stand only in its strings, where an escape means the same.
  package static func json(_ bytes: some Collection<UInt8>) -> String {
    replacingHidden(in: String(decoding: bytes, as: UTF8.self)) { scalar in
      String(scalar).utf16.map { "\\u\(hexadecimal(UInt32($0)))" }.joined()
    }
  }

  /// One line: as text, with breaks as spaces.
  package static func line(_ line: String) -> String {
    text(line).replacing(/[\r\n\u2028\u2029]+/, with: " ")
  }

  private static func replacingHidden(in text: String, with spelling: (Unicode.Scalar) -> String) -> String {
    // Most text holds nothing of the kind; its bytes tell sooner than its scalars.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }) { return text }
    var output = String.UnicodeScalarView()
    var isInFlag = false
    for scalar in text.unicodeScalars {
      // The flags of England, Scotland and Wales are a black flag and tags; anywhere else tags are hidden text.
      if scalar == "\u{1F3F4}" { isInFlag = true } else if !isTag(scalar) { isInFlag = false }
      if isHidden(scalar) && !(isInFlag && isTag(scalar)) {
        output.append(contentsOf: spelling(scalar).unicodeScalars)
      } else {
        output.append(scalar)
      }
    }
    return String(output)
  }

  private static func isTag(_ scalar: Unicode.Scalar) -> Bool { (0xE0000...0xE007F).contains(scalar.value) }

  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A, 0x0D: false
    case 0..<0x20, 0x7F...0x9F: true
    // Marks, embeddings, overrides and isolates of the bidirectional algorithm.
    case 0x61C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
    // Annotations, and the deprecated controls before them.
    case 0x206A...0x206F, 0xFFF9...0xFFFB: true
    default: isTag(scalar)
    }
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
