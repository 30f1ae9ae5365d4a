internal import FoundationEssentials
internal import Git
internal import Glibc
internal import Records

/// What was written to the working tree and is not in a commit yet: one small file a write, in the git folder.
///
/// The entry is made before the record's file and removed after the commit that holds it. It tells the next
/// committer which paths to take (writers that wait together share one commit), and the next writer how to
/// finish, or undo, what a killed one left half done. That holds for a power cut too: an entry is durable before the
/// file of its record exists.
struct WriteJournal {
  /// One write.
  struct Entry: Sendable {
    enum Action: Sendable {
      /// A new file with exactly these bytes.
      case create
      /// These bytes at the end of a file that had this many before.
      case append(offset: Int)
      /// Other bytes in a file that existed: the old ones stay in HEAD.
      case replace
      /// Entries that go from a log to files of their months; `content` is what these files get.
      case rotate(Rotation)
    }

    /// A write to several files, which is finished rather than undone once it has begun.
    struct Rotation: Hashable, Sendable {
      struct Part: Hashable, Sendable {
        let path: GitPath
        /// The file's size before; nil where there was none.
        let offset: Int?
        /// How many of the content's bytes are this file's, in the order of the parts.
        let length: Int
      }

      /// The log's blob before.
      let log: ObjectID
      /// The ranges that leave the log.
      let cuts: [Range<Int>]
      let parts: [Part]
      let events: Int
    }

    let name: String
    let action: Action
    let path: GitPath
    let content: [UInt8]
    let key: String?
    /// What `rebirth_count` becomes with this event: however often the entry is recovered, it counts once.
    let rebirths: Int?
    /// The process that wrote it, with its start time: a process id alone is used again.
    let owner: ProcessIdentity

    /// Every file that the write touches.
    var paths: [GitPath] {
      if case .rotate(let rotation) = action { return rotation.parts.map(\.path) + [path] }
      return [path]
    }
  }

  /// `moha-sync/journal` in the git folder that linked working trees do not share: each has files of its own.
  let folder: String

  init(gitDirectory: String) throws {
    let base = "\(gitDirectory)/moha-sync"
    folder = "\(base)/journal"
    for path in [base, folder] where mkdir(path, 0o700) != 0 && errno != EEXIST {
      throw PersistenceError(
        .writeFailed, "cannot make \(path): \(String(cString: strerror(errno))). Nothing was written",
        hint: "run as a user who may write the repository's git folder")
    }
  }

  /// - Parameters:
  ///   - content: what recovery compares the file with. An entry without is not made durable: it says only what to
  ///     commit, and after a power cut every difference to HEAD is found by looking.
  ///   - key: the idempotency key of a write that leaves no record with its key in it.
  func add(
    _ action: Entry.Action, path: GitPath, content: [UInt8], key: String? = nil, rebirths: Int? = nil
  ) throws -> Entry {
    let name = "\(ProcessIdentity.current.pid)-\(UInt64.random(in: .min ... .max))"
    let entry = Entry(
      name: name, action: action, path: path, content: content, key: key, rebirths: rebirths, owner: .current)
    var members: [JSONValue.Member] = [
      .init("path", .string(RecordPath(path.bytes).text)), .init("pid", .integer(Int(entry.owner.pid))),
      .init("start", .string(entry.owner.startTime)),
    ]
    switch action {
    case .create: members.append(.init("action", "create"))
    case .append(let offset):
      members += [.init("action", "append"), .init("offset", .integer(offset))]
    case .replace: members.append(.init("action", "replace"))
    case .rotate(let rotation): members += [.init("action", "rotate"), .init("rotation", rotation.json)]
    }
    if let key { members.append(.init("key", .string(key))) }
    if let rebirths { members.append(.init("rebirths", .integer(rebirths))) }
    let head = JSONValue.object(members).serialized()
    try PrivateFile.put(
      head + [UInt8(ascii: "\n")] + content, at: "\(folder)/\(name)", through: "\(folder)/\(name).tmp",
      content.isEmpty ? .volatile : .durable)
    return entry
  }

  func remove(_ entries: [Entry]) {
    for entry in entries { unlink("\(folder)/\(entry.name)") }
  }

  /// Says of an entry that its writer has given up, as if it had been killed: the next run finishes or undoes it, though
  /// the process lives on.
  func abandon(_ entry: Entry) {
    rename("\(folder)/\(entry.name)", "\(folder)/\(WriteJournal.abandonedPrefix)\(entry.name)")
  }

  static let abandonedPrefix = "abandoned-"

