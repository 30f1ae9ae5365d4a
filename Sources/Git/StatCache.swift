/// What git's index remembers of each file: the id of its content, and the `stat` data it had then.
///
/// The file is parsed here, not by the library, which would allocate each entry, hash the whole file, sort by
/// `core.ignoreCase`, and refuse an index that is split or sparse. The index is only a cache, is never locked or
/// written, and is ignored as a whole if anything about it is unexpected: every file is then hashed.
///
/// Its checksum is not verified, as git does not. A damaged `stat` field causes a hash that was not needed; a damaged
/// id names an object that does not exist, which a reader notices.
struct StatCache {
  /// What matched: the content's id, and the mode for file systems that do not keep one.
  struct Match {
    let id: ObjectID
    let mode: FileMode
    /// True if the file has not changed since its id was computed.
    let isCurrent: Bool
  }

  private let index: IndexFile?
  private let written: FileTime
  /// All entries before this one sort before the path that was asked for last.
  private var position = 0

  /// Reads what the index at `path` (without NUL) knows of `folder` and everything below it.
  init(path: [UInt8], folder: GitPath) {
    self.init(CheckoutIndex(at: path, below: folder))
  }

  init(_ index: CheckoutIndex) {
    self.index = index.file
    written = index.written
  }

  /// True if any tracked file, anywhere, is named `.gitattributes`, or may be.
  var holdsAttributes: Bool { index?.mayHoldAttributes ?? false }

  /// The commit that the index records for a submodule at `path`; nil if there is none.
  func submodule(at path: GitPath) -> ObjectID? {
    guard let index, let position = index.position(of: path) else { return nil }
    let entry = index.entry(at: position)
    return FileMode(rawMode: entry.mode) == .submodule ? entry.id : nil
  }

  /// Whether the index tracks any file below a folder.
  func tracksFiles(below folder: GitPath) -> Bool {
    index.map { !$0.positions(below: folder).isEmpty || $0.folder(around: GitPath(folder.bytes + [GitPath.separator])) != nil }
      ?? false
  }

  /// What the index has for a file. Paths must be asked for in ascending order of bytes.
  mutating func match(_ path: GitPath, _ status: FileStatus) -> Match? {
    guard let index else { return nil }
    while position < index.count {
      let order = index.compare(position, path)
      if order > 0 { return nil }
      if order == 0 { break }
      position += 1
    }
    guard position < index.count else { return nil }
    let entry = index.entry(at: position)
    // While a merge has conflicts, a path has up to three entries, and none is the file's.
    guard entry.stage == 0, let mode = FileMode(rawMode: entry.mode) else { return nil }
    return Match(id: entry.id, mode: mode, isCurrent: isCurrent(entry, status))
  }

  private func isCurrent(_ entry: IndexFile.Entry, _ status: FileStatus) -> Bool {
    // `git add -N` gives the entry the id of an empty file, which says nothing about this one.
    if entry.isIntentToAdd { return false }
    // The index keeps 32 bits of each number. The device number is left out, as git does: it changes across mounts.
    guard entry.modified == status.modified, entry.changed == status.changed,
      entry.size == UInt32(truncatingIfNeeded: status.size), entry.inode == UInt32(truncatingIfNeeded: status.inode),
      entry.mode & IndexFile.typeMask == status.mode & IndexFile.typeMask
    else { return false }
    // Written in the same tick of the clock as the index, or later: it may have changed after it was hashed.
    guard entry.modified < written && entry.changed < written else { return false }
    // Git marks an entry that it knows to be uncertain by a size of zero.
    return entry.size != 0 || entry.id == .emptyBlob
  }
}
