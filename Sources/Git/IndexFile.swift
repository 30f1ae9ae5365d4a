/// The bytes of git's index, and where its entries are: those of one folder and everything below it, by path.
///
/// Format: gitformat-index(5), versions 2 to 4, big-endian. Every offset is checked once, in `init`.
struct IndexFile {
  /// The fields of one entry that matter here, as stored.
  struct Entry {
    let changed: FileTime
    let modified: FileTime
    let inode: UInt32
    let mode: UInt32
    let size: UInt32
    let id: ObjectID
    /// 0, or 1 to 3 for the sides of a conflict.
    let stage: UInt16
    let isIntentToAdd: Bool
    /// The file is left out of a sparse checkout: its absence from the working tree means nothing.
    let isSkipWorktree: Bool
  }

  /// Where one entry is in `bytes`, and its path in `bytes` or, for the compressed paths of version 4, in `paths`.
  private struct Record {
    let offset: Int
    let path: Range<Int>
  }

  let bytes: [UInt8]
  private var paths: [UInt8] = []
  /// True for version 4, whose paths are stored as differences.
  let isCompressed: Bool
  private var records: [Record] = []
  /// Where the entries of the whole index end, and its extensions begin.
  private(set) var entriesEnd = 12

  /// True if any tracked file, also outside of the folder, is named `.gitattributes`.
  private(set) var holdsAttributes = false

  /// Nil for anything that is not an index of a known version in order, or that is split over two files.
  init?(_ bytes: [UInt8], below folder: GitPath) {
    // A checksum ends the file.
    let end = bytes.count - ObjectID.byteCount
    guard end >= 12, bytes.starts(with: "DIRC".utf8) else { return nil }
    let version = IndexFile.number(bytes, at: 4)
    guard (2...4).contains(version) else { return nil }
    self.bytes = bytes
    isCompressed = version == 4
    let attributes = Array(".gitattributes".utf8)
    var offset = 12
    var previous = 0..<0
    for _ in 0..<IndexFile.number(bytes, at: 8) {
      let start = offset
      guard start + Field.extendedFlags + 2 <= end else { return nil }
      let flags = IndexFile.half(bytes, at: start + Field.flags)
      let pathStart = start + (flags & Flag.isExtended != 0 ? Field.extendedFlags + 2 : Field.extendedFlags)
      let path: Range<Int>
      if isCompressed {
        guard let decoded = decompress(at: pathStart, end: end, previous: previous) else { return nil }
        path = decoded.path
        offset = decoded.next
      } else {
        let hint = Int(flags & Flag.lengthMask)
        guard let nul = IndexFile.terminator(bytes, from: pathStart, hint: hint, end: end) else { return nil }
        path = pathStart..<nul
        // One to eight NULs, to a multiple of eight bytes.
        offset = start + (nul - start + 8) & ~7
      }
      // The stages of a conflict have equal paths.
      guard order(previous, path) <= 0 else { return nil }
      previous = path
      if !holdsAttributes { holdsAttributes = isNamed(attributes, path) }
      if isInside(path, folder) { records.append(Record(offset: start, path: path)) }
    }
    guard IndexFile.isWhole(bytes, from: offset, end: end) else { return nil }
    entriesEnd = offset
  }

  /// The number of entries below the folder.
  var count: Int { records.count }

  /// Negative, zero or positive as the entry at `position` sorts before, at or after `path`.
  func compare(_ position: Int, _ path: GitPath) -> Int {
    let range = records[position].path
    return unsafe (isCompressed ? paths : bytes).withUnsafeBytes { source in
      unsafe path.bytes.withUnsafeBytes { path in
        unsafe compareBytes(UnsafeRawBufferPointer(rebasing: source[range]), path)
      }
    }
  }

  func entry(at position: Int) -> Entry {
    let offset = records[position].offset
    let flags = IndexFile.half(bytes, at: offset + Field.flags)
    let isExtended = flags & Flag.isExtended != 0
    return Entry(
      changed: time(at: offset + Field.changed), modified: time(at: offset + Field.modified),
      inode: IndexFile.number(bytes, at: offset + Field.inode), mode: IndexFile.number(bytes, at: offset + Field.mode),
      size: IndexFile.number(bytes, at: offset + Field.size), id: id(at: offset + Field.id),
      stage: (flags & Flag.stageMask) >> 12,
      isIntentToAdd: isExtended
        && IndexFile.half(bytes, at: offset + Field.extendedFlags) & Flag.isIntentToAdd != 0,
      isSkipWorktree: isExtended
        && IndexFile.half(bytes, at: offset + Field.extendedFlags) & Flag.isSkipWorktree != 0)
  }

