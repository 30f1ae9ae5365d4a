internal import Git
internal import Records
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A log and an identity with what a person has, what HEAD has, and what both come from: nothing of either is lost.
@Suite("Merging logs and identities")
struct MergePropertyTests {
  // MARK: Logs

  private static let path = RecordPath(".moha/maven/session_log.md")

  private static func entry(_ text: String, second: Int) -> String {
    let seconds = second < 10 ? "0\(second)" : "\(second)"
    return "## [2026-02-01T10:00:\(seconds).000001+00:00] NOTE\n\n\(text)\n\n---\n\n"
  }

  /// Keys in the order of the file, each as often as it is there.
  private func keys(_ log: [UInt8]) -> [String] {
    SessionLog.parse(log, path: Self.path).entries.map(\.recordKey)
  }

  private func counts(_ keys: [String]) -> [String: Int] {
    keys.reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  private func isSubsequence(_ part: [String], of whole: [String]) -> Bool {
    var rest = whole[...]
    for key in part {
      guard let index = rest.firstIndex(of: key) else { return false }
      rest = rest[(index + 1)...]
    }
    return true
  }

  /// A log's head and entries; a program of edits works on these, as writers and people do.
  private struct Draft {
    var head = "# Maven Session Log\n\n---\n\n"
    var entries: [String]
    var tail = ""

    var bytes: [UInt8] { Array((head + entries.joined() + tail).utf8) }
  }

  private static let bodies = [
    "text", "two\n\nparagraphs", "```\n## no heading\n```", "gr\u{FC}n \u{1F48E}", "- a\n- b", "**bold:** x",
    "trailing  \nspaces", "\\---\nescaped",
  ]

  /// Entries are told apart by number, but for some that both sides write alike.
  private static func newEntry(_ random: inout SeededGenerator, _ side: String, _ number: Int) -> String {
    let isShared = random.below(6) == 0
    return entry(
      isShared ? "both \(number % 2)" : "\(side) \(number)\n\(random.pick(bodies))",
      second: 20 + number % 40)
  }

  @Test("all entries of both sides are there, in their order, whatever was done to either", arguments: UInt64(1)...150)
  func logs(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let base = Draft(
      entries: (0..<random.below(6)).map { Self.entry("base \($0)\n\(random.pick(Self.bodies))", second: $0) })
    var head = base
    for number in 0..<(1 + random.below(4)) { head.entries.append(Self.newEntry(&random, "ours", number)) }
    var file = base
    var editsProse = false
    for number in 0..<random.below(5) {
      switch random.below(5) {
      case 0, 1: file.entries.append(Self.newEntry(&random, "theirs", number))
      case 2: file.entries.insert(Self.newEntry(&random, "theirs", number), at: random.below(file.entries.count + 1))
      case 3:
        file.head += "A remark \(number).\n\n"
        editsProse = true
      default:
        // The editor ends the file as it likes.
        file.tail += random.pick(["\n", "\n\n", "  \n"])
      }
    }
    let (before, ours, theirs) = (base.bytes, head.bytes, file.bytes)
    let merge = LogMerge(head: ours, file: theirs, path: Self.path)
    #expect(merge.isBase(before))
    let result: [UInt8]
    switch try merge.outcome(base: before) {
    case .file: result = theirs
    case .merged(let bytes): result = bytes
    case .removed(let count):
      Issue.record("\(count) entries count as removed")
      return
    case .conflict:
      // Only what is between the entries can be beyond bringing together.
      #expect(editsProse)
      return
    }
    let merged = keys(result)
    // Equal entries are one record.
    #expect(Set(merged) == Set(keys(ours)).union(keys(theirs)))
    if counts(keys(ours)).values.allSatisfy({ $0 == 1 }) && counts(keys(theirs)).values.allSatisfy({ $0 == 1 }) {
      #expect(counts(merged).values.allSatisfy { $0 == 1 })
      if result != theirs { #expect(isSubsequence(keys(ours), of: merged), "HEAD's order") }
      let new = keys(theirs).filter { !keys(ours).contains($0) && !keys(before).contains($0) }
      #expect(isSubsequence(new, of: merged), "the order of the file's own")
    }
    for number in 0..<5 {
      let remark = Array("A remark \(number).".utf8)
      if theirs.firstOffset(of: remark) != nil { #expect(result.firstOffset(of: remark) != nil, "\(number)") }
    }
    // Made again it is made once.
    #expect(try LogMerge(head: result, file: result, path: Self.path).outcome(base: ours) == .file)
    #expect(try LogMerge(head: ours, file: result, path: Self.path).outcome(base: before) == .file)
    let again = LogMerge(head: result, file: theirs, path: Self.path)
    switch try again.outcome(base: again.isBase(before) ? before : nil) {
    case .file: #expect(Set(keys(theirs)) == Set(merged))
    case .merged(let bytes): #expect(Set(keys(bytes)) == Set(merged))
    case .conflict: #expect(editsProse)
    case .removed: Issue.record("a second merge sees a removal")
    }
  }

  @Test("a file that is any earlier state of HEAD's log is brought to HEAD's", arguments: UInt64(1)...20)
  func earlier(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let head = Draft(entries: (0..<(1 + random.below(6))).map { Self.newEntry(&random, "ours", $0) })
    let ours = head.bytes
    for count in 0..<head.entries.count {
      let older = Draft(entries: Array(head.entries.prefix(count))).bytes
      let merge = LogMerge(head: ours, file: older, path: Self.path)
      let expected: LogMerge.Outcome = merge.lostCount == 0 ? .file : .merged(ours)
      #expect(try merge.outcome(base: nil) == expected)
      #expect(try merge.outcome(base: older) == expected)
    }
  }

  @Test("an entry that no version lacks was taken out by hand, and is counted", arguments: UInt64(1)...30)
  func removed(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let head = Draft(entries: (0..<6).map { Self.entry("ours \($0)", second: $0) })
    var file = head
    let count = 1 + random.below(3)
    // Not the last ones alone: those an older version may have lacked.
    for _ in 0..<count { file.entries.remove(at: random.below(file.entries.count - 1)) }
    let merge = LogMerge(head: head.bytes, file: file.bytes, path: Self.path)
    #expect(merge.lostCount == count && !merge.isBase(head.bytes))
    #expect(try merge.outcome(base: nil) == .removed(count))
  }

  // MARK: Identities

  /// An object of nested objects and plain values under a few names.
  private static func object(_ random: inout SeededGenerator, depth: Int) -> JSONValue {
    var members: [JSONValue.Member] = []
    for name in ["a", "b", "c", "d", "gr\u{FC}n"] where random.below(3) > 0 {
      let value: JSONValue =
        depth > 0 && random.below(2) == 0
        ? object(&random, depth: depth - 1) : random.pick([.null, 1, "text", [1, 2], .bool(true), .emptyObject])
      members.append(.init(JSONString(name), value))
    }
    return .object(members)
  }

  private static func edited(_ value: JSONValue, _ random: inout SeededGenerator) -> JSONValue {
    guard case .object(let members) = value else { return value }
    var edited: [JSONValue.Member] = []
    for member in members {
      switch random.below(8) {
      case 0: continue
      case 1: edited.append(.init(member.key, .string("changed \(random.below(3))")))
      case 2, 3: edited.append(.init(member.key, Self.edited(member.value, &random)))
      default: edited.append(member)
      }
    }
    if random.below(3) == 0 { edited.append(.init(JSONString("new\(random.below(3))"), 7)) }
    return .object(edited)
  }

  private func counter(_ value: JSONValue, _ counts: (Int, Int)) -> JSONValue {
    guard case .object(let members) = value else { return value }
    return .object(
      members + [.init("total_decisions", .integer(counts.0)), .init("rebirth_count", .integer(counts.1))])
  }

  /// The value at the end of a path; nil where there is none.
  private func value(_ path: [String], in root: JSONValue) -> JSONValue? {
    path.reduce(Optional(root)) { $0?[JSONString($1)] }
  }

  @Test("what either side set is set, what either took out is out, and no counter falls", arguments: UInt64(1)...200)
  func identities(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let base = Self.object(&random, depth: 2)
    let (ours, theirs) = (Self.edited(base, &random), Self.edited(base, &random))
    let counts = (ours: (random.below(9), random.below(4)), theirs: (random.below(9), random.below(4)))
    let head = try JSONDocument(counter(ours, counts.ours).serialized(.spaced))
    let file = try JSONDocument(counter(theirs, counts.theirs).serialized())
    let edits = IdentityMerge.edits(from: base, to: file.value)
    let merged: JSONDocument
    do throws(JSONError) {
      merged = try IdentityMerge.merged(head: head, file: file, edits: edits)
    } catch {
      // Only where one side has put something else in the place of an object that the other changed.
      #expect(error.code == .notAnObject)
      return
    }
    for edit in edits {
      switch edit {
      case .set(let path, let wanted): #expect(value(path, in: merged.value) == wanted, "\(path)")
      case .remove(let path): #expect(value(path, in: merged.value) == nil, "\(path)")
      }
    }
    // Of HEAD's edits those that the person's do not speak against.
    let touched = edits.map { edit -> [String] in
      switch edit {
      case .set(let path, _), .remove(let path): path
      }
    }
    for edit in IdentityMerge.edits(from: base, to: head.value) {
      switch edit {
      case .set(let path, let wanted) where !touched.contains(where: { $0.starts(with: path) || path.starts(with: $0) }):
        #expect(value(path, in: merged.value) == wanted, "\(path)")
      case .remove(let path) where !touched.contains(where: { $0.starts(with: path) || path.starts(with: $0) }):
        #expect(value(path, in: merged.value) == nil, "\(path)")
      default: break
      }
    }
    #expect(merged.value["total_decisions"]?.integer == max(counts.ours.0, counts.theirs.0))
    #expect(merged.value["rebirth_count"]?.integer == max(counts.ours.1, counts.theirs.1))
    // Made again it is made once.
    #expect(try IdentityMerge.merged(head: merged, file: file, edits: edits).bytes == merged.bytes)
  }

  @Test("the edits of a version to itself are none, and those to another give the other", arguments: UInt64(1)...50)
  func edits(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (old, new) = (Self.object(&random, depth: 2), Self.object(&random, depth: 2))
    #expect(IdentityMerge.edits(from: old, to: old).isEmpty)
    let (before, after) = (try JSONDocument(old.serialized()), try JSONDocument(new.serialized()))
    let merged = try IdentityMerge.merged(head: before, file: after, edits: IdentityMerge.edits(from: old, to: new))
    #expect(IdentityMerge.edits(from: merged.value, to: new).isEmpty)
    #expect(IdentityMerge.edits(from: new, to: merged.value).isEmpty)
  }
}