  func holds(_ entry: Entry) -> Bool {
    access("\(folder)/\(entry.name)", F_OK) == 0
  }

  /// All entries. One that cannot be read was being written when its process died: nothing was done yet, and it
  /// is removed.
  func entries() throws -> [Entry] {
    var entries: [Entry] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
      let path = "\(folder)/\(name)"
      if name.hasSuffix(".tmp") {
        if let pid = name.split(separator: "-").first.flatMap({ Int32($0) }), kill(pid, 0) != 0, errno == ESRCH {
          unlink(path)
        }
        continue
      }
      guard let data = FileManager.default.contents(atPath: path) else { continue }
      let bytes = Array(data)
      guard let newline = bytes.firstIndex(of: UInt8(ascii: "\n")),
        let head = try? JSONValue.parse(Array(bytes[..<newline])),
        let text = head["path"]?.text, let recordPath = RecordPath(text: text), let pid = head["pid"]?.integer,
        let start = head["start"]?.text
      else {
        unlink(path)
        continue
      }
      let action: Entry.Action
      switch head["action"]?.text {
      case "append": action = .append(offset: head["offset"]?.integer ?? 0)
      case "replace": action = .replace
      case "rotate":
        guard let rotation = Entry.Rotation(head["rotation"], count: bytes.count - newline - 1) else {
          unlink(path)
          continue
        }
        action = .rotate(rotation)
      default: action = .create
      }
      entries.append(
        Entry(
          name: name, action: action, path: GitPath(recordPath.bytes), content: Array(bytes[(newline + 1)...]),
          key: head["key"]?.text, rebirths: head["rebirths"]?.integer,
          owner: name.hasPrefix(WriteJournal.abandonedPrefix)
            ? .nobody : ProcessIdentity(pid: Int32(truncatingIfNeeded: pid), startTime: start)))
    }
    return entries
  }
}

extension WriteJournal.Entry.Rotation {
  fileprivate var json: JSONValue {
    .object([
      .init("log", .string(log.description)), .init("events", .integer(events)),
      .init("cuts", .array(cuts.map { .array([.integer($0.lowerBound), .integer($0.upperBound)]) })),
      .init(
        "parts",
        .array(
          parts.map { part in
            .object([
              .init("path", .string(RecordPath(part.path.bytes).text)),
              .init("offset", part.offset.map { .integer($0) } ?? .null), .init("length", .integer(part.length)),
            ])
          })),
    ])
  }

  /// Nil for what this program did not write, or not to its end; `count` is the size of the content.
  fileprivate init?(_ json: JSONValue?, count: Int) {
    guard let json, let log = json["log"]?.text.flatMap({ ObjectID(hex: $0) }), let events = json["events"]?.integer,
      case .array(let pairs)? = json["cuts"], case .array(let files)? = json["parts"]
    else { return nil }
    var cuts: [Range<Int>] = []
    for pair in pairs {
      guard case .array(let bounds) = pair, bounds.count == 2, let start = bounds[0].integer,
        let end = bounds[1].integer, start >= cuts.last?.upperBound ?? 0, start <= end
      else { return nil }
      cuts.append(start..<end)
    }
    var parts: [Part] = []
    for file in files {
      guard let path = file["path"]?.text.flatMap({ RecordPath(text: $0) }), let length = file["length"]?.integer,
        length >= 0
      else { return nil }
      parts.append(Part(path: GitPath(path.bytes), offset: file["offset"]?.integer, length: length))
    }
    guard parts.reduce(0, { $0 + $1.length }) == count else { return nil }
    self.init(log: log, cuts: cuts, parts: parts, events: events)
  }
}

/// A process, told apart from a later one with the same id by its start time.
struct ProcessIdentity: Hashable, Sendable {
  let pid: Int32
  /// Clock ticks since boot, as /proc tells, behind the boot's own id.
  let startTime: String

  static let current: ProcessIdentity = {
    let pid = getpid()
    return ProcessIdentity(pid: pid, startTime: startTime(of: pid) ?? "unknown")
  }()

  /// No process has this id.
  static let nobody = ProcessIdentity(pid: 0, startTime: "")

  var isAlive: Bool { ProcessIdentity.startTime(of: pid) == startTime }

  private static let boot: String = {
    let data = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id") ?? Data()
    return String(decoding: data.prefix(8), as: UTF8.self)
  }()

  private static func startTime(of pid: Int32) -> String? {
    guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
    // The second field is the program's name in parentheses and may hold anything; the 22nd is the start time.
    let text = String(decoding: data, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > 19 ? "\(boot)-\(fields[19])" : nil
  }
}
