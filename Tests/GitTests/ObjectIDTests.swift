internal import Git
internal import TestSupport
internal import Testing

@Suite("Object ids")
struct ObjectIDTests {
  @Test("an id is read from forty digits of either case and printed in lower case")
  func hexadecimal() throws {
    let id = try #require(ObjectID(hex: "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391"))
    #expect(id.description == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
    #expect(id == ObjectID.emptyBlob)
    #expect(ObjectID(bytes: id.bytes) == id)
  }

  @Test(
    "anything but forty hexadecimal digits is refused",
    arguments: [
      "", "e69d", String(repeating: "0", count: 39), String(repeating: "0", count: 41),
      String(repeating: "g", count: 40), String(repeating: "é", count: 20),
    ])
  func malformed(text: String) {
    #expect(ObjectID(hex: text) == nil)
  }

  @Test("anything but twenty bytes is refused")
  func wrongLength() {
    #expect(ObjectID(bytes: [UInt8](repeating: 1, count: 19)) == nil)
    #expect(ObjectID(bytes: [UInt8](repeating: 1, count: 21)) == nil)
  }

  @Test("ids sort by their bytes, as unsigned numbers, wherever they first differ", arguments: 0..<20)
  func order(position: Int) throws {
    var low = [UInt8](repeating: 0x42, count: 20)
    var high = low
    low[position] = 0x7f
    high[position] = 0x80
    if position < 19 { low[position + 1] = 0xff }
    let left = try #require(ObjectID(bytes: low))
    let right = try #require(ObjectID(bytes: high))
    #expect(left < right)
    #expect(!(right < left))
  }

  @Test("the id of a blob is that of git hash-object", arguments: ["", "a", "line\n", "\0\u{1F600}\r\n"])
  func blob(text: String) throws {
    let scratch = try GitScratch()
    let expected = try scratch.git(["hash-object", "--no-filters", "--stdin"], input: Array(text.utf8))
    #expect(ObjectID.blob(Array(text.utf8)).description == expected)
  }
}
