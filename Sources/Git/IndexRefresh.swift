/// The bytes of an index after a commit that did not come from it: what `git commit -- path` would leave.
///
/// Why the index has to follow: git compares it with HEAD. An index that still holds the parent's entry shows the new
/// commit as a staged reversal, and the next `git commit` of a person, whose tree is made from the index, takes the
/// committed records back out of HEAD. So an entry moves on if it says nothing of its own, that is, if it equals the
/// parent's; an entry that a person staged stays, as does everything that is not ours.
///
/// The file is edited as bytes, not through the library, which would drop the extensions that it does not know and
/// rewrite every entry. Untouched entries keep their bytes, flags and `stat` data included. Of the extensions
/// (gitformat-index(5)):
/// - TREE (trees known for folders) loses the changed folders, or git would commit the old trees again;
/// - UNTR (untracked files) is marked as out of date, so that git lists anew;
/// - FSMN, EOIE and IEOT hold positions of entries, are optional, and are left out: git makes them again;
/// - REUC and unknown optional ones are kept; an unknown mandatory one, a split or a sparse index is not edited.
struct IndexRefresh {
  /// What became of an index.
  struct Result {
    /// Nil if nothing has to change.
    let bytes: [UInt8]?
    let refreshed: Int
    /// Entries that stay because a person has staged something else there.
    let kept: Int
  }

  /// The `stat` data of a file whose content is known to be that of its entry. All zero makes git look for itself.
  struct Status {
    var changed = FileTime(seconds: 0, nanoseconds: 0)
    var modified = FileTime(seconds: 0, nanoseconds: 0)
    var device: UInt32 = 0
    var inode: UInt32 = 0
    var user: UInt32 = 0
    var group: UInt32 = 0
    var size: UInt32 = 0
  }

  private enum Edit {
    /// In place of `count` entries at the position, which is one or none.
    case put(at: Int, count: Int, TreeEntry)
    case remove(at: Int)

    var position: Int {
      switch self {
      case .put(let position, _, _), .remove(let position): position
      }
    }
  }

  private let index: IndexFile
  private var edits: [Edit] = []
  private var kept = 0

  /// The bytes of an index without entries.
  static let empty: [UInt8] = {
    let header = Array("DIRC".utf8) + [0, 0, 0, 2, 0, 0, 0, 0]
    return header + SHA1.hash(header)
  }()

  /// Works out what to do for `changes` from a parent to its commit, sorted by path. `status` gives the `stat` data of
  /// a file; nil if its content is not, or is not known to be, that of the entry.
  ///
  /// Nil if the index is of a form that cannot be edited.
  static func apply(_ changes: [TreeChange], to bytes: [UInt8], status: (TreeEntry) -> Status?) -> Result? {
    guard let index = IndexFile(bytes, below: .root) else { return nil }
    var refresh = IndexRefresh(index: index)
    refresh.plan(changes)
    guard !refresh.edits.isEmpty else { return Result(bytes: nil, refreshed: 0, kept: refresh.kept) }
    guard let result = refresh.encoded(status) else { return nil }
    return Result(bytes: result, refreshed: refresh.edits.count, kept: refresh.kept)
  }

  private init(index: IndexFile) {
    self.index = index
  }

  // MARK: - Which entries

  private mutating func plan(_ changes: [TreeChange]) {
    let gone = Set(changes.filter { $0.new == nil }.map(\.path))
    for change in changes {
      let position = index.lowerBound(of: change.path)
      guard position < index.count, index.compare(position, change.path) == 0 else {
        // Staged for deletion, unless it was not in the parent either.
        guard let new = change.new else { continue }
        if change.old == nil, !hasObstacle(change.path, gone) {
          edits.append(.put(at: position, count: 0, new))
        } else {
          kept += 1
        }
        continue
      }
      let entry = index.entry(at: position)
      // `git add -N` says only that a file will be added.
      let isUnsaid = entry.isIntentToAdd && change.old == nil
      let mode = FileMode(rawMode: entry.mode)
      let isParents = entry.stage == 0 && entry.id == change.old?.id && mode == change.old?.mode
      if entry.stage == 0, !entry.isIntentToAdd, entry.id == change.new?.id, mode == change.new?.mode { continue }
      guard entry.stage == 0, isUnsaid || isParents else {
        kept += 1
        continue
      }
      edits.append(change.new.map { .put(at: position, count: 1, $0) } ?? .remove(at: position))
    }
  }

