/// The text of a JSON string or key, which may hold what a Swift `String` cannot: a lone surrogate escape (`"\ud800"`).
///
/// Text without lone surrogates is a `String`; other text is kept as WTF-8, UTF-8 in which a lone surrogate takes the
/// three bytes that its number would take. Equality, hash and order are those of the bytes.
package struct JSONString: Sendable {
  private enum Storage: Sendable {
    case text(String)
    case surrogates([UInt8])
  }

  private let storage: Storage

  package init(_ text: String) {
    self.storage = .text(text)
  }

  /// `bytes` must be WTF-8 that holds at least one surrogate.
  init(wtf8 bytes: [UInt8]) {
    self.storage = .surrogates(bytes)
  }

  /// The text; nil where it holds a lone surrogate.
  package var text: String? {
    switch storage {
    case .text(let text): text
    case .surrogates: nil
    }
  }

  /// Lends the text as WTF-8, which is UTF-8 where `text` is not nil.
  func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    switch storage {
    case .text(var text): text.withUTF8(body)
    case .surrogates(let bytes): bytes.withUnsafeBufferPointer(body)
    }
  }

  var byteCount: Int {
    switch storage {
    case .text(let text): text.utf8.count
    case .surrogates(let bytes): bytes.count
    }
  }
}

extension JSONString: Hashable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
  package init(stringLiteral value: String) {
    self.init(value)
  }

  /// The text, with U+FFFD for what is no text.
  package var description: String {
    withBytes { String(decoding: $0, as: UTF8.self) }
  }

  package static func == (left: JSONString, right: JSONString) -> Bool {
    switch (left.storage, right.storage) {
    case (.text(let left), .text(let right)): left.isIdentical(toBytesOf: right)
    case (.surrogates(let left), .surrogates(let right)): left == right
    default: false
    }
  }

  package func hash(into hasher: inout Hasher) {
    withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }

  package static func < (left: JSONString, right: JSONString) -> Bool {
    left.withBytes { left in right.withBytes { right in left.lexicographicallyPrecedes(right) } }
  }
}
