/// A path inside the repository, as bytes.
///
/// Git compares names byte by byte, so this does too: an NFC and an NFD spelling are two paths. The order is the order
/// of the bytes, which is also the order of a pre-order walk of a tree's full paths and of `ORDER BY path COLLATE "C"`.
package struct RecordPath: Hashable, Comparable, Sendable {
  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  package init(_ string: String) {
    self.bytes = Array(string.utf8)
  }

  /// The bytes after the last slash; all of them where there is no slash.
  package var fileName: [UInt8] {
    guard let slash = bytes.lastIndex(of: 0x2F) else { return bytes }
    return Array(bytes[(slash + 1)...])
  }

  /// Returns this path with `component` below it.
  package func appending(_ component: [UInt8]) -> RecordPath {
    RecordPath(bytes + [0x2F] + component)
  }

  package func appending(_ component: String) -> RecordPath {
    appending(Array(component.utf8))
  }

  package static func < (left: RecordPath, right: RecordPath) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

extension RecordPath: CustomStringConvertible {
  /// The path in a printable form from which `init(text:)` restores the exact bytes.
  ///
  /// Valid UTF-8 stays; a backslash becomes `\\`; a control character (below U+0020, and U+007F) and each byte that is
  /// not valid UTF-8 becomes `\xHH` with lower-case digits.
  package var text: String {
    bytes.withView { view in
      var output: [UInt8] = []
      output.reserveCapacity(view.count)
      var position = 0
      while position < view.count {
        let invalid = view.firstInvalidUTF8(from: position, to: view.count) ?? view.count
        for byte in view.slice(position, invalid) {
          if byte == 0x5C {
            output.append("\\\\")
          } else if byte < 0x20 || byte == 0x7F {
            Self.append(escapeOf: byte, to: &output)
          } else {
            output.append(byte)
          }
        }
        if invalid < view.count { Self.append(escapeOf: view[invalid], to: &output) }
        position = invalid + 1
      }
      return String(decoding: output, as: UTF8.self)
    }
  }

  package var description: String { text }

  /// Restores the path whose `text` this is; nil where no path has this text.
  package init?(text: String) {
    var bytes: [UInt8] = []
    let source = Array(text.utf8)
    bytes.reserveCapacity(source.count)
    var position = 0
    while position < source.count {
      let byte = source[position]
      guard byte == 0x5C else {
        bytes.append(byte)
        position += 1
        continue
      }
      if position + 1 < source.count, source[position + 1] == 0x5C {
        bytes.append(0x5C)
        position += 2
      } else if position + 3 < source.count, source[position + 1] == 0x78,
        let high = hexValue(source[position + 2]), let low = hexValue(source[position + 3])
      {
        bytes.append(high << 4 | low)
        position += 4
      } else {
        return nil
      }
    }
    self.init(bytes)
    // Another spelling of the same bytes (`\x41`, `\xFF`, a raw tab) would make two texts name one path.
    guard self.text.isIdentical(toBytesOf: text) else { return nil }
  }

  private static func append(escapeOf byte: UInt8, to output: inout [UInt8]) {
    output.append("\\x")
    output.append(hexDigit(byte >> 4))
    output.append(hexDigit(byte))
  }
}