  /// True if the index has a file where the path needs a folder, or files below the path.
  private func hasObstacle(_ path: GitPath, _ gone: Set<GitPath>) -> Bool {
    var ancestor = path.parent
    while let folder = ancestor, !folder.isRoot {
      let position = index.lowerBound(of: folder)
      if position < index.count, index.compare(position, folder) == 0, !gone.contains(folder) { return true }
      ancestor = folder.parent
    }
    let below = GitPath(path.bytes + [GitPath.separator])
    var position = index.lowerBound(of: below)
    while position < index.count, index.path(at: position).starts(with: below.bytes) {
      if !gone.contains(GitPath(Array(index.path(at: position)))) { return true }
      position += 1
    }
    return false
  }

  // MARK: - Bytes

  private func encoded(_ status: (TreeEntry) -> Status?) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(index.bytes.count + edits.count * 160)
    output.append(contentsOf: index.bytes[0..<8])
    var count = index.count
    for edit in edits {
      switch edit {
      case .put(_, let replaced, _): count += 1 - replaced
      case .remove: count -= 1
      }
    }
    guard let count = UInt32(exactly: count) else { return nil }
    IndexRefresh.append(count, to: &output)
    // The path before the next entry, in the input and in the output; they decide how version 4 stores a path.
    var next = 0
    var last: ArraySlice<UInt8> = []
    for edit in edits {
      copy(next..<edit.position, after: &last, to: &output)
      next = edit.position
      switch edit {
      case .put(let position, let replaced, let entry):
        let flags = replaced == 1 ? keptFlags(at: position) : (0, 0)
        append(entry, status(entry) ?? Status(), flags: flags, after: last, to: &output)
        last = entry.path.bytes[...]
        next += replaced
      case .remove:
        next += 1
      }
    }
    copy(next..<index.count, after: &last, to: &output)
    guard appendExtensions(to: &output) else { return nil }
    output.append(contentsOf: SHA1.hash(output))
    return output
  }

  /// Copies entries; in version 4 the first is stored anew if another path now precedes it.
  private func copy(_ positions: Range<Int>, after last: inout ArraySlice<UInt8>, to output: inout [UInt8]) {
    guard !positions.isEmpty else { return }
    var start = positions.lowerBound
    if index.isCompressed {
      let before = start == 0 ? [] : index.path(at: start - 1)
      if !before.elementsEqual(last) {
        let offset = index.offset(at: start)
        output.append(contentsOf: index.bytes[offset..<(offset + headerSize(at: start))])
        appendCompressed(index.path(at: start), after: last, to: &output)
        start += 1
      }
    }
    if start < positions.upperBound {
      let end = positions.upperBound < index.count ? index.offset(at: positions.upperBound) : index.entriesEnd
      output.append(contentsOf: index.bytes[index.offset(at: start)..<end])
    }
    last = index.path(at: positions.upperBound - 1)
  }

  private func headerSize(at position: Int) -> Int {
    let flags = IndexFile.half(index.bytes, at: index.offset(at: position) + IndexFile.Field.flags)
    return IndexFile.Field.extendedFlags + (flags & IndexFile.Flag.isExtended != 0 ? 2 : 0)
  }

  /// "Assume unchanged" and "skip working tree" are a person's choice for the path, not for its content.
  private func keptFlags(at position: Int) -> (UInt16, UInt16) {
    let offset = index.offset(at: position)
    let flags = IndexFile.half(index.bytes, at: offset + IndexFile.Field.flags)
    let isExtended = flags & IndexFile.Flag.isExtended != 0
    let extended = isExtended ? IndexFile.half(index.bytes, at: offset + IndexFile.Field.extendedFlags) : 0
    return (flags & IndexFile.Flag.assumesUnchanged, extended & IndexFile.Flag.isSkipWorktree)
  }

  private func append(
    _ entry: TreeEntry, _ status: Status, flags: (basic: UInt16, extended: UInt16), after last: ArraySlice<UInt8>,
    to output: inout [UInt8]
  ) {
    let start = output.count
    let numbers: [UInt32] = [
      UInt32(truncatingIfNeeded: status.changed.seconds), UInt32(truncatingIfNeeded: status.changed.nanoseconds),
      UInt32(truncatingIfNeeded: status.modified.seconds), UInt32(truncatingIfNeeded: status.modified.nanoseconds),
      status.device, status.inode, entry.mode.rawMode, status.user, status.group, status.size,
    ]
    for number in numbers { IndexRefresh.append(number, to: &output) }
    entry.id.append(to: &output)
    let length = UInt16(min(entry.path.bytes.count, Int(IndexFile.Flag.lengthMask)))
    let extended = flags.extended != 0 ? IndexFile.Flag.isExtended : 0
    IndexRefresh.append(half: flags.basic | extended | length, to: &output)
    if flags.extended != 0 { IndexRefresh.append(half: flags.extended, to: &output) }
    if index.isCompressed {
      appendCompressed(entry.path.bytes[...], after: last, to: &output)
      return
    }
    output.append(contentsOf: entry.path.bytes)
    // One to eight NULs, to a multiple of eight bytes.
    repeat { output.append(0) } while (output.count - start) % 8 != 0
  }

  /// Version 4: how many bytes to take off the previous path, the rest, a NUL.
  private func appendCompressed(
    _ path: ArraySlice<UInt8>, after last: ArraySlice<UInt8>, to output: inout [UInt8]
  ) {
    let common = zip(path, last).prefix { $0 == $1 }.count
    // git's offset encoding, from the last group of seven bits to the first: see `IndexFile.decompress`.
    var value = last.count - common
    var groups = [UInt8(value & 0x7f)]
    value >>= 7
    while value > 0 {
      value -= 1
      groups.append(UInt8(value & 0x7f) | 0x80)
      value >>= 7
    }
    output.append(contentsOf: groups.reversed())
    output.append(contentsOf: path.dropFirst(common))
    output.append(0)
  }

  static func append(_ number: UInt32, to output: inout [UInt8]) {
    append(half: UInt16(truncatingIfNeeded: number >> 16), to: &output)
    append(half: UInt16(truncatingIfNeeded: number), to: &output)
  }

  private static func append(half: UInt16, to output: inout [UInt8]) {
    output.append(UInt8(truncatingIfNeeded: half >> 8))
    output.append(UInt8(truncatingIfNeeded: half))
  }

  // MARK: - Extensions

  /// False if one of them forbids the edit.
  private func appendExtensions(to output: inout [UInt8]) -> Bool {
    let bytes = index.bytes
    let end = bytes.count - ObjectID.byteCount
    var offset = index.entriesEnd
    while offset + 8 <= end {
      let name = String(decoding: bytes[offset..<(offset + 4)], as: UTF8.self)
      let start = offset + 8
      offset = start + Int(IndexFile.number(bytes, at: offset + 4))
      // `IndexFile` has checked that they end where the checksum begins.
      guard offset <= end else { return false }
      let content = Array(bytes[start..<offset])
      let kept: [UInt8]?
      switch name {
      case "TREE": kept = CachedTrees.removing(changedFolders, from: content)
      case "UNTR": kept = IndexRefresh.outdated(untracked: content)
      case "FSMN", "EOIE", "IEOT": kept = nil
      default:
        // A lower-case letter means that a reader must know it.
        guard let first = name.utf8.first, (0x41...0x5a).contains(first) else { return false }
        kept = content
      }
      guard let kept else { continue }
      output.append(contentsOf: name.utf8)
      IndexRefresh.append(UInt32(truncatingIfNeeded: kept.count), to: &output)
      output.append(contentsOf: kept)
    }
    return true
  }

  private var changedFolders: Set<GitPath> {
    var folders: Set<GitPath> = [.root]
    for edit in edits {
      let path: GitPath
      switch edit {
      case .put(_, _, let entry): path = entry.path
      case .remove(let position): path = GitPath(Array(index.path(at: position)))
      }
      var folder = path.parent
      while let next = folder, folders.insert(next).inserted { folder = next.parent }
    }
    return folders
  }

  /// The cache of untracked files with another id for `info/exclude`: git compares it, and drops what it has cached.
  /// Nil, which leaves the cache out, if it is not of the known form.
  private static func outdated(untracked content: [UInt8]) -> [UInt8]? {
    var content = content
    var position = 0
    var length = 0
    while true {
      guard position < content.count, position < 5 else { return nil }
      let byte = content[position]
      length = (position == 0 ? 0 : (length + 1) << 7) | Int(byte & 0x7f)
      position += 1
      if byte & 0x80 == 0 { break }
    }
    // The environment's name, two blocks of `stat` data, flags.
    let start = position + length + 36 + 36 + 4
    guard start + ObjectID.byteCount <= content.count else { return nil }
    for index in start..<(start + ObjectID.byteCount) { content[index] ^= 0xff }
    return content
  }
}
