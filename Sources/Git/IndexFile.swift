/// The bytes of one index file, and where its entries are: those of one folder and everything below it, by path.
///
/// Format: gitformat-index(5), versions 2 to 4, big-endian. Every offset is checked once, in `init`. The main file of a
/// split index begins with entries that have no name; `SplitIndex` makes one file of it and its shared part.
struct IndexFile: Sendable {
  /// The fields of one entry that matter here, as stored.
  struct Entry {
    let changed: FileTime
    let modified: FileTime
    let inode: UInt32
    let mode: UInt32
    let user: UInt32
    let group: UInt32
    let size: UInt32
    let id: ObjectID
    /// 0, or 1 to 3 for the sides of a conflict.
    let stage: UInt16
    let isIntentToAdd: Bool
    /// The file is left out of a sparse checkout: its absence from the working tree means nothing.
    let isSkipWorktree: Bool
    /// A person promised not to change the file.
    let isAssumedUnchanged: Bool

    /// True for an entry that stands for everything in a folder: its id is a tree's, and its path ends in `/`.
    var isFolder: Bool { mode & IndexFile.typeMask == IndexFile.folderType }
  }

  /// Where one entry is in `bytes`, and its path in `bytes` or, for the compressed paths of version 4, in `paths`.
  private struct Record {
    let offset: Int
    let path: Range<Int>
  }

  /// What follows the entries: a name of four bytes, and where its content is in `bytes`.
  struct Extension {
    let name: String
    let content: Range<Int>
  }

  let bytes: [UInt8]
  private var paths: [UInt8] = []
  let version: UInt32
  private var records: [Record] = []
  /// Where the entries of the whole index end, and its extensions begin.
  private(set) var entriesEnd = 12
  /// In the order of the file.
  private(set) var extensions: [Extension] = []
  /// How many entries at the start have no name.
  private(set) var namelessCount = 0

  /// True if any tracked file, also outside of the folder, is named `.gitattributes`, or could be: in a folder of which
  /// only the tree is known, if that is in, or around, the folder asked for.
  private(set) var mayHoldAttributes = false
  /// True if any entry of the whole index stands for a folder.
  private(set) var isSparse = false

  /// Reads the entries at `folder` and below it; all are checked.
  ///
  /// Throws for anything that is not an index of a known version in order, or that has an extension which a reader must
  /// know and this one does not.
  init(_ bytes: [UInt8], below folder: GitPath) throws(UnreadableIndex) {
    // A checksum ends the file.
    let end = bytes.count - ObjectID.byteCount
    guard end >= 12, bytes.starts(with: "DIRC".utf8) else { throw UnreadableIndex("it is not an index") }
    version = IndexFile.number(bytes, at: 4)
    guard (2...4).contains(version) else { throw UnreadableIndex("its version is \(version)") }
    self.bytes = bytes
    let attributes = Array(".gitattributes".utf8)
    var offset = 12
    var previous = 0..<0
    var previousStage: UInt16 = 0
    for number in 0..<IndexFile.number(bytes, at: 8) {
      let start = offset
      guard let next = path(at: start, end: end, previous: previous) else {
        throw UnreadableIndex("its entry \(number + 1) is damaged")
      }
      let path = next.path
      offset = next.end
      let stage = (IndexFile.half(bytes, at: start + Field.flags) & Flag.stageMask) >> 12
      if path.isEmpty {
        guard namelessCount == Int(number) else { throw UnreadableIndex("its entry \(number + 1) has no name") }
        namelessCount += 1
      } else {
        // The stages of a conflict have equal paths.
        let order = number == 0 ? -1 : order(previous, path)
        guard order < 0 || order == 0 && previousStage > 0 && previousStage < stage else {
          throw UnreadableIndex("its entry \(number + 1) is out of order")
        }
      }
      previous = path
      previousStage = stage
      let isFolder = IndexFile.number(bytes, at: start + Field.mode) & IndexFile.typeMask == IndexFile.folderType
      if isFolder {
        guard stage == 0, path.count > 1, source[path.upperBound - 1] == GitPath.separator else {
          throw UnreadableIndex("its entry \(number + 1) is damaged")
        }
        isSparse = true
        if isAround(path, folder) {
          // What it says of the folder, it says for all of it.
          mayHoldAttributes = true
          records.append(Record(offset: start, path: path))
          continue
        }
        if isInside(path, folder) { mayHoldAttributes = true }
      }
      if !mayHoldAttributes { mayHoldAttributes = isNamed(attributes, path) }
      if isInside(path, folder) { records.append(Record(offset: start, path: path)) }
    }
    entriesEnd = offset
    try readExtensions(end: end)
  }

