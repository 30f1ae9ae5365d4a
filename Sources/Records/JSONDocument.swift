/// A JSON text whose edits change only the bytes of the values that they change.
///
/// Key order, spelling of numbers, escapes, indentation and the end of the file stay as they are.
package struct JSONDocument: Sendable {
  package let bytes: [UInt8]
  package let value: JSONValue

  /// - Throws: `JSONError` where `bytes` is not JSON.
  package init(_ bytes: [UInt8]) throws(JSONError) {
    self.value = try JSONValue.parse(bytes)
    self.bytes = bytes
  }

  /// The line, from 1, in which the value at `path`, keys from the root inwards, begins; nil where there is none.
  package func line(of path: [String]) -> Int? {
    bytes.withView { view in
      let offset = try? JSONEditor(view: view).valueOffset(path.map { JSONString($0) })
      return offset.flatMap { $0 }.map { view.lineNumber(at: $0) }
    }
  }

  /// Returns the document in which the value at `path`, keys from the root inwards, is `newValue`.
  ///
  /// Of equal keys the last is meant, as in jsonb. A key that is missing is added at the end of its object in the
  /// indentation in use, and so are the objects that lead to it. A value that is equal already is not touched.
  ///
  /// - Throws: `JSONError.notAnObject` where the path leads through a value that is no object, or is empty;
  ///   `.tooDeep` where the result would be nested too deep to be read again.
  package func setting(_ path: [String], to newValue: JSONValue) throws(JSONError) -> JSONDocument {
    let edit = try bytes.withView { (view) throws(JSONError) -> JSONEditor.Edit? in
      try JSONEditor(view: view).edit(path.map { JSONString($0) }, newValue)
    }
    guard let edit else { return self }
    var edited = bytes
    edited.replaceSubrange(edit.range, with: edit.bytes)
    return try JSONDocument(edited)
  }

  /// Returns the document without the member at `path`, keys from the root inwards; of equal keys all go. A path that is
  /// not there changes nothing.
  ///
  /// - Throws: `JSONError.notAnObject` where the path leads through a value that is no object, or is empty.
  package func removing(_ path: [String]) throws(JSONError) -> JSONDocument {
    var document = self
    while true {
      let edit = try document.bytes.withView { (view) throws(JSONError) -> JSONEditor.Edit? in
        try JSONEditor(view: view).removal(path.map { JSONString($0) })
      }
      guard let edit else { return document }
      var edited = document.bytes
      edited.replaceSubrange(edit.range, with: edit.bytes)
      document = try JSONDocument(edited)
    }
  }

  /// Returns the document with `patch` merged in: the members of an object are merged one by one, at any depth, and any
  /// other value replaces what is there.
  ///
  /// - Throws: `JSONError.notAnObject` where the document or the patch is no object.
  package func merging(_ patch: JSONValue) throws(JSONError) -> JSONDocument {
    guard case .object = patch, case .object = value else {
      throw JSONError(.notAnObject, offset: 0, line: 1, reason: "only an object can be merged into an object")
    }
    return try merging(patch, at: [], into: value)
  }

  private func merging(
    _ patch: JSONValue, at path: [String], into current: JSONValue
  ) throws(JSONError) -> JSONDocument {
    guard case .object(let members) = patch else { return self }
    var document = self
    for member in members {
      guard let key = member.key.text else {
        throw JSONError(.syntax, offset: 0, line: 1, reason: "a key of the patch is not valid Unicode")
      }
      if case .object = member.value, let existing = current[member.key], case .object = existing {
        document = try document.merging(member.value, at: path + [key], into: existing)
      } else {
        document = try document.setting(path + [key], to: member.value)
      }
    }
    return document
  }
}

/// Finds the bytes that an edit of a JSON text replaces. The text is known to be valid.
private struct JSONEditor {
  struct Edit {
    var range: Range<Int>
    var bytes: [UInt8]
  }

  struct MemberSpan {
    var key: JSONString
    /// The offset of the key's opening quote.
    var start: Int
    var value: Range<Int>
  }

  /// An object as it stands in the text, from brace to brace.
  struct ObjectSpan {
    var range: Range<Int>
    var members: [MemberSpan] = []
  }

  let view: ByteView

  func edit(_ path: [JSONString], _ newValue: JSONValue) throws(JSONError) -> Edit? {
    guard !path.isEmpty else {
      throw JSONError(.notAnObject, offset: 0, line: 1, reason: "the path to the value is empty")
    }
    var parser = JSONParser(view: view, position: 0, end: view.count, maximumDepth: JSONValue.maximumDepth)
    parser.skipSpace()
    var object = try span(at: parser.position)
    // An object without members says nothing about the layout: the usual one is taken.
    let isMultiLine = object.members.isEmpty || isMultiLine(object.range)
    for (depth, key) in path.enumerated() {
      guard let member = object.members.last(where: { $0.key == key }) else {
        // The objects on the way to a missing key are made with it.
        let value = path[(depth + 1)...].reversed().reduce(newValue) { .object([JSONValue.Member($1, $0)]) }
        return insertion(of: key, value, in: object, level: depth, isMultiLine: isMultiLine)
      }
      if depth == path.count - 1 {
        let current = try JSONValue.parse(view, from: member.value.lowerBound, to: member.value.upperBound)
        if current == newValue { return nil }
        return Edit(range: member.value, bytes: text(of: newValue, level: depth + 1, isMultiLine: isMultiLine))
      }
      object = try span(at: member.value.lowerBound)
    }
    return nil
  }

