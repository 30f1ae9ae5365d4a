internal import Glibc
internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("An index that cannot be read whole")
struct UnreadableIndexTests {
  /// How an index comes to be unreadable, and what is said of it.
  enum Damage: String, CaseIterable, Sendable {
    case version, mandatoryExtension, cut, checksum, link, symlink, folder, order, unknownFlag
    case sharedMissing, sharedChanged, sharedCut, sharedOther, sharedVersion

    var word: String {
      switch self {
      case .version: "its version is 5"
      case .mandatoryExtension: "zzzz"
      case .cut: "damaged"
      case .checksum: "its checksum is wrong"
      case .link: "its link to a shared part is damaged"
      case .symlink: "a symbolic link"
      case .folder: "it is not a regular file"
      case .order: "out of order"
      case .unknownFlag: "damaged"
      case .sharedMissing: "is missing"
      case .sharedChanged, .sharedCut, .sharedOther: "is damaged"
      case .sharedVersion: "its version is 9"
      }
    }

    func inflict(_ scratch: GitScratch) throws {
      func edit(_ change: (inout [UInt8]) -> Void) throws {
        try scratch.editIndex { bytes in
          change(&bytes)
          bytes.replaceSubrange((bytes.count - 20)..., with: SHA1.hash(bytes.dropLast(20)))
        }
      }
      func split(_ change: (String, inout [UInt8]) throws -> Void) throws {
        try scratch.git("update-index", "--split-index")
        let index = try IndexFile(scratch.read(".git/index"), below: .root)
        let name = try #require(try SplitIndex(index)).sharedName
        var bytes = try scratch.read(".git/\(name)")
        try change(name, &bytes)
        if access(scratch.absolute(".git/\(name)"), F_OK) == 0 {
          try scratch.write(Array(".git/\(name)".utf8), bytes)
        }
      }
      switch self {
      case .version: try edit { $0[7] = 5 }
      case .mandatoryExtension: try scratch.addExtension("zzzz", [])
      case .cut: try edit { $0.removeSubrange(100..<150) }
      case .checksum: try scratch.editIndex { $0[60] ^= 1 }
      case .link:
        try scratch.git("update-index", "--split-index")
        try scratch.write("src/b", "other")
        try scratch.git("add", "src/b")
        // The length of the first bitmap.
        try edit { bytes in
          guard let start = bytes.firstRange(of: Array("link".utf8)) else { return }
          bytes[start.lowerBound + 8 + 20 + 7] = 99
        }
      case .symlink:
        rename(scratch.absolute(".git/index"), scratch.absolute(".git/elsewhere"))
        Glibc.symlink("elsewhere", scratch.absolute(".git/index"))
      case .folder:
        try scratch.remove(".git/index")
        mkdir(scratch.absolute(".git/index"), 0o755)
      // The first two paths, of one length, are exchanged.
      case .order:
        try edit { bytes in
          let first = bytes.firstRange(of: Array("src/a".utf8))?.lowerBound ?? 0
          bytes[first + 4] = UInt8(ascii: "z")
        }
      case .unknownFlag:
        try scratch.git("update-index", "--skip-worktree", "src/a")
        try edit { bytes in
          let first = bytes.firstRange(of: Array("src/a".utf8))?.lowerBound ?? 0
          bytes[first - 2] |= 0x80
        }
      case .sharedMissing: try split { name, _ in try scratch.remove(".git/\(name)") }
      case .sharedChanged: try split { _, bytes in bytes[60] ^= 1 }
      case .sharedCut: try split { _, bytes in bytes.removeLast(30) }
      case .sharedOther:
        try split { _, bytes in
          bytes[60] ^= 1
          bytes.replaceSubrange((bytes.count - 20)..., with: SHA1.hash(bytes.dropLast(20)))
        }
      case .sharedVersion: try split { _, bytes in bytes[7] = 9 }
      }
    }
  }

