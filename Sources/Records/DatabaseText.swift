/// Text as a PostgreSQL column holds it: U+0000, which PostgreSQL refuses, is spelled `␛0`, and `␛` (U+241B) `␛␛`.
package enum DatabaseText {
  /// Returns the text to store. Different texts give different results.
  package static func encode(_ text: String) -> String {
    guard needsEncoding(text) else { return text }
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count + 16)
    text.withView { view in append(view, to: &output) }
    return String(decoding: output, as: UTF8.self)
  }

  /// Returns the text that `encode` was given. An introducer before anything else stays as it is.
  package static func decode(_ text: String) -> String {
    text.withView { view in
      guard view.index(of: "\u{241B}", from: 0, to: view.count) != nil else { return text }
      var output: [UInt8] = []
      output.reserveCapacity(view.count)
      var position = 0
      while position < view.count {
        if view.hasPrefix("\u{241B}0", from: position, to: view.count) {
          output.append(0)
          position += 4
        } else if view.hasPrefix("\u{241B}\u{241B}", from: position, to: view.count) {
          output.append("\u{241B}")
          position += 6
        } else {
          output.append(view[position])
          position += 1
        }
      }
      return String(decoding: output, as: UTF8.self)
    }
  }

  static func needsEncoding(_ text: String) -> Bool {
    text.withView { view in needsEncoding(view) }
  }

  @inline(__always)
  static func needsEncoding(_ view: ByteView) -> Bool {
    view.index(of: 0, from: 0, to: view.count) < view.count
      || view.index(of: "\u{241B}", from: 0, to: view.count) != nil
  }

  private static func append(_ view: ByteView, to output: inout [UInt8]) {
    for position in 0..<view.count {
      let byte = view[position]
      if byte == 0 {
        output.append("\u{241B}0")
      } else {
        output.append(byte)
        if byte == 0x9B, position >= 2, view.hasPrefix("\u{241B}", from: position - 2, to: view.count) {
          output.append("\u{241B}")
        }
      }
    }
  }
}