  /// Every extension ends where the next begins, and the last one where the checksum does.
  private mutating func readExtensions(end: Int) throws(UnreadableIndex) {
    var offset = entriesEnd
    while offset + 8 <= end {
      let name = String(decoding: bytes[offset..<(offset + 4)], as: UTF8.self)
      let content = (offset + 8)..<(offset + 8 + Int(IndexFile.number(bytes, at: offset + 4)))
      guard content.upperBound <= end else { break }
      // A lower-case letter means that a reader must know it.
      let isOptional = (0x41...0x5a).contains(bytes[offset])
      guard isOptional || name == "link" || name == "sdir" else {
        throw UnreadableIndex("it has the extension \(String(reflecting: name)), which is not known here")
      }
      extensions.append(Extension(name: name, content: content))
      offset = content.upperBound
    }
    guard offset == end else { throw UnreadableIndex("its extensions are damaged") }
    guard !isSparse || extensions.contains(where: { $0.name == "sdir" }) else {
      throw UnreadableIndex("it has folders as entries and does not say so")
    }
    guard namelessCount == 0 || isLinked else {
      throw UnreadableIndex("it has entries without a name")
    }
  }

  /// The number of entries below the folder.
  var count: Int { records.count }

  /// True if it names a shared part: see `SplitIndex`.
  var isLinked: Bool { extensions.contains { $0.name == "link" } }

  /// True for version 4, whose paths are stored as differences.
  var isCompressed: Bool { version == 4 }

  /// What the ranges of paths are in.
  private var source: [UInt8] { isCompressed ? paths : bytes }

  /// False if the checksum is not that of the bytes. All zeros mean that there is none (`index.skipHash`).
  var isSound: Bool {
    let end = bytes.count - ObjectID.byteCount
    let checksum = bytes[end...]
    return checksum.allSatisfy { $0 == 0 } || checksum.elementsEqual(SHA1.hash(bytes[..<end]))
  }

  /// Negative, zero or positive as the entry at `position` sorts before, at or after `path`.
  func compare(_ position: Int, _ path: GitPath) -> Int {
    let range = records[position].path
    return unsafe source.withUnsafeBytes { source in
      unsafe path.bytes.withUnsafeBytes { path in
        unsafe compareBytes(UnsafeRawBufferPointer(rebasing: source[range]), path)
      }
    }
  }

  func entry(at position: Int) -> Entry {
    let offset = records[position].offset
    let flags = IndexFile.half(bytes, at: offset + Field.flags)
    let extended = flags & Flag.isExtended != 0 ? IndexFile.half(bytes, at: offset + Field.extendedFlags) : 0
    return Entry(
      changed: time(at: offset + Field.changed), modified: time(at: offset + Field.modified),
      inode: IndexFile.number(bytes, at: offset + Field.inode), mode: IndexFile.number(bytes, at: offset + Field.mode),
      user: IndexFile.number(bytes, at: offset + Field.user), group: IndexFile.number(bytes, at: offset + Field.group),
      size: IndexFile.number(bytes, at: offset + Field.size), id: IndexFile.id(bytes, at: offset + Field.id),
      stage: (flags & Flag.stageMask) >> 12, isIntentToAdd: extended & Flag.isIntentToAdd != 0,
      isSkipWorktree: extended & Flag.isSkipWorktree != 0, isAssumedUnchanged: flags & Flag.assumesUnchanged != 0)
  }

