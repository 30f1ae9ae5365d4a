import Records
import Testing

@Suite("JSON")
struct JSONTests {
  @Test(
    "what is not JSON is refused",
    arguments: [
      "", " ", "{", "[1,]", "{\"a\":1,}", "[1 2]", "{a:1}", "{'a':1}", "NaN", "Infinity", "01", "1.", ".5", "-", "+1",
      "1e",
      "\"\u{1}\"", "\"\\x\"", "\"\\u12\"", "\"open", "tru", "{} x", "\u{FEFF}{}", "// c\n1", "[1,,2]", "{\"a\" 1}",
    ])
  func refusals(text: String) {
    #expect(throws: JSONError.self) { try JSONValue.parse(text) }
  }

  @Test("an error names its line and offset")
  func errorPlace() {
    let error = #expect(throws: JSONError.self) { try JSONValue.parse("{\n  \"a\": 1,\n  \"b\": x\n}") }
    #expect(error?.line == 3)
    #expect(error?.offset == 19)
  }

  @Test(
    "invalid UTF-8 is refused",
    arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]])
  func invalidUTF8(bytes: [UInt8]) {
    let error = #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + bytes + [0x22]) }
    #expect(error?.code == .invalidUTF8)
    #expect(error?.offset == 1)
  }

  @Test("a depth of 100,000 is an error, not a crash")
  func depth() throws {
    for opening in ["[", "{\"a\":"] {
      let error = #expect(throws: JSONError.self) {
        try JSONValue.parse(String(repeating: opening, count: 100_000))
      }
      #expect(error?.code == .tooDeep)
    }
    let allowed = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
    #expect(try JSONValue.parse(allowed).text() == allowed)
  }

  @Test("numbers, order and duplicate keys stay as written")
  func spellings() throws {
    let text = #"{"b":1.0,"a":[1e2,-0,100],"b":null}"#
    let value = try JSONValue.parse(text)
    #expect(value.text() == text)
    #expect(value["b"] == .null)
    #expect(value.duplicateKey == "b")
  }

  @Test("a lone surrogate survives, and a pair is one character")
  func surrogates() throws {
    let lone = try JSONValue.parse(#"["\ud800x","\udc00","\ud83d\ude00","\ud800\u0041"]"#)
    #expect(lone.text() == #"["\ud800x","\udc00","😀","\ud800A"]"#)
    guard case .array(let elements) = lone else { return }
    #expect(elements[0].text == nil)
    #expect(elements[2].text == "😀")
  }

  @Test("line separators are escaped in files")
  func lineSeparators() {
    #expect(
      JSONValue.string("a\u{2028}\u{2029}\u{202A}\u{7F}\u{0}").text() == "\"a\\u2028\\u2029\u{202A}\u{7F}\\u0000\"")
  }

  @Test("the pretty style indents by two spaces")
  func pretty() {
    let value: JSONValue = ["a": [1, []], "b": [:]]
    #expect(value.text(.pretty) == "{\n  \"a\": [\n    1,\n    []\n  ],\n  \"b\": {}\n}")
    #expect(value.text(.spaced) == #"{"a": [1, []], "b": {}}"#)
  }

  @Test(
    "jsonb text is what PostgreSQL prints",
    arguments: [
      ("1e2", "100"), ("1.50", "1.50"), ("-0", "0"), ("-0.0", "0.0"), ("1.0e1", "10"), ("1E-2", "0.01"), ("0e5", "0"),
      ("1.25e1", "12.5"), ("-12.5e-3", "-0.0125"), ("0.00e1", "0.0"),
      ("123456789012345678901", "123456789012345678901"),
      (#"{"bb":1,"a":2,"c":3,"a":4}"#, #"{"a": 4, "c": 3, "bb": 1}"#), (#"[ ]"#, "[]"), (#"{ }"#, "{}"),
      (#""\u001f\b\f\n\r\t\"\\\/é\u007f""#, "\"\\u001f\\b\\f\\n\\r\\t\\\"\\\\/é\u{7F}\""),
      (#"{"é":1,"zz":2,"ab":3}"#, #"{"ab": 3, "zz": 2, "é": 1}"#),
    ])
  func jsonb(text: String, expected: String) throws {
    #expect(try JSONValue.parse(text).jsonbText == expected)
  }

  @Test(
    "what jsonb cannot hold is wrapped and comes back",
    arguments: [
      #"{"a":"x\u0000y"}"#, #"["\ud800"]"#, #"{"\u0000":1}"#, "1e1001", "1e-1001", #"{"moha:json":"1"}"#,
      #"{"moha:json":1,"moha:json":2}"#, "1e99999999999999999999", "1" + String(repeating: "0", count: 1_000),
    ])
  func wrapping(text: String) throws {
    let value = try JSONValue.parse(text)
    let form = value.databaseForm
    #expect(form["moha:json"]?.text == text)
    #expect(JSONValue(databaseForm: try JSONValue.parse(value.jsonbText)) == value)
  }

  @Test("an object that only looks wrapped is left alone", arguments: [#"{"moha:json":1}"#, #"{"moha:json":"{"}"#])
  func notWrapped(text: String) throws {
    let value = try JSONValue.parse(text)
    #expect(JSONValue(databaseForm: value) == value)
  }
}

@Suite("Edits of JSON")
struct JSONDocumentTests {
  private let source = "{\n\t\"a\" : 1.0,\n\t\"emoji\": \"\\ud83d\\udc8e\",\n\t\"deep\": { \"n\": 1 },\n\t\"e\": {}\n}"

  @Test("an edit changes only the bytes of its value")
  func replaces() throws {
    let edited = try JSONDocument(source.utf8Bytes).setting(["deep", "n"], to: 27)
    #expect(
      String(decoding: edited.bytes, as: UTF8.self)
        == source.split(separator: "\"n\": 1").joined(separator: "\"n\": 27"))
    #expect(try edited.setting(["deep", "n"], to: 27).bytes == edited.bytes)
  }

  @Test("a new key takes the indentation in use")
  func inserts() throws {
    let document = try JSONDocument(source.utf8Bytes).setting(["new"], to: ["x": 1])
    let text = String(decoding: document.bytes, as: UTF8.self)
    #expect(text == source.dropLast(2) + ",\n\t\"new\": {\n\t\t\"x\": 1\n\t}\n}")
    let nested = try JSONDocument(source.utf8Bytes).setting(["e", "y"], to: 2)
    #expect(String(decoding: nested.bytes, as: UTF8.self).hasSuffix("\"e\": {\n\t\t\"y\": 2\n\t}\n}"))
    let inline = try JSONDocument(source.utf8Bytes).setting(["deep", "m"], to: 2)
    #expect(String(decoding: inline.bytes, as: UTF8.self).contains("{ \"n\": 1, \"m\": 2 }"))
  }

  @Test(
    "a compact or empty object stays well-formed",
    arguments: [
      ("{\"a\":1}", "{\"a\":1,\"n\":1}"), ("{}", "{\n  \"n\": 1\n}"),
      ("{\"a\": 1, \"b\": 2}\n", "{\"a\": 1, \"b\": 2, \"n\": 1}\n"),
    ])
  func layouts(source: String, expected: String) throws {
    #expect(String(decoding: try JSONDocument(source.utf8Bytes).setting(["n"], to: 1).bytes, as: UTF8.self) == expected)
  }

  @Test("of equal keys the last is edited")
  func duplicates() throws {
    let document = try JSONDocument(#"{"a":1,"a":2}"#.utf8Bytes).setting(["a"], to: 3)
    #expect(String(decoding: document.bytes, as: UTF8.self) == #"{"a":1,"a":3}"#)
  }

  @Test("missing objects on the way are made, and other values refuse")
  func paths() throws {
    let document = try JSONDocument(#"{"a": 1}"#.utf8Bytes)
    #expect(try document.setting(["x", "y"], to: 1).value["x"]?["y"] == 1)
    let error = #expect(throws: JSONError.self) { try document.setting(["a", "b"], to: 1) }
    #expect(error?.code == .notAnObject)
  }

  @Test("a merge goes into objects and replaces the rest")
  func merges() throws {
    let document = try JSONDocument(#"{"a": {"x": 1, "y": [1]}, "b": 1}"#.utf8Bytes)
    let merged = try document.merging(["a": ["y": [2], "z": 3], "c": true])
    #expect(String(decoding: merged.bytes, as: UTF8.self) == #"{"a": {"x": 1, "y": [2], "z": 3}, "b": 1, "c": true}"#)
  }

  @Test("the counters of an identity are edited in place")
  func identity() throws {
    let source =
      "{\n  \"note\": \"\\u00e9\",\n  \"performance_tracking\": {\n    \"total_decisions\": 0,\n    \"win_rate\": 0.0\n  },\n  \"rebirth_count\": 4,\n  \"total_decisions\": 2\n}"
    let identity = IdentityFile.parse(source.utf8Bytes, path: logPath)
    #expect(identity.totalDecisions == 2 && identity.rebirthCount == 4)
    #expect(identity.value(of: .performanceDecisions) == .count(0) && identity.diagnostics.isEmpty)
    let edited = try #require(identity.edited(totalDecisions: 6))
    let expected =
      "{\n  \"note\": \"\\u00e9\",\n  \"performance_tracking\": {\n    \"total_decisions\": 6,\n    \"win_rate\": 0.0\n  },\n  \"rebirth_count\": 4,\n  \"total_decisions\": 6\n}"
    #expect(String(decoding: edited, as: UTF8.self) == expected)
    let bad = IdentityFile.parse("[1]".utf8Bytes, path: logPath)
    #expect(bad.edited(totalDecisions: 1) == nil)
    #expect(bad.diagnostics.map(\.code) == ["not-an-object"])
    #expect(IdentityFile.parse("{\"a\":1,}".utf8Bytes, path: logPath).diagnostics.map(\.code) == ["invalid-json"])
  }

  @Test(
    "a counter that counts nothing is named with its line, and is not one that is absent",
    arguments: [
      ("\"2\"", "\"2\""), ("4.0", "4.0"), ("null", "null"), ("true", "true"), ("-5", "-5"), ("1e2", "1e2"),
      ("99999999999999999999", "99999999999999999999"), ("{\"a\": [1]}", "{\"a\":[1]}"),
      ("\"" + String(repeating: "x", count: 60) + "\"", "\"" + String(repeating: "x", count: 39) + "…"),
    ])
  func invalidCounters(value: String, spelling: String) throws {
    let source = """
      {
        "total_decisions": 3,
        "rebirth_count": 1,
        "performance_tracking": {
          "total_decisions": \(value)
        },
        "total_decisions":
          \(value)
      }
      """
    let identity = IdentityFile.parse(source.utf8Bytes, path: logPath)
    // Of the two the last one counts.
    #expect(identity.value(of: .totalDecisions) == .invalid(spelling) && identity.totalDecisions == nil)
    #expect(identity.value(of: .performanceDecisions) == .invalid(spelling))
    let found = identity.diagnostics.filter { $0.code == "counter-invalid" }
    #expect(
      found.map(\.line) == [8, 5] && found.allSatisfy { $0.severity == .warning && $0.message.contains(spelling) })
    let edited = IdentityFile.parse(try #require(identity.edited(totalDecisions: 4)), path: logPath)
    #expect(edited.value(of: .totalDecisions) == .count(4) && edited.value(of: .performanceDecisions) == .count(4))
    let absent = IdentityFile.parse("{\"performance_tracking\": 5}".utf8Bytes, path: logPath)
    #expect(IdentityFile.Counter.allCases.allSatisfy { absent.value(of: $0) == .absent } && absent.diagnostics.isEmpty)
  }
}
