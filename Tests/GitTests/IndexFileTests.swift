internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("The index file")
struct IndexFileTests {
  private func scratch() throws -> GitScratch {
    let scratch = try GitScratch()
    let long = String(repeating: "n", count: 200)
    for name in ["a", "d/\(long)1", "d/\(long)2", "d/e/f", "d-x", "d0", "é"] { try scratch.write(name, name) }
    // Longer than the twelve bits that the index has for a length.
    let folders = String(repeating: String(repeating: "x", count: 250) + "/", count: 17)
    let blob = try scratch.git(["hash-object", "-w", "--stdin"], input: [])
    try scratch.git("add", "--all")
    try scratch.git("update-index", "--add", "--cacheinfo", "100644,\(blob),d/\(folders)end")
    return scratch
  }

  private func bytes(_ scratch: GitScratch) throws -> [UInt8] {
    let run = try ChildProcess.runChecked("cat", [scratch.absolute(".git/index")])
    return run.stdout
  }

  private func ids(_ scratch: GitScratch, _ index: IndexFile) throws -> [ObjectID] {
    (0..<index.count).map { index.entry(at: $0).id }
  }

  @Test(
    "every version has the entries of git ls-files, of the whole tree and of one folder", arguments: ["2", "3", "4"])
  func versions(version: String) throws {
    let scratch = try scratch()
    if version == "3" {
      try scratch.write("later", "x")
      try scratch.git("add", "-N", "later")
    } else {
      try scratch.git("update-index", "--index-version", version)
    }
    let file = try bytes(scratch)
    #expect(file[7] == UInt8(version))
    for folder: GitPath in [.root, "d", "d/e", "nowhere", "a"] {
      let index = try IndexFile(file, below: folder)
      let lines = try scratch.gitBytes(["ls-files", "-s", "-z"]).split(separator: 0)
      let expected = lines.filter { GitPath(Array($0.split(separator: 9, maxSplits: 1)[1])).isInside(folder) }
      #expect(index.count == expected.count)
      for (position, line) in expected.enumerated() where position < index.count {
        let entry = index.entry(at: position)
        let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
        let path = GitPath(Array(line.split(separator: 9, maxSplits: 1)[1]))
        #expect(index.compare(position, path) == 0)
        #expect(entry.id.description == fields[1])
        #expect(entry.mode == UInt32(fields[0], radix: 8))
        #expect(entry.isIntentToAdd == (path == "later"))
      }
    }
  }

  @Test("an index that is cut anywhere, or has any bytes changed, never traps", arguments: UInt64(1)...4)
  func mutations(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let scratch = try scratch()
    if seed % 2 == 0 { try scratch.git("update-index", "--index-version", "4") }
    let file = try bytes(scratch)
    for cut in stride(from: 0, to: file.count, by: 7) where cut != file.count {
      #expect(throws: UnreadableIndex.self) { try IndexFile(Array(file[..<cut]), below: .root) }
    }
    for _ in 0..<300 {
      var changed = file
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      guard let index = try? IndexFile(changed, below: "d") else { continue }
      for position in 0..<index.count { _ = index.entry(at: position) }
    }
  }
}
