internal import Git
internal import Glibc
internal import TestSupport
internal import Testing

/// Attributes and conversions hold whatever form the index has: the library cannot read every one, and a file whose
/// attributes are not known would be stored with the bytes that it has on disk.
@Suite("Converted files beside any kind of index")
struct ConvertedIndexTests {
  /// What asks for a conversion, and where.
  enum Asking: String, CaseIterable, Sendable {
    case configuration, lineEnds, lineEndsInFolder, lineEndsInGitFolder, keywords, encoding

    var attributes: (file: String, text: String)? {
      switch self {
      case .configuration: nil
      case .lineEnds: (".gitattributes", "*.md text eol=crlf\n")
      case .lineEndsInFolder: (".moha/.gitattributes", "*.md text eol=crlf\n")
      case .lineEndsInGitFolder: (".git/info/attributes", "*.md text eol=crlf\n")
      case .keywords: (".gitattributes", "*.md ident\n")
      case .encoding: (".gitattributes", "*.md working-tree-encoding=UTF-16LE\n")
      }
    }

    /// A file as an editor would save it.
    func bytes(_ text: String) -> [UInt8] {
      switch self {
      case .configuration, .lineEnds, .lineEndsInFolder, .lineEndsInGitFolder:
        Array(text.utf8).flatMap { $0 == 0x0A ? [0x0D, $0] : [$0] }
      case .keywords: Array("$Id: of somebody else $\n\(text)".utf8)
      case .encoding: text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
      }
    }
  }

  /// A repository that git itself has checked out, converted.
  private func repository(_ asking: Asking) throws -> GitScratch {
    let scratch = try GitScratch()
    if let (file, text) = asking.attributes { try scratch.write(file, text) }
    if asking == .configuration { try scratch.git("config", "core.autocrlf", "true") }
    try scratch.git("config", "core.safecrlf", "false")
    for number in 0..<3 {
      for folder in [".moha/maven", ".moha/out"] {
        try scratch.write(Array("\(folder)/\(number).md".utf8), asking.bytes("one\n\(number)\n"))
      }
    }
    for file in ["src/a", "src/left", "README.md"] { try scratch.write(Array(file.utf8), asking.bytes("x\n")) }
    try scratch.commit("first")
    return scratch
  }

  /// Commits all that is below `.moha` as it is in the working tree.
  private func commit(_ scratch: GitScratch) async throws -> CommitOutcome {
    let repository = try scratch.open()
    let snapshot = try await repository.snapshot(under: ".moha")
    #expect(snapshot.unreadable.isEmpty)
    return try await repository.commit(
      CommitRequest(changes: .workTree(snapshot, judge: { _ in nil }), message: "maven: all"))
  }

  @Test("a clean tree makes no commit, and a changed file is stored as git would", arguments: IndexForm.allCases)
  func converted(form: IndexForm) async throws {
    for asking in Asking.allCases {
      let scratch = try repository(asking)
      try form.prepare(scratch)
      try form.finish(scratch)
      // Nothing is taken from `stat` data: all files are looked at.
      try ChildProcess.runChecked(
        "/bin/sh", ["-c", "find .moha -name '*.md' -exec touch {} +"], workingDirectory: scratch.path)
      #expect(try await commit(scratch).commit == nil, "\(asking)")

      try scratch.write(Array(".moha/maven/1.md".utf8), asking.bytes("two\nlines\n"))
      try scratch.write(Array(".moha/maven/new.md".utf8), asking.bytes("new\n"))
      let outcome = try await commit(scratch)
      #expect(outcome.commit != nil && outcome.changedCount == 2, "\(asking)")
      #expect(outcome.skipped.allSatisfy { $0.reason == .sparse }, "\(asking): \(outcome.skipped)")
      for file in [".moha/maven/1.md", ".moha/maven/new.md"] {
        #expect(
          try scratch.git("rev-parse", "HEAD:\(file)") == scratch.git("hash-object", "--path", file, file),
          "\(asking) \(file)")
      }
      #expect(try scratch.git("status", "--porcelain", "--untracked-files=all", ".moha") == "", "\(asking)")
      #expect(try await commit(scratch).commit == nil, "\(asking)")
      try scratch.expectSound()
    }
  }

  @Test("a filter is seen, and its file left alone", arguments: IndexForm.allCases)
  func filtered(form: IndexForm) async throws {
    for place in [".gitattributes", ".moha/.gitattributes", ".moha/maven/.gitattributes", ".git/info/attributes"] {
      let scratch = try repository(.keywords)
      try scratch.write(place, "*.md filter=seal\n")
      try scratch.git("config", "filter.seal.clean", "tr a-z b-za")
      if !place.hasPrefix(".git/") { try scratch.git("add", place) }
      try scratch.commitStaged("filters")
      try form.prepare(scratch)
      try form.finish(scratch)
      try scratch.write(".moha/maven/1.md", "plain\n")
      try scratch.write(".moha/maven/plain.txt", "plain\n")
      let repository = try scratch.open()
      let snapshot = try await repository.snapshot(under: ".moha/maven")
      #expect(snapshot.unreadable.map(\.cause) == Array(repeating: .filter("seal"), count: 3), "\(place)")
      #expect(try await repository.obstacle(toStoringAt: ".moha/maven/later.md") == .filter("seal"), "\(place)")
      #expect(try await repository.obstacle(toStoringAt: ".moha/maven/later.txt") == nil, "\(place)")
      let outcome = try await repository.commit(
        CommitRequest(
          changes: .workTree(try await repository.snapshot(under: ".moha"), judge: { _ in nil }), message: "m"))
      #expect(outcome.changedCount == 1, "\(place)")
      #expect(outcome.skipped.contains { $0.path == ".moha/maven/1.md" && $0.reason == .filter("seal") }, "\(place)")
    }
  }

  @Test("attributes that only the index holds, since the checkout leaves them out, hold", arguments: [false, true])
  func leftOutAttributes(isSplit: Bool) async throws {
    for (text, isFilter) in [("*.md text eol=crlf\n", false), ("*.md filter=seal\n", true)] {
      let scratch = try repository(.keywords)
      try scratch.write(".gitattributes", text)
      try scratch.git("add", "--renormalize", ".")
      try scratch.commit("attributes")
      try scratch.git("sparse-checkout", "set", "--no-cone", "/.moha/", "/src/")
      if isSplit { try scratch.git("update-index", "--split-index") }
      #expect(access(scratch.absolute(".gitattributes"), F_OK) != 0)
      try scratch.write(".moha/maven/1.md", "two\r\nlines\r\n")
      try scratch.write(".moha/maven/new.md", "new\r\n")
      let repository = try scratch.open()
      let snapshot = try await repository.snapshot(under: ".moha/maven")
      #expect(snapshot.unreadable.isEmpty == !isFilter)
      #expect(try await repository.obstacle(toStoringAt: ".moha/maven/later.md") == (isFilter ? .filter("seal") : nil))
      guard !isFilter else { continue }
      #expect(try await repository.stored(Array("a\r\n".utf8), at: ".moha/maven/later.md") == Array("a\n".utf8))
      #expect(try await repository.checkedOut(Array("a\n".utf8), at: ".moha/maven/later.md") == Array("a\r\n".utf8))
      for file in [".moha/maven/1.md", ".moha/maven/new.md"] {
        try scratch.git("-c", "core.safecrlf=false", "add", file)
        let id = try scratch.git("rev-parse", ":\(file)")
        #expect(snapshot.entries.contains { $0.path == GitPath(file) && "\($0.id)" == id }, "\(file)")
      }
    }
  }
}
