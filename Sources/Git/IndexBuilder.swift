/// The bytes of an index, written entry by entry: gitformat-index(5), versions 2 to 4.
struct IndexBuilder {
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

  /// What an entry says of its path rather than of its content.
  struct Flags {
    var assumesUnchanged = false
    var isSkipWorktree = false

    init(assumesUnchanged: Bool = false, isSkipWorktree: Bool = false) {
      self.assumesUnchanged = assumesUnchanged
      self.isSkipWorktree = isSkipWorktree
    }

    init(_ entry: IndexFile.Entry) {
      self.init(assumesUnchanged: entry.isAssumedUnchanged, isSkipWorktree: entry.isSkipWorktree)
    }
  }

  private var output = Array("DIRC".utf8)
  private var version: UInt32
  private var count: UInt32 = 0
  /// The path of the last entry, which decides how version 4 stores the next.
  private var last: ArraySlice<UInt8> = []

  /// `version` is 2, 3 or 4; `capacity` is how many bytes are expected.
  init(version: UInt32, capacity: Int) {
    self.version = version
    output.reserveCapacity(capacity)
    // The count, and perhaps the version, are put in at the end.
    output.append(contentsOf: [UInt8](repeating: 0, count: 8))
  }

  // MARK: - Entries

  /// Copies entries of `source`, which is of the same version unless that is 2 or 3.
  mutating func copy(_ positions: Range<Int>, of source: IndexFile) {
    guard !positions.isEmpty else { return }
    var start = positions.lowerBound
    if source.isCompressed {
      let before = start == 0 ? [] : source.path(at: start - 1)
      // Stored anew, since another path now precedes it.
      if !before.elementsEqual(last) {
        append(header: source.header(at: start), path: source.path(at: start))
        start += 1
      }
    }
    if start < positions.upperBound {
      let end = positions.upperBound < source.count ? source.offset(at: positions.upperBound) : source.entriesEnd
      output.append(contentsOf: source.bytes[source.offset(at: start)..<end])
      count += UInt32(positions.upperBound - start)
    }
    last = source.path(at: positions.upperBound - 1)
  }

  /// Appends an entry whose `header` is stored already, under any path.
  mutating func append(header: ArraySlice<UInt8>, path: ArraySlice<UInt8>) {
    let start = output.count
    output.append(contentsOf: header)
    let offset = start + IndexFile.Field.flags
    let flags = IndexFile.half(output, at: offset)
    if flags & IndexFile.Flag.isExtended != 0, version == 2 { version = 3 }
    put(half: flags & ~IndexFile.Flag.lengthMask | IndexBuilder.length(of: path), at: offset)
    append(path: path, from: start)
  }

  mutating func append(path: ArraySlice<UInt8>, mode: UInt32, id: ObjectID, _ status: Status, _ flags: Flags) {
    let start = output.count
    let numbers: [UInt32] = [
      UInt32(truncatingIfNeeded: status.changed.seconds), UInt32(truncatingIfNeeded: status.changed.nanoseconds),
      UInt32(truncatingIfNeeded: status.modified.seconds), UInt32(truncatingIfNeeded: status.modified.nanoseconds),
      status.device, status.inode, mode, status.user, status.group, status.size,
    ]
    for number in numbers { append(number) }
    id.append(to: &output)
    let isExtended = flags.isSkipWorktree
    if isExtended, version == 2 { version = 3 }
    append(
      half: (flags.assumesUnchanged ? IndexFile.Flag.assumesUnchanged : 0)
        | (isExtended ? IndexFile.Flag.isExtended : 0) | IndexBuilder.length(of: path))
    if isExtended { append(half: IndexFile.Flag.isSkipWorktree) }
    append(path: path, from: start)
  }

  /// Appends the path of the entry that began at `start`.
  private mutating func append(path: ArraySlice<UInt8>, from start: Int) {
    if version == 4 {
      // How many bytes to take off the previous path, the rest, a NUL.
      let common = zip(path, last).prefix { $0 == $1 }.count
      OffsetEncoding.append(last.count - common, to: &output)
      output.append(contentsOf: path.dropFirst(common))
      output.append(0)
    } else {
      output.append(contentsOf: path)
      // One to eight NULs, to a multiple of eight bytes.
      repeat { output.append(0) } while (output.count - start) % 8 != 0
    }
    last = path
    count += 1
  }

  private static func length(of path: ArraySlice<UInt8>) -> UInt16 {
    UInt16(min(path.count, Int(IndexFile.Flag.lengthMask)))
  }

  // MARK: - The rest

  /// Appends an extension; `name` has four bytes. All entries come before the first.
  mutating func append(extension name: String, _ content: some Collection<UInt8>) {
    output.append(contentsOf: name.utf8)
    append(UInt32(truncatingIfNeeded: content.count))
    output.append(contentsOf: content)
  }

  /// Appends the extensions of `source`, of whose entries those in `changed` folders are others now; a folder counts as
  /// changed with everything above it.
  ///
  /// See `IndexRefresh` for what becomes of each.
  mutating func append(extensionsOf source: IndexFile, changed: Set<GitPath>) {
    for item in source.extensions {
      let content = source.bytes[item.content]
      switch item.name {
      case "TREE":
        if let kept = CachedTrees.removing(changed, from: Array(content)) { append(extension: item.name, kept) }
      case "UNTR":
        if let kept = IndexBuilder.outdated(untracked: Array(content)) { append(extension: item.name, kept) }
      case "FSMN", "EOIE", "IEOT", "link": break
      default: append(extension: item.name, content)
      }
    }
  }

  /// The cache of untracked files with another id for `info/exclude`: git compares it, and drops what it has cached.
  /// Nil, which leaves the cache out, if it is not of the known form.
  private static func outdated(untracked content: [UInt8]) -> [UInt8]? {
    guard let length = OffsetEncoding.decode(content[...]) else { return nil }
    // The environment's name, two blocks of `stat` data, flags.
    let start = length.end + length.value + 36 + 36 + 4
    guard start + ObjectID.byteCount <= content.count else { return nil }
    var content = content
    for index in start..<(start + ObjectID.byteCount) { content[index] ^= 0xff }
    return content
  }

  /// The whole file, with its checksum.
  consuming func finish() -> [UInt8] {
    putHeader()
    output.append(contentsOf: SHA1.hash(output[...]))
    return output
  }

  /// The whole file with zeros for a checksum, to be read and not to be written.
  consuming func finishUnchecked() -> [UInt8] {
    putHeader()
    output.append(contentsOf: ObjectID.zero.bytes)
    return output
  }

  private mutating func putHeader() {
    put(half: UInt16(truncatingIfNeeded: version), at: 6)
    put(half: UInt16(truncatingIfNeeded: count >> 16), at: 8)
    put(half: UInt16(truncatingIfNeeded: count), at: 10)
  }

  private mutating func append(_ number: UInt32) {
    append(half: UInt16(truncatingIfNeeded: number >> 16))
    append(half: UInt16(truncatingIfNeeded: number))
  }

  private mutating func append(half: UInt16) {
    output.append(UInt8(truncatingIfNeeded: half >> 8))
    output.append(UInt8(truncatingIfNeeded: half))
  }

  private mutating func put(half: UInt16, at offset: Int) {
    output[offset] = UInt8(truncatingIfNeeded: half >> 8)
    output[offset + 1] = UInt8(truncatingIfNeeded: half)
  }
}
