/// Consecutive lines that one commit last changed.
package struct BlameHunk: Hashable, Sendable {
  /// Counted from 1.
  package let startLine: Int
  package let lineCount: Int
  package let commit: ObjectID
  /// Who wrote the lines. The library takes it from the commit's author.
  package let author: Signature

  package init(startLine: Int, lineCount: Int, commit: ObjectID, author: Signature) {
    self.startLine = startLine
    self.lineCount = lineCount
    self.commit = commit
    self.author = author
  }
}