  /// When the file of the entry at `position` was written, as the entry says.
  func modified(at position: Int) -> FileTime { time(at: records[position].offset + Field.modified) }

  /// Where the entry at `position` begins in `bytes`.
  func offset(at position: Int) -> Int { records[position].offset }

  /// Everything that is stored of the entry at `position` before its path.
  func header(at position: Int) -> ArraySlice<UInt8> {
    let offset = records[position].offset
    return bytes[offset..<(offset + IndexFile.headerSize(bytes, at: offset))]
  }

  /// The path of the entry at `position`. That of a folder ends in `/`.
  func path(at position: Int) -> ArraySlice<UInt8> {
    source[records[position].path]
  }

  /// The first position whose path is `path` or sorts after it; `count` if there is none.
  func lowerBound(of path: GitPath) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = low + (high - low) / 2
      if compare(middle, path) < 0 { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The position of the entry for exactly `path`, its first stage; nil if there is none.
  func position(of path: GitPath) -> Int? {
    let position = lowerBound(of: path)
    return position < count && compare(position, path) == 0 ? position : nil
  }

  /// The positions of what lies below a folder, without an entry for the folder as a file.
  func positions(below folder: GitPath) -> Range<Int> {
    guard !folder.isRoot else { return 0..<count }
    let start = lowerBound(of: GitPath(folder.bytes + [GitPath.separator]))
    // No path sorts between the last one below the folder and this.
    return start..<lowerBound(of: GitPath(folder.bytes + [GitPath.separator + 1]))
  }

  /// The position of the entry that stands for a folder in which `path` lies; nil if the index has an entry for each of
  /// the files there.
  func folder(around path: GitPath) -> Int? {
    guard isSparse else { return nil }
    for (index, byte) in path.bytes.enumerated() where byte == GitPath.separator {
      if let position = position(of: GitPath(Array(path.bytes[...index]))) { return position }
    }
    return nil
  }
}

// MARK: - Fields

extension IndexFile {
  /// Offsets in an entry.
  enum Field {
    static let changed = 0
    static let modified = 8
    static let inode = 20
    static let mode = 24
    static let user = 28
    static let group = 32
    static let size = 36
    static let id = 40
    static let flags = 60
    static let extendedFlags = 62
  }

  enum Flag {
    static let assumesUnchanged: UInt16 = 0x8000
    static let isExtended: UInt16 = 0x4000
    static let stageMask: UInt16 = 0x3000
    static let lengthMask: UInt16 = 0x0fff
    static let isIntentToAdd: UInt16 = 0x2000
    static let isSkipWorktree: UInt16 = 0x4000
  }

  /// The part of a mode that says what an entry is.
  static let typeMask: UInt32 = 0o170000
  static let folderType: UInt32 = 0o040000

  static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    UInt32(half(bytes, at: offset)) << 16 | UInt32(half(bytes, at: offset + 2))
  }

  static func half(_ bytes: [UInt8], at offset: Int) -> UInt16 {
    UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
  }

  static func id(_ bytes: [UInt8], at offset: Int) -> ObjectID {
    unsafe bytes[offset..<(offset + ObjectID.byteCount)].withUnsafeBytes { id in
      guard let base = id.baseAddress else { return .zero }
      return unsafe ObjectID(readingFrom: base)
    }
  }

  /// How many bytes of the entry at `offset` come before its path.
  private static func headerSize(_ bytes: [UInt8], at offset: Int) -> Int {
    half(bytes, at: offset + Field.flags) & Flag.isExtended != 0 ? Field.extendedFlags + 2 : Field.extendedFlags
  }

