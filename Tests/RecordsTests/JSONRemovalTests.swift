import Records
import TestSupport
import Testing

@Suite("Members taken out of JSON")
struct JSONRemovalTests {
  private func removing(_ path: [String], from text: String) throws -> String {
    String(decoding: try JSONDocument(text.utf8Bytes).removing(path).bytes, as: UTF8.self)
  }

  @Test(
    "a member goes with its comma, and no other byte does",
    arguments: [
      (#"{"a": 1, "b": 2, "c": 3}"#, ["a"], #"{"b": 2, "c": 3}"#),
      (#"{"a": 1, "b": 2, "c": 3}"#, ["b"], #"{"a": 1, "c": 3}"#),
      (#"{"a": 1, "b": 2, "c": 3}"#, ["c"], #"{"a": 1, "b": 2}"#),
      (#"{ "a" : 1 }"#, ["a"], "{}"), (#"{"a":1}"# + "\n", ["a"], "{}\n"), ("{}", ["a"], "{}"),
      ("{\n  \"a\": 1,\n  \"b\": {\"x\": 1.50}\n}\n", ["a"], "{\n  \"b\": {\"x\": 1.50}\n}\n"),
      ("{\n  \"a\": 1,\n  \"b\": {\"x\": 1.50}\n}\n", ["b"], "{\n  \"a\": 1\n}\n"),
      ("{\n  \"a\": 1,\n  \"b\": {\"x\": 1.50}\n}\n", ["b", "x"], "{\n  \"a\": 1,\n  \"b\": {}\n}\n"),
      (#"{"a": ",}", "b": "{\"a\": 1}"}"#, ["b"], #"{"a": ",}"}"#),
      (#"{"a": 1, "a": 2, "b": 3, "a": 4}"#, ["a"], #"{"b": 3}"#), (#"{"\u0061": 1, "b": 2}"#, ["a"], #"{"b": 2}"#),
      (#"{"é": 1, "b": 2}"#, ["e\u{301}"], #"{"é": 1, "b": 2}"#), (#"{"a": 1}"#, ["b", "c"], #"{"a": 1}"#),
      (#"{"": {"": 1}}"#, ["", ""], #"{"": {}}"#),
    ] as [(String, [String], String)])
  func removed(text: String, path: [String], expected: String) throws {
    #expect(try removing(path, from: text) == expected)
  }

  @Test(
    "a path that leads through no object, or nowhere, is refused",
    arguments: [
      (#"{"a": 1}"#, ["a", "b"]), (#"{"a": [{"b": 1}]}"#, ["a", "b"]), ("[1]", ["a"]), ("null", ["a"]), ("{}", []),
    ] as [(String, [String])])
  func refused(text: String, path: [String]) throws {
    let document = try JSONDocument(text.utf8Bytes)
    #expect { try document.removing(path) } throws: { ($0 as? JSONError)?.code == .notAnObject }
  }

  @Test(
    "whatever the object and its layout, the rest is as it was, byte for byte and in order", arguments: UInt64(1)...60)
  func rest(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let value = random.object(depth: 3)
    guard case .object(let members) = value else { return }
    for layout in [value.serialized(), value.serialized(.spaced), value.serialized(.pretty)] {
      let document = try JSONDocument(layout)
      for name in Set(members.compactMap(\.key.text)) + ["absent"] {
        let key = JSONString(name)
        let result = try document.removing([name])
        let expected = members.filter { $0.key != key }
        guard case .object(let left) = result.value else {
          Issue.record("\(String(decoding: result.bytes, as: UTF8.self))")
          continue
        }
        #expect(left.map(\.key) == expected.map(\.key) && left.map(\.value) == expected.map(\.value))
        // What is left is a part of what was there, in its order.
        var position = document.bytes.startIndex
        for byte in result.bytes {
          guard let next = document.bytes[position...].firstIndex(of: byte) else {
            Issue.record("a byte is new in \(String(decoding: result.bytes, as: UTF8.self))")
            break
          }
          position = next + 1
        }
        #expect(try result.removing([name]).bytes == result.bytes)
        if expected.count == members.count { #expect(result.bytes == document.bytes) }
      }
    }
  }
}