  @Test("nothing is committed, and the reason is given", arguments: Damage.allCases)
  func pending(damage: Damage) async throws {
    let scratch = try GitScratch.withHistory()
    try damage.inflict(scratch)
    let head = try scratch.git("rev-parse", "HEAD")
    let objects = try scratch.git("count-objects")
    let index = try? scratch.read(".git/index")
    let repository = try scratch.open()
    let snapshot = try await repository.snapshot(under: ".moha")
    for request in [
      .files([".moha/new": "x"]), CommitRequest(changes: .workTree(snapshot) { _ in nil }, message: "maven: all"),
    ] {
      guard case .pending(.unreadableIndex(let reason)) = try await repository.commit(request).result else {
        Issue.record("committed beside an index that cannot be read")
        continue
      }
      #expect(reason.contains(damage.word), "\(reason)")
    }
    #expect(try scratch.git("rev-parse", "HEAD") == head)
    #expect(try scratch.git("count-objects") == objects)
    let left = try? scratch.read(".git/index")
    #expect(left == index)
    try scratch.expectTidy()
    // A damaged checksum alone is seen by those who write; for all else nobody knows what is left out.
    let checkout = await repository.checkoutIndex()
    if ![.checksum, .sharedChanged].contains(damage) {
      #expect(!checkout.isWhole)
      #expect(checkout.absence(of: ".moha/notes") == .unknown)
    }
    // Every file is then hashed.
    #expect(snapshot.entries.count == 3)
  }

  @Test("a person who mends the index has the commit made the next time")
  func mended() async throws {
    let scratch = try GitScratch.withHistory()
    let good = try scratch.read(".git/index")
    try Damage.version.inflict(scratch)
    _ = try await scratch.open().commit(.files([".moha/new": "x"]))
    try scratch.write(Array(".git/index".utf8), good)
    #expect(try await scratch.open().commit(.files([".moha/new": "x"])).commit != nil)
    #expect(try scratch.git("diff", "--cached", "--name-only") == "")
  }

  @Test("a split index, or its shared part, that is cut or changed anywhere never traps", arguments: UInt64(1)...4)
  func mutations(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let scratch = try GitScratch.withHistory()
    if seed % 2 == 0 { try scratch.git("update-index", "--index-version", "4") }
    try scratch.git("update-index", "--split-index")
    try scratch.write("src/a", "other")
    try scratch.write("src/new", "new")
    try scratch.git("rm", "-q", "--cached", "src/b")
    try scratch.git("add", "src")
    let main = try scratch.read(".git/index")
    let shared = try scratch.read(".git/\(#require(try SplitIndex(IndexFile(main, below: .root))).sharedName)")
    for _ in 0..<400 {
      var (left, right) = (main, shared)
      if random.below(3) > 0 {
        for _ in 0...random.below(3) { left[random.below(left.count)] = UInt8(random.below(256)) }
      } else {
        for _ in 0...random.below(3) { right[random.below(right.count)] = UInt8(random.below(256)) }
      }
      if random.below(4) == 0 { left.removeLast(random.below(left.count)) }
      guard let split = try? SplitIndex(IndexFile(left, below: .root)),
        let joined = try? split.joined(with: right, .form), let index = try? IndexFile(joined, below: .root)
      else { continue }
      for position in 0..<index.count { _ = index.entry(at: position) }
    }
  }

  @Test("a bitmap's claims beyond what there is are refused", arguments: UInt64(1)...8)
  func bitmaps(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2_000 {
      let words = random.below(4)
      var bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, UInt8(words)]
      for _ in 0..<(words * 8 + 4) { bytes.append(random.below(2) == 0 ? 0 : UInt8(random.below(256))) }
      guard let found = BitmapEWAH.positions(in: bytes[...], below: 100) else { continue }
      #expect(found.positions.allSatisfy { $0 < 100 })
      #expect(found.positions == found.positions.sorted())
      #expect(found.size == bytes.count)
    }
    // All ones, a hundred thousand million times.
    let ones: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]
    #expect(BitmapEWAH.positions(in: ones[...], below: 1 << 20) == nil)
  }
}
