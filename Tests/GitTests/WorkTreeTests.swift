internal import Glibc
internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("Opening files below a folder")
struct WorkTreeTests {
  /// A folder with a file, a link to it, a link to a folder, and a folder beside it whose name it begins.
  private func fixture() throws -> (GitScratch, GitPath) {
    let scratch = try GitScratch()
    try scratch.write("root/folder/file", "inside")
    try scratch.write("root-evil/file", "outside")
    #expect(symlink("file", scratch.absolute("root/folder/link")) == 0)
    #expect(symlink("folder", scratch.absolute("root/linked")) == 0)
    #expect(symlink("../root-evil", scratch.absolute("root/escape")) == 0)
    return (scratch, GitPath(scratch.absolute("root")))
  }

  private func opens(_ root: GitPath, _ path: String, byComponents: Bool) throws -> Bool {
    let tree = try WorkTree(at: root.bytes)
    do throws(GitError) {
      let bytes = Array(path.utf8)
      let file =
        try byComponents
        ? tree.openByComponents(bytes, flags: O_RDONLY | O_NONBLOCK, "open a file")
        : tree.openFile(bytes)
      return try file.status("test").isRegular
    } catch {
      return false
    }
  }

  @Test("a file below is opened; links at any component and ways out are not", arguments: [false, true])
  func beneath(byComponents: Bool) throws {
    let (scratch, root) = try fixture()
    #expect(try opens(root, "folder/file", byComponents: byComponents))
    for path in [
      "folder/link", "linked/file", "escape/file", "../root-evil/file", "folder/../folder/file",
      "folder/../../root-evil/file",
      "/etc/passwd", scratch.absolute("root/folder/file"), "nowhere", "folder",
    ] {
      if path == "folder/../folder/file" && !byComponents { continue }
      #expect(try !opens(root, path, byComponents: byComponents), "\(path)")
    }
  }

  @Test("the text of a link is read, and not through another link")
  func linkText() throws {
    let (scratch, root) = try fixture()
    let tree = try WorkTree(at: root.bytes)
    let text = try tree.readLink(Array("folder/link".utf8))
    #expect(text == Array("file".utf8))
    #expect(throws: GitError.self) { try tree.readLink(Array("linked/link".utf8)) }
    #expect(throws: GitError.self) { try tree.readLink(Array("folder/file".utf8)) }
    #expect(scratch.path.isEmpty == false)
  }
}
