internal import Git
internal import Testing

@Suite("Paths")
struct GitPathTests {
  @Test("names that differ only in Unicode normalisation are two paths")
  func normalisation() {
    let composed = GitPath("caf\u{e9}")
    let decomposed = GitPath("cafe\u{301}")
    #expect(composed.description == decomposed.description)
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
  }

  @Test("paths sort by bytes, shorter first, non-ASCII after ASCII")
  func order() {
    let sorted: [GitPath] = ["", "a", "a.b", "a/b", "a0", "b", "é"]
    #expect(sorted.shuffled().sorted() == sorted)
  }

  @Test("a path is inside itself and the folders above it, not inside a folder with a longer name")
  func inside() {
    let path: GitPath = ".moha/maven/a"
    #expect(path.isInside(".moha/maven/a"))
    #expect(path.isInside(".moha/maven"))
    #expect(path.isInside(.root))
    #expect(!path.isInside(".moha/mav"))
    #expect(!path.isInside(".moha/maven/a/b"))
  }

  @Test("the parent of a name at the top is the root, which has no parent")
  func parents() {
    #expect(GitPath("a/b").parent == "a")
    #expect(GitPath("a").parent == GitPath.root)
    #expect(GitPath.root.parent == nil)
    #expect(GitPath("a/b").lastComponent.elementsEqual("b".utf8))
  }

  @Test(
    "paths that could leave the tree or name nothing are not well formed",
    arguments: ["/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b"])
  func malformed(text: String) {
    #expect(!GitPath(text).isWellFormed)
  }

  @Test("odd but possible names are well formed", arguments: ["", "a", "...", "a b\n", "-x", ".git/x", "é"])
  func wellFormed(text: String) {
    #expect(GitPath(text).isWellFormed)
  }
}
