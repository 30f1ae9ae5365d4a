/// Addresses of this server's pages.
enum Address {
  /// A path with a query; every name and value is percent-encoded.
  static func path(_ path: String, _ query: [(name: String, value: String)]) -> String {
    let pairs = query.map { "\(encoded($0.name))=\(encoded($0.value))" }
    return pairs.isEmpty ? path : "\(path)?\(pairs.joined(separator: "&"))"
  }

  /// Everything but RFC 3986's unreserved characters as `%XX` of its UTF-8, and names of dots alone too: a browser
  /// would take those for folders.
  static func encoded(_ text: String) -> String {
    let isDots = text == "." || text == ".."
    var output = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
        output.unicodeScalars.append(Unicode.Scalar(byte))
      case UInt8(ascii: ".") where !isDots: output += "."
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        output += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return output
  }
}