  /// Takes out the last member at `path` with the comma that goes with it; nil where there is none.
  func removal(_ path: [JSONString]) throws(JSONError) -> Edit? {
    guard let last = path.last else {
      throw JSONError(.notAnObject, offset: 0, line: 1, reason: "the path to the value is empty")
    }
    var parser = JSONParser(view: view, position: 0, end: view.count, maximumDepth: JSONValue.maximumDepth)
    parser.skipSpace()
    var object = try span(at: parser.position)
    for key in path.dropLast() {
      guard let member = object.members.last(where: { $0.key == key }) else { return nil }
      object = try span(at: member.value.lowerBound)
    }
    guard let index = object.members.lastIndex(where: { $0.key == last }) else { return nil }
    let member = object.members[index]
    if index + 1 < object.members.count {
      return Edit(range: member.start..<object.members[index + 1].start, bytes: [])
    }
    // The last one goes with the comma before it; the only one with all that is between the braces.
    let start = index > 0 ? object.members[index - 1].value.upperBound : object.range.lowerBound + 1
    let end = index > 0 ? member.value.upperBound : object.range.upperBound - 1
    return Edit(range: start..<end, bytes: [])
  }

  /// Where the value at `path` begins; nil where there is none.
  func valueOffset(_ path: [JSONString]) throws(JSONError) -> Int? {
    var parser = JSONParser(view: view, position: 0, end: view.count, maximumDepth: JSONValue.maximumDepth)
    parser.skipSpace()
    var offset = parser.position
    for key in path {
      guard let member = try span(at: offset).members.last(where: { $0.key == key }) else { return nil }
      offset = member.value.lowerBound
    }
    return offset
  }

  /// Reads the object whose brace is at `start`.
  private func span(at start: Int) throws(JSONError) -> ObjectSpan {
    var parser = JSONParser(view: view, position: start, end: view.count, maximumDepth: JSONValue.maximumDepth)
    guard parser.take(0x7B) else {
      throw JSONError(
        .notAnObject, offset: start, line: view.lineNumber(at: start), reason: "an object is expected to set a key in")
    }
    var object = ObjectSpan(range: start..<start)
    parser.skipSpace()
    while !parser.take(0x7D) {
      let keyStart = parser.position
      let key = try parser.memberKey()
      parser.skipSpace()
      let valueStart = parser.position
      _ = try parser.value(depth: 0)
      object.members.append(MemberSpan(key: key, start: keyStart, value: valueStart..<parser.position))
      parser.skipSpace()
      _ = parser.take(0x2C)
      parser.skipSpace()
    }
    object.range = start..<parser.position
    return object
  }

  private func insertion(
    of key: JSONString, _ value: JSONValue, in object: ObjectSpan, level: Int, isMultiLine: Bool
  ) -> Edit {
    var bytes: [UInt8] = []
    guard let last = object.members.last else {
      bytes.append(0x7B)
      if isMultiLine { bytes.append(contentsOf: lineStart(level + 1)) }
      key.write(to: &bytes)
      bytes.append(": ")
      bytes.append(contentsOf: text(of: value, level: level + 1, isMultiLine: isMultiLine))
      if isMultiLine { bytes.append(contentsOf: lineStart(level)) }
      bytes.append(0x7D)
      return Edit(range: object.range, bytes: bytes)
    }
    // What stands before the last key separates members here: a line break and an indentation, a space, or nothing.
    let separator = space(before: last.start)
    let afterColon = space(before: last.value.lowerBound)
    let isOnly = object.members.count == 1 && !separator.contains(0x0A)
    bytes.append(0x2C)
    bytes.append(contentsOf: isOnly ? afterColon : separator)
    key.write(to: &bytes)
    bytes.append(0x3A)
    bytes.append(contentsOf: afterColon)
    bytes.append(contentsOf: text(of: value, level: level + 1, isMultiLine: separator.contains(0x0A)))
    return Edit(range: last.value.upperBound..<last.value.upperBound, bytes: bytes)
  }

  private func space(before end: Int) -> [UInt8] {
    var start = end
    while start > 0, isBlank(view[start - 1]) || view[start - 1] == 0x0A { start -= 1 }
    return Array(view.slice(start, end))
  }

  private func isMultiLine(_ range: Range<Int>) -> Bool {
    view.index(of: 0x0A, from: range.lowerBound, to: range.upperBound) < range.upperBound
  }

  private func text(of value: JSONValue, level: Int, isMultiLine: Bool) -> [UInt8] {
    guard isMultiLine else { return value.serialized(.spaced) }
    var bytes: [UInt8] = []
    value.write(.pretty, level: level, to: &bytes)
    let unit = indentation
    if unit == [0x20, 0x20] { return bytes }
    // The writer indents by two spaces; the document does otherwise.
    var output: [UInt8] = []
    var position = 0
    while position < bytes.count {
      output.append(bytes[position])
      position += 1
      guard output.last == 0x0A else { continue }
      while position + 1 < bytes.count, bytes[position] == 0x20, bytes[position + 1] == 0x20 {
        output.append(contentsOf: unit)
        position += 2
      }
    }
    return output
  }

  private func lineStart(_ level: Int) -> [UInt8] {
    [0x0A] + (0..<level).flatMap { _ in indentation }
  }

  /// What the line after the first one is indented by; two spaces where it is not.
  private var indentation: [UInt8] {
    let lineFeed = view.index(of: 0x0A, from: 0, to: view.count)
    var end = lineFeed + 1
    while end < view.count, view[end] == 0x20 || view[end] == 0x09 { end += 1 }
    return end > lineFeed + 1 && end <= view.count ? Array(view.slice(lineFeed + 1, end)) : [0x20, 0x20]
  }
}