  /// Seconds are stored in 32 bits, read as unsigned: git does, and so the year 2038 passes.
  private func time(at offset: Int) -> FileTime {
    FileTime(
      seconds: Int64(IndexFile.number(bytes, at: offset)),
      nanoseconds: Int64(IndexFile.number(bytes, at: offset + 4)))
  }
}

// MARK: - Paths

extension IndexFile {
  /// The path of the entry at `start`, and where the entry ends; nil if it is malformed.
  private mutating func path(at start: Int, end: Int, previous: Range<Int>) -> (path: Range<Int>, end: Int)? {
    guard start + Field.extendedFlags + 2 <= end else { return nil }
    let flags = IndexFile.half(bytes, at: start + Field.flags)
    // Git does not read an entry with a flag that it does not know.
    if flags & Flag.isExtended != 0,
      IndexFile.half(bytes, at: start + Field.extendedFlags) & ~(Flag.isIntentToAdd | Flag.isSkipWorktree) != 0
    {
      return nil
    }
    let pathStart = start + IndexFile.headerSize(bytes, at: start)
    if isCompressed { return decompress(at: pathStart, end: end, previous: previous) }
    let hint = Int(flags & Flag.lengthMask)
    guard let nul = IndexFile.terminator(bytes, from: pathStart, hint: hint, end: end) else { return nil }
    // One to eight NULs, to a multiple of eight bytes.
    return (pathStart..<nul, start + (nul - start + 8) & ~7)
  }

  /// Negative, zero or positive as the one path sorts before, with or after the other.
  private func order(_ left: Range<Int>, _ right: Range<Int>) -> Int {
    unsafe source.withUnsafeBytes { source in
      unsafe compareBytes(
        UnsafeRawBufferPointer(rebasing: source[left]), UnsafeRawBufferPointer(rebasing: source[right]))
    }
  }

  private func isNamed(_ name: [UInt8], _ path: Range<Int>) -> Bool {
    guard path.count >= name.count else { return false }
    let start = path.upperBound - name.count
    guard source[start] == name.first, start == path.lowerBound || source[start - 1] == GitPath.separator else {
      return false
    }
    return source[start..<path.upperBound].elementsEqual(name)
  }

  private func isInside(_ path: Range<Int>, _ folder: GitPath) -> Bool {
    if folder.isRoot { return true }
    let length = folder.bytes.count
    guard path.count >= length, source[path.lowerBound..<(path.lowerBound + length)].elementsEqual(folder.bytes) else {
      return false
    }
    return path.count == length || source[path.lowerBound + length] == GitPath.separator
  }

  /// True if `path`, which ends in `/`, is a folder in which `folder` lies.
  private func isAround(_ path: Range<Int>, _ folder: GitPath) -> Bool {
    folder.bytes.starts(with: source[path])
  }

  /// The position of the NUL after a path; `hint` is the path's length unless that is 0xfff or more.
  private static func terminator(_ bytes: [UInt8], from start: Int, hint: Int, end: Int) -> Int? {
    if hint < Int(Flag.lengthMask) {
      return start + hint < end && bytes[start + hint] == 0 ? start + hint : nil
    }
    guard start < end else { return nil }
    return bytes[start..<end].firstIndex(of: 0)
  }

  /// Version 4: how many bytes to take off the previous path, then what to add, then a NUL and no padding.
  private mutating func decompress(
    at start: Int, end: Int, previous: Range<Int>
  ) -> (path: Range<Int>, end: Int)? {
    guard let strip = OffsetEncoding.decode(bytes[start..<end]), strip.value <= previous.count,
      let nul = bytes[strip.end..<end].firstIndex(of: 0)
    else { return nil }
    let pathStart = paths.count
    // One by one: a slice of the array would be a second reference to it, and cost a copy of all paths.
    for index in previous.lowerBound..<(previous.upperBound - strip.value) { paths.append(paths[index]) }
    paths.append(contentsOf: bytes[strip.end..<nul])
    return (pathStart..<paths.count, nul + 1)
  }
}
