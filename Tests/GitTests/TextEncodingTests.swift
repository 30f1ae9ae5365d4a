internal import Git
internal import TestSupport
internal import Testing

/// The attribute `working-tree-encoding`, held against what git itself does with it.
@Suite("Files in other encodings")
struct TextEncodingTests {
  private static let names = [
    "UTF-16", "utf16", "UTF-16LE", "utf-16be", "UTF-16LE-BOM", "utf16le-bom", "UTF-16BE-BOM", "UTF-32", "UTF-32LE",
    "UTF-32BE", "utf-8", "UTF8", "latin1", "ISO-8859-15", "windows-1252", "US-ASCII", "EUC-JP", "nonsense",
  ]

  /// A text in every form that it may have on disk, and what is none.
  private static let files: [[UInt8]] = {
    let texts = ["", "a", "plain\ntext\n", "gr\u{FC}n \u{20AC}\n", "\u{1F48E}\u{65E5}\u{672C}\n", "\u{FEFF}marked\n"]
    var files: [[UInt8]] = [
      [0xFF], [0xFE, 0xFF], [0xFF, 0xFE], [0xFF, 0xFE, 0, 0], [0, 0xD8], [0xE3, 0x81], [0x61, 0],
    ]
    for text in texts {
      let units = Array(text.utf16)
      let scalars = text.unicodeScalars.map(\.value)
      let little = units.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
      let big = units.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
      let wide = scalars.flatMap { scalar in (0..<4).map { UInt8(truncatingIfNeeded: scalar >> (8 * $0)) } }
      files += [
        Array(text.utf8), little, big, [0xFF, 0xFE] + little, [0xFE, 0xFF] + big, [0xFE, 0xFF] + little, wide,
        [0xFF, 0xFE, 0, 0] + wide, little.dropLast(), text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) },
      ]
    }
    return files
  }()

  @Test("bytes are stored as git stores them, or refused where it refuses them", arguments: names)
  func stored(name: String) async throws {
    let scratch = try GitScratch()
    try scratch.write(".gitattributes", "*.md working-tree-encoding=\(name)\n")
    let repository = try scratch.open()
    for bytes in Self.files {
      let run = try ChildProcess.run(
        "git", ["-C", scratch.path, "hash-object", "-w", "--stdin", "--path", "a.md"],
        environment: scratch.environment, input: bytes)
      do throws(GitError) {
        let id = ObjectID.blob(try await repository.stored(bytes, at: "a.md"))
        #expect("\(id)\n" == run.stdoutText, "\(bytes.prefix(24))")
      } catch {
        #expect(error.code == .encoding && run.status != 0, "\(bytes.prefix(24)) \(error.message)")
      }
    }
  }

  @Test(
    "stored text is checked out as git checks it out, and is stored again as it was",
    // Git writes this one, and cannot read what it has written.
    arguments: names.filter { $0 != "UTF-16BE-BOM" })
  func checkedOut(name: String) async throws {
    let scratch = try GitScratch()
    try scratch.write(".gitattributes", "*.md working-tree-encoding=\(name)\n")
    let repository = try scratch.open()
    for text in ["", "plain\ntext\n", "gr\u{FC}n\n", "\u{1F48E}\u{65E5}\n"] {
      let blob = try scratch.git(["hash-object", "-w", "--stdin"], input: Array(text.utf8))
      let expected = try ChildProcess.run(
        "git", ["-C", scratch.path, "cat-file", "--filters", "--path", "a.md", blob], environment: scratch.environment)
      do throws(GitError) {
        let bytes = try await repository.checkedOut(Array(text.utf8), at: "a.md")
        #expect(bytes == expected.stdout, "\(text)")
        #expect(try await repository.stored(bytes, at: "a.md") == Array(text.utf8), "\(text)")
      } catch {
        // Git warns, and checks out what is stored.
        #expect(error.code == .encoding && expected.stdout == Array(text.utf8), "\(text) \(error.message)")
      }
    }
  }

  @Test("a text longer than any buffer is converted whole")
  func long() async throws {
    let scratch = try GitScratch()
    try scratch.write(".gitattributes", "*.md working-tree-encoding=UTF-16LE\n")
    let text = String(repeating: "\u{1F48E}gr\u{FC}n ", count: 40_000)
    let bytes = text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let repository = try scratch.open()
    let stored = try await repository.stored(bytes, at: "a.md")
    #expect(stored == Array(text.utf8))
    #expect(try await repository.checkedOut(stored, at: "a.md") == bytes)
  }
}
