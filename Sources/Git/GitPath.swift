/// A path inside a repository: bytes, with `/` between components and none at either end.
///
/// Git stores bytes, not text. `String` equality is Unicode-canonical, so two files whose names differ only in
/// normalisation would collapse into one; here they stay two. The order is that of the bytes, which is the
/// order of `git ls-tree -r` and of `ORDER BY path COLLATE "C"`.
///
/// The empty path is the root of the repository.
package struct GitPath: Hashable, Comparable, Sendable {
  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The UTF-8 bytes of `text`, exactly as they are.
  package init(_ text: String) {
    bytes = Array(text.utf8)
  }

  /// The top of the tree.
  package static let root = GitPath([])

  package var isRoot: Bool { bytes.isEmpty }

  /// The bytes after the last `/`.
  package var lastComponent: ArraySlice<UInt8> {
    guard let slash = bytes.lastIndex(of: GitPath.separator) else { return bytes[...] }
    return bytes[(slash + 1)...]
  }

  /// The path of the folder that holds this one; nil for the root.
  package var parent: GitPath? {
    guard !isRoot else { return nil }
    guard let slash = bytes.lastIndex(of: GitPath.separator) else { return .root }
    return GitPath(Array(bytes[..<slash]))
  }

  /// The components from the top down; empty for the root. Empty components are kept, so that a malformed path
  /// is seen as such.
  package var components: [ArraySlice<UInt8>] {
    guard !isRoot else { return [] }
    return bytes.split(separator: GitPath.separator, omittingEmptySubsequences: false)
  }

  /// Appends `name` below this path.
  package func appending(_ name: some Collection<UInt8>) -> GitPath {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + 1 + name.count)
    result.append(contentsOf: bytes)
    if !result.isEmpty { result.append(GitPath.separator) }
    result.append(contentsOf: name)
    return GitPath(result)
  }

  /// True if this path is `folder` or lies below it. Every path lies below the root.
  package func isInside(_ folder: GitPath) -> Bool {
    if folder.isRoot { return true }
    guard bytes.starts(with: folder.bytes) else { return false }
    return bytes.count == folder.bytes.count || bytes[folder.bytes.count] == GitPath.separator
  }

  /// True if every component could name a file: none is empty, `.` or `..`, and no byte is NUL.
  ///
  /// True for the root. A path from a user is checked with this before it is looked up anywhere.
  package var isWellFormed: Bool {
    if isRoot { return true }
    // The length of the component so far, and whether it has only dots: one pass, since walks check every path.
    var length = 0
    var isDots = true
    for byte in bytes {
      switch byte {
      case 0: return false
      case GitPath.separator:
        if length == 0 || (isDots && length <= 2) { return false }
        length = 0
        isDots = true
      default:
        length += 1
        if byte != UInt8(ascii: ".") { isDots = false }
      }
    }
    return length > 0 && !(isDots && length <= 2)
  }

  package static let separator = UInt8(ascii: "/")

  package static func == (left: GitPath, right: GitPath) -> Bool {
    left.bytes == right.bytes
  }

  package static func < (left: GitPath, right: GitPath) -> Bool {
    unsafe left.bytes.withUnsafeBytes { left in
      unsafe right.bytes.withUnsafeBytes { right in unsafe compareBytes(left, right) < 0 }
    }
  }

  package func hash(into hasher: inout Hasher) {
    // Array's own conformance feeds one byte at a time.
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}

extension GitPath: CustomStringConvertible {
  /// The bytes read as UTF-8, for people; bytes that are not UTF-8 become U+FFFD, so this is not an identity.
  package var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension GitPath: ExpressibleByStringLiteral {
  package init(stringLiteral value: String) {
    self.init(value)
  }
}
