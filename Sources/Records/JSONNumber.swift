/// A JSON number in the spelling it was written in: `1.0`, `1e2` and `100` are three.
package struct JSONNumber: Hashable, Sendable, CustomStringConvertible {
  package let spelling: String

  /// Fails where `spelling` is not a number of RFC 8259.
  package init?(_ spelling: String) {
    let isValid = spelling.withView { view in
      Self.scan(view, from: 0, to: view.count) == view.count && view.count > 0
    }
    guard isValid else { return nil }
    self.spelling = spelling
  }

  package init(_ value: Int) {
    self.spelling = String(value)
  }

  init(scanned spelling: String) {
    self.spelling = spelling
  }

  package var description: String { spelling }

  /// The value where the spelling is an integer without point or exponent that fits; nil otherwise.
  package var integer: Int? { Int(spelling) }

  /// Returns the offset after the number that begins at `start`, or nil where none does.
  static func scan(_ view: ByteView, from start: Int, to end: Int) -> Int? {
    var position = start
    if view[position] == 0x2D { position += 1 }
    guard position < end, isDigit(view[position]) else { return nil }
    if view[position] == 0x30 {
      position += 1
    } else {
      while position < end, isDigit(view[position]) { position += 1 }
    }
    if position < end, view[position] == 0x2E {
      position += 1
      guard position < end, isDigit(view[position]) else { return nil }
      while position < end, isDigit(view[position]) { position += 1 }
    }
    if position < end, view[position] | 0x20 == 0x65 {
      position += 1
      if position < end, view[position] == 0x2B || view[position] == 0x2D { position += 1 }
      guard position < end, isDigit(view[position]) else { return nil }
      while position < end, isDigit(view[position]) { position += 1 }
    }
    return position <= end ? position : nil
  }
}
