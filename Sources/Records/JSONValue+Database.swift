extension JSONValue {
  /// The key of the object that stands in a jsonb column for a value that jsonb cannot hold.
  static let wrapperKey: JSONString = "moha:json"

  /// The most digits, and the largest exponent either way, of a number that goes into jsonb as it is.
  private static let maximumNumberSize = 1_000

  /// The value to store in a jsonb column.
  ///
  /// It is the value itself, or `{"moha:json": "<compact JSON text>"}` where jsonb would refuse the value (a string or
  /// key that holds U+0000 or a lone surrogate), where its number could grow out of bounds (more than 1,000 digits, an
  /// exponent beyond ±1,000), or where the value is itself an object with no other key than `moha:json`.
  package var databaseForm: JSONValue {
    guard needsWrapping else { return self }
    return .object([Member(Self.wrapperKey, .string(text(.compact)))])
  }

  /// Restores the value whose `databaseForm` this is. An object that only looks like one stays as it is.
  package init(databaseForm: JSONValue) {
    guard case .object(let members) = databaseForm, members.count == 1, members[0].key == Self.wrapperKey,
      let text = members[0].value.text, let value = try? JSONValue.parse(text)
    else {
      self = databaseForm
      return
    }
    self = value
  }

  private var needsWrapping: Bool {
    if case .object(let members) = self, !members.isEmpty, members.allSatisfy({ $0.key == Self.wrapperKey }) {
      return true
    }
    return !fitsDatabase
  }

  private var fitsDatabase: Bool {
    switch self {
    case .null, .bool: true
    case .number(let number): Self.fits(number)
    case .string(let string): Self.fits(string)
    case .array(let elements): elements.allSatisfy(\.fitsDatabase)
    case .object(let members): members.allSatisfy { Self.fits($0.key) && $0.value.fitsDatabase }
    }
  }

  private static func fits(_ string: JSONString) -> Bool {
    string.text != nil && string.withBytes { ByteView($0).index(of: 0, from: 0, to: $0.count) == $0.count }
  }

  private static func fits(_ number: JSONNumber) -> Bool {
    number.spelling.withView { view in
      if view.count <= maximumNumberSize, !hasExponent(view) { return true }
      let parts = NumberParts(view)
      return parts.digits.count <= maximumNumberSize && parts.exponent.magnitude <= maximumNumberSize
    }
  }

  /// Exactly the text that PostgreSQL prints for the `databaseForm` of this value as `jsonb::text`.
  ///
  /// Members are ordered by the byte length of their keys, then by bytes, and the last of equal keys wins; a space
  /// follows each comma and colon; numbers are what `numeric` prints; strings are what `escape_json` writes.
  package var jsonbText: String {
    String(decoding: jsonbBytes, as: UTF8.self)
  }

  var jsonbBytes: [UInt8] {
    var output: [UInt8] = []
    databaseForm.writeJSONB(to: &output)
    return output
  }

  private func writeJSONB(to output: inout [UInt8]) {
    switch self {
    case .null: output.append("null")
    case .bool(let value): output.append(value ? "true" : "false")
    case .number(let number): Self.writeNumeric(number, to: &output)
    case .string(let string): string.writeJSONB(to: &output)
    case .array(let elements):
      output.append(0x5B)
      for (index, element) in elements.enumerated() {
        if index > 0 { output.append(", ") }
        element.writeJSONB(to: &output)
      }
      output.append(0x5D)
    case .object(let members):
      output.append(0x7B)
      for (index, position) in Self.jsonbOrder(members).enumerated() {
        if index > 0 { output.append(", ") }
        members[position].key.writeJSONB(to: &output)
        output.append(": ")
        members[position].value.writeJSONB(to: &output)
      }
      output.append(0x7D)
    }
  }

  /// Returns the positions of the members that jsonb keeps, in its order.
  private static func jsonbOrder(_ members: [Member]) -> [Int] {
    func precedes(_ left: Int, _ right: Int) -> Bool {
      let leftKey = members[left].key
      let rightKey = members[right].key
      let leftCount = leftKey.byteCount
      let rightCount = rightKey.byteCount
      if leftCount != rightCount { return leftCount < rightCount }
      if leftKey == rightKey { return left < right }
      return leftKey < rightKey
    }
    let sorted = members.indices.sorted(by: precedes)
    var kept: [Int] = []
    kept.reserveCapacity(sorted.count)
    for position in sorted {
      // Equal keys are adjacent and in their order, so the last one replaces those before it.
      if let last = kept.last, members[last].key == members[position].key { kept.removeLast() }
      kept.append(position)
    }
    return kept
  }

  private static func hasExponent(_ view: ByteView) -> Bool {
    view.buffer.contains { $0 | 0x20 == 0x65 }
  }

  /// Appends what PostgreSQL's `numeric_out(numeric_in(spelling))` gives.
  private static func writeNumeric(_ number: JSONNumber, to output: inout [UInt8]) {
    number.spelling.withView { view in
      // JSON has no leading zeros, so without an exponent only the sign of a negative zero differs.
      if view[0] != 0x2D, !hasExponent(view) {
        output.append(contentsOf: view.buffer)
        return
      }
      let parts = NumberParts(view)
      // The point stands this many digits from the left; it moves with the exponent.
      let point = parts.wholeCount + parts.exponent
      let scale = max(0, parts.digits.count - parts.wholeCount - parts.exponent)
      if parts.isNegative, parts.digits.contains(where: { $0 != 0x30 }) { output.append(0x2D) }
      func digit(_ index: Int) -> UInt8 { parts.digits.indices.contains(index) ? parts.digits[index] : 0x30 }
      var first = 0
      while first < point, digit(first) == 0x30 { first += 1 }
      if first >= point {
        output.append(0x30)
      } else {
        for index in first..<point { output.append(digit(index)) }
      }
      if scale > 0 {
        output.append(0x2E)
        for index in point..<(point + scale) { output.append(digit(index)) }
      }
    }
  }
}

