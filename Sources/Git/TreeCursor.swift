internal import Glibc

/// Steps through one tree object, which it keeps alive.
///
/// The format of an entry is `mode SP name NUL id`: octal digits, bytes without `/` and NUL, 20 bytes. Entries are
/// sorted by name, a folder's name as if it ended in `/`. Everything read is checked, the order included,
/// because the walks and merges above depend on it and the library does not verify it.
///
/// `@safe`: `position` stays inside the bytes of `data`, which lives as long as the cursor.
@safe struct TreeCursor: ~Copyable {
  private let data: ObjectData?
  private let tree: ObjectID
  private var position: UnsafeRawPointer?
  /// Where the bytes of `entry` begin; they end at `position`.
  private var entryStart: UnsafeRawPointer?
  private var remaining: Int
  /// The entry that `advance` reached last; nil at the end. Its name must not outlive the cursor.
  private(set) var entry: RawTreeEntry?

  /// Stands on the first entry. `tree` is for error messages.
  init(_ data: consuming ObjectData, of tree: ObjectID) throws(GitError) {
    self.tree = tree
    let bytes = unsafe data.bytes
    unsafe position = bytes.baseAddress
    unsafe entryStart = bytes.baseAddress
    remaining = bytes.count
    self.data = consume data
    try advance()
  }

  /// A tree without entries.
  init() {
    data = nil
    tree = .emptyTree
    unsafe position = nil
    unsafe entryStart = nil
    remaining = 0
    entry = nil
  }

  /// Moves to the next entry. Throws `.corrupt` for bytes that git would not have written.
  mutating func advance() throws(GitError) {
    guard remaining > 0, let start = unsafe position else {
      entry = nil
      return
    }
    var rawMode: UInt32 = 0
    var offset = 0
    while true {
      // Six digits at most: a longer mode is not git's, and would overflow.
      guard offset < remaining, offset <= 6 else { throw malformed("a mode without end") }
      let byte = unsafe start.load(fromByteOffset: offset, as: UInt8.self)
      offset += 1
      if byte == UInt8(ascii: " ") { break }
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "7") else { throw malformed("a mode that is not octal") }
      rawMode = rawMode << 3 | UInt32(byte - UInt8(ascii: "0"))
    }
    let name = unsafe start + offset
    guard let end = unsafe memchr(name, 0, remaining - offset) else { throw malformed("a name without end") }
    let length = unsafe UnsafeRawPointer(end) - name
    let total = offset + length + 1 + ObjectID.byteCount
    guard total <= remaining else { throw malformed("a cut entry") }
    guard let mode = FileMode(rawMode: rawMode) else { throw malformed("an unknown mode") }
    let next = unsafe RawTreeEntry(
      rawMode: rawMode, mode: mode, name: UnsafeRawBufferPointer(start: name, count: length),
      id: ObjectID(readingFrom: name + length + 1))
    guard next.hasUsableName else { throw malformed("a name that no file can have") }
    if let previous = entry, !previous.precedes(next) { throw malformed("entries out of order") }
    entry = next
    unsafe entryStart = unsafe start
    unsafe position = unsafe start + total
    remaining -= total
  }

  /// The bytes of `entry` as they are stored, an old spelling of the mode included. They must not outlive the cursor.
  @unsafe var encodedEntry: UnsafeRawBufferPointer {
    guard entry != nil, let start = unsafe entryStart, let end = unsafe position else {
      return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return unsafe UnsafeRawBufferPointer(start: start, count: end - start)
  }

  private borrowing func malformed(_ what: String) -> GitError {
    GitError(.corrupt, operation: "read tree \(tree)", message: "the tree holds \(what)")
  }
}

extension ObjectDatabase {
  /// A cursor over the tree `id`; over nothing for nil. Throws `.missingObject` or `.corrupt`.
  borrowing func tree(_ id: ObjectID?) throws(GitError) -> TreeCursor {
    // Git knows the empty tree even where no such object was ever written.
    guard let id, id != .emptyTree else { return TreeCursor() }
    return try TreeCursor(read(id, type: .tree), of: id)
  }
}
