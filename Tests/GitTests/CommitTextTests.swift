internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("The text of a commit")
struct CommitTextTests {
  @Test(
    "is that which git itself writes",
    arguments: [
      ("Ann", "ann@example.org", 1_700_000_000, 0), ("Zoë Ünal", "z@example.org", 1, 330), ("A B", "x", 0, -210),
      ("Ann", "ann@example.org", 4_000_000_000, 14 * 60), ("Ann", "ann@example.org", 9_000_000_000, -1),
    ] as [(String, String, Int64, Int)])
  func sameAsGit(name: String, email: String, time: Int64, offset: Int) throws {
    let scratch = try GitScratch.withHistory()
    let tree = try scratch.git("rev-parse", "HEAD^{tree}")
    let parent = try scratch.git("rev-parse", "HEAD")
    let magnitude = abs(offset)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "@\(time) \(offset < 0 ? "-" : "+")\(two(magnitude / 60))\(two(magnitude % 60))"
    for role in ["AUTHOR", "COMMITTER"] {
      scratch.environment["GIT_\(role)_NAME"] = name
      scratch.environment["GIT_\(role)_EMAIL"] = email
      scratch.environment["GIT_\(role)_DATE"] = date
    }
    let signature = Signature(name: name, email: email, time: time, offsetMinutes: offset)
    for parent in [parent, nil] {
      let message = "maven: a title\n\nAnd a text.\n"
      let id = try scratch.git(
        ["commit-tree", tree] + (parent.map { ["-p", $0] } ?? []), input: Array(message.utf8))
      let text = CommitText(
        tree: try #require(ObjectID(hex: tree)), parent: parent.flatMap { ObjectID(hex: $0) }, author: signature,
        committer: signature, message: message)
      #expect(text.encoded == (try scratch.gitBytes(["cat-file", "commit", id])))
    }
  }

  @Test("has no line that a name, an address or a time could break")
  func hostile() throws {
    let scratch = try GitScratch.withHistory()
    for (name, email) in [("", ""), ("a\nb <x> \u{0}", "<>\n"), (" . ", "a b"), ("\u{7f}", "\"")] {
      let signature = Signature(name: name, email: email, time: -5, offsetMinutes: 100_000)
      let text = CommitText(
        tree: .emptyTree, parent: nil, author: signature, committer: signature, message: "maven: x\n")
      let id = try scratch.git(["hash-object", "-t", "commit", "--stdin", "-w"], input: text.encoded)
      try scratch.git(["mktree"], input: [])
      try scratch.git("update-ref", "refs/heads/hostile", id)
      try scratch.expectSound()
    }
  }
}
