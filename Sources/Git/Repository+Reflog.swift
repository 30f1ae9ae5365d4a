internal import Glibc

/// One line of HEAD's reflog: what HEAD was moved from and to, and what moved it.
package struct ReflogEntry: Hashable, Sendable {
  /// Nil for a branch that did not exist.
  package let old: ObjectID?
  package let new: ObjectID?
  /// For instance `reset: moving to HEAD~1`.
  package let message: String

  package init(old: ObjectID?, new: ObjectID?, message: String) {
    self.old = old
    self.new = new
    self.message = message
  }
}

/// A place in HEAD's reflog, to go on reading from.
package struct ReflogPosition: Hashable, Sendable {
  /// The bytes that were read.
  package let offset: Int
  /// The last whole line before it, which tells a reflog that was rewritten since.
  package let line: [UInt8]

  package init(offset: Int, line: [UInt8]) {
    self.offset = offset
    self.line = line
  }
}

extension Repository {
  /// The lines that were added to HEAD's reflog since `position`, oldest first, and where they end.
  ///
  /// Without a position, or after the reflog was rewritten (`git gc` drops old lines), those of its last 64 KiB. Each
  /// linked working tree has a HEAD of its own. Empty where no reflog is kept. A line that another program is writing is
  /// left for the next call. Format: gitformat-reflog, `old new name <email> time zone TAB message`.
  package func reflog(since position: ReflogPosition?) throws(GitError) -> (entries: [ReflogEntry], end: ReflogPosition?) {
    let operation = "read HEAD's reflog"
    let path = gitDirectoryBytes + Array("/logs/HEAD".utf8)
    guard try FileIdentity(at: path, operation) != nil else { return ([], nil) }
    let file = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK, operation)
    let size = Int(clamping: try file.status(operation).size)
    var start = max(0, size - (64 << 10))
    if let position, position.offset <= size, position.offset - position.line.count >= 0 {
      let known = try file.read(from: position.offset - position.line.count, to: position.offset, operation)
      if known == position.line { start = position.offset }
    }
    let bytes = try file.read(from: start, to: min(size, start + (64 << 20)), operation)
    guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return ([], position) }
    let lines = bytes[...last].split(separator: UInt8(ascii: "\n"))
    let end = ReflogPosition(offset: start + last + 1, line: (lines.last.map(Array.init) ?? []) + [UInt8(ascii: "\n")])
    // In the middle of a reflog the first line is cut.
    let isCut = start > 0 && start != position?.offset
    return (lines.dropFirst(isCut ? 1 : 0).compactMap { ReflogEntry(line: $0) }, end)
  }
}

extension ReflogEntry {
  fileprivate init?(line: ArraySlice<UInt8>) {
    guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else { return nil }
    let words = line[..<tab].split(separator: UInt8(ascii: " "), maxSplits: 2)
    guard words.count == 3, let old = ObjectID(hex: String(decoding: words[0], as: UTF8.self)),
      let new = ObjectID(hex: String(decoding: words[1], as: UTF8.self))
    else { return nil }
    self.init(
      old: old == .zero ? nil : old, new: new == .zero ? nil : new,
      message: String(decoding: line[(tab + 1)...], as: UTF8.self))
  }
}

extension Descriptor {
  /// The bytes of a part of the file, as far as it has them.
  fileprivate func read(from start: Int, to end: Int, _ operation: String) throws(GitError) -> [UInt8] {
    guard lseek(number, off_t(start), SEEK_SET) == off_t(start) else { throw GitError.system(errno, operation) }
    var failure: GitError?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: max(0, end - start)) { buffer, count in
      do throws(GitError) {
        count = try unsafe read(into: UnsafeMutableRawBufferPointer(buffer), operation)
      } catch {
        count = 0
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