/// A JSON number's spelling taken apart.
private struct NumberParts {
  var isNegative = false
  /// The digits before and after the point, without it.
  var digits: [UInt8] = []
  /// How many of them stand before the point.
  var wholeCount = 0
  /// The exponent, held within ±1,000,000: further out all values are equally out of bounds.
  var exponent = 0

  /// `view` must be a number of RFC 8259.
  init(_ view: ByteView) {
    var position = 0
    if view[0] == 0x2D {
      isNegative = true
      position = 1
    }
    digits.reserveCapacity(view.count)
    while isDigit(view[position]) {
      digits.append(view[position])
      position += 1
    }
    wholeCount = digits.count
    if view[position] == 0x2E {
      position += 1
      while isDigit(view[position]) {
        digits.append(view[position])
        position += 1
      }
    }
    guard view[position] | 0x20 == 0x65 else { return }
    position += 1
    let isDown = view[position] == 0x2D
    if isDown || view[position] == 0x2B { position += 1 }
    while isDigit(view[position]) {
      exponent = min(exponent * 10 + Int(view[position] & 15), 1_000_000)
      position += 1
    }
    if isDown { exponent = -exponent }
  }
}

extension JSONString {
  /// Appends the string as PostgreSQL's `escape_json` writes it: everything from U+0020 on is raw but `"` and `\`.
  fileprivate func writeJSONB(to output: inout [UInt8]) {
    output.append(0x22)
    withBytes { bytes in
      let view = ByteView(bytes)
      var start = 0
      for position in 0..<view.count {
        let byte = view[position]
        guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
        output.append(contentsOf: view.slice(start, position))
        Self.append(escapeOf: byte, to: &output)
        start = position + 1
      }
      output.append(contentsOf: view.slice(start, view.count))
    }
    output.append(0x22)
  }
}