  /// Where the entry at `position` begins in `bytes`.
  func offset(at position: Int) -> Int { records[position].offset }

  /// The path of the entry at `position`.
  func path(at position: Int) -> ArraySlice<UInt8> {
    (isCompressed ? paths : bytes)[records[position].path]
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
}

// MARK: - Fields

extension IndexFile {
  /// Offsets in an entry.
  enum Field {
    static let changed = 0
    static let modified = 8
    static let inode = 20
    static let mode = 24
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

  static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    UInt32(half(bytes, at: offset)) << 16 | UInt32(half(bytes, at: offset + 2))
  }

  static func half(_ bytes: [UInt8], at offset: Int) -> UInt16 {
    UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
  }

  /// Seconds are stored in 32 bits, read as unsigned: git does, and so the year 2038 passes.
  private func time(at offset: Int) -> FileTime {
    FileTime(
      seconds: Int64(IndexFile.number(bytes, at: offset)),
      nanoseconds: Int64(IndexFile.number(bytes, at: offset + 4)))
  }

  private func id(at offset: Int) -> ObjectID {
    unsafe bytes[offset..<(offset + ObjectID.byteCount)].withUnsafeBytes { id in
      guard let base = id.baseAddress else { return .zero }
      return unsafe ObjectID(readingFrom: base)
    }
  }
}

// MARK: - Paths

extension IndexFile {
  /// Negative, zero or positive as the one path sorts before, with or after the other.
  private func order(_ left: Range<Int>, _ right: Range<Int>) -> Int {
    unsafe (isCompressed ? paths : bytes).withUnsafeBytes { source in
      unsafe compareBytes(
        UnsafeRawBufferPointer(rebasing: source[left]), UnsafeRawBufferPointer(rebasing: source[right]))
    }
  }

  private func isNamed(_ name: [UInt8], _ path: Range<Int>) -> Bool {
    guard path.count >= name.count else { return false }
    let source = isCompressed ? paths : bytes
    let start = path.upperBound - name.count
    guard source[start] == name.first, start == path.lowerBound || source[start - 1] == GitPath.separator else {
      return false
    }
    return source[start..<path.upperBound].elementsEqual(name)
  }

  private func isInside(_ path: Range<Int>, _ folder: GitPath) -> Bool {
    if folder.isRoot { return true }
    let source = isCompressed ? paths : bytes
    let length = folder.bytes.count
    guard path.count >= length, source[path.lowerBound..<(path.lowerBound + length)].elementsEqual(folder.bytes) else {
      return false
    }
    return path.count == length || source[path.lowerBound + length] == GitPath.separator
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
  ) -> (path: Range<Int>, next: Int)? {
    var position = start
    var strip = 0
    var isFirst = true
    while true {
      guard position < end, strip < 1 << 32 else { return nil }
      let byte = bytes[position]
      position += 1
      // git's offset encoding: each continuation counts one more, so that no number has two spellings.
      strip = (isFirst ? 0 : (strip + 1) << 7) | Int(byte & 0x7f)
      isFirst = false
      if byte & 0x80 == 0 { break }
    }
    guard strip <= previous.count, position < end, let nul = bytes[position..<end].firstIndex(of: 0) else {
      return nil
    }
    let pathStart = paths.count
    paths.append(contentsOf: paths[previous.lowerBound..<(previous.upperBound - strip)])
    paths.append(contentsOf: bytes[position..<nul])
    return (pathStart..<paths.count, nul + 1)
  }

  /// False if the extensions say that most entries are in another file (`git update-index --split-index`), or do
  /// not end where the checksum begins.
  private static func isWhole(_ bytes: [UInt8], from start: Int, end: Int) -> Bool {
    var offset = start
    while offset + 8 <= end {
      if bytes[offset..<(offset + 4)].elementsEqual("link".utf8) { return false }
      offset += 8 + Int(number(bytes, at: offset + 4))
    }
    return offset == end
  }
}
