internal import Glibc

/// The lock that writers of this program take before they touch a repository: `flock` on `moha-sync/writer` in the
/// shared git folder. The kernel frees it when its holder dies.
///
/// The file also proves who owns a lock of git's. Git's locks are files that outlive a killed process, and say nothing
/// of their creator; ours are *hard links to this file*. So whoever holds the flock and finds such a link knows that
/// the commit which made it is dead: no process numbers, clocks or host names have to be believed.
///
/// While a commit runs, the file says what it is doing (`Entry`), so that the next writer can finish or undo the rest.
/// It is never removed, and its name does not end in `.lock`, because it is not left over.
struct WriterLock: ~Copyable {
  /// What the last writer recorded.
  struct Entry: Equatable {
    /// The process that is writing; nil once it has come to an end.
    var process: Int32?
    /// The branch that it is about to move, the commit that it moves it from, and the one that it moves it to.
    var reference: String?
    var parent: ObjectID?
    var commit: ObjectID?
    /// True if the index is to follow.
    var refreshesIndex = false
    /// True while the index may not agree with HEAD. Not recorded.
    var indexIsUncertain = false
    /// The last commit that was made durable together with everything that it needs.
    var durable: ObjectID?
  }

  static let folderName = "moha-sync"

  /// The folder `moha-sync`, where only the holder of this lock makes files.
  let folderPath: [UInt8]
  private let file: Descriptor
  let identity: FileIdentity
  /// What was recorded when the lock was taken.
  let previous: Entry

  var path: [UInt8] { folderPath + Array("/writer".utf8) }

  /// Waits for other writers of this program, at most until `deadline`; then throws `.locked`.
  ///
  /// Folder and file are for those whom `permissions` name.
  init(
    commonDirectory: [UInt8], _ permissions: SharedPermissions, until deadline: ContinuousClock.Instant
  ) throws(GitError) {
    let operation = "lock the repository for writing"
    let path = commonDirectory + Array("/\(WriterLock.folderName)".utf8)
    try permissions.makeStateFolder(at: path)
    let folder = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, operation)
    guard let opened = try Descriptor(in: folder, "writer".utf8, O_RDWR | O_CREAT, mode: 0o600, operation) else {
      throw GitError.system(ENOENT, operation)
    }
    try permissions.share(stateFile: opened.number)
    while flock(opened.number, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw GitError.system(errno, operation) }
      guard ContinuousClock.now < deadline else {
        throw GitError(.locked, operation: operation, message: "another commit is in progress")
      }
      Pause.short()
    }
    let found = try FileIdentity(of: opened, operation)
    let recorded = Entry(try opened.readAll(expecting: 256, limit: 64 << 10, operation))
    // Last, and together: a value that cannot be copied is not destroyed in part.
    self.init(folderPath: path, file: opened, identity: found, previous: recorded)
  }

  private init(folderPath: [UInt8], file: consuming Descriptor, identity: FileIdentity, previous: Entry) {
    self.folderPath = folderPath
    self.file = file
    self.identity = identity
    self.previous = previous
  }

  /// True if the last writer was killed.
  var followsDeath: Bool { previous.process != nil }

  /// Replaces what is recorded. It need not survive a power cut: after one, only the age of a lock counts.
  func record(_ entry: Entry) throws(GitError) {
    let operation = "record the writer"
    let bytes = entry.bytes
    // Longer first, cut afterwards: a writer killed in between leaves the new lines and the end of an old one.
    try file.write(bytes, operation)
    try file.truncate(to: bytes.count, operation)
  }
}

extension WriterLock.Entry {
  /// Unknown lines, and such as a killed writer cut, are ignored.
  init(_ bytes: [UInt8]) {
    self.init()
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 1)
      guard words.count == 2 else {
        // Ends what counts.
        if words.first == "end" { return }
        continue
      }
      switch words[0] {
      case "process": process = Int32(words[1])
      case "reference": reference = String(words[1])
      case "parent": parent = ObjectID(hex: words[1])
      case "commit": commit = ObjectID(hex: words[1])
      case "index": refreshesIndex = words[1] == "follows"
      case "durable": durable = ObjectID(hex: words[1])
      default: break
      }
    }
  }

  var bytes: [UInt8] {
    var text = ""
    if let process { text += "process \(process)\n" }
    if let reference { text += "reference \(reference)\n" }
    if let parent { text += "parent \(parent)\n" }
    if let commit { text += "commit \(commit)\n" }
    if refreshesIndex { text += "index follows\n" }
    if let durable { text += "durable \(durable)\n" }
    return Array((text + "end\n").utf8)
  }
}

/// Waiting on a thread that exists to block.
enum Pause {
  /// Two milliseconds: the time of one small commit.
  static func short() {
    usleep(2_000)
  }
}
