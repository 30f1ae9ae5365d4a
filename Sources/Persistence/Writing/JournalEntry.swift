internal import FoundationEssentials
internal import Git
internal import Records

/// One write that no commit is known to hold: what it does to HEAD's files, and to those of the working tree.
///
/// On disk: a JSON object on one line, and after it the content, byte for byte.
///
///     {"v": 2, "path": ".moha/maven/session_log.md", "pid": 4242, "start": "…", "at": 1768492800,
///      "action": "append", "offset": 4711, "key": "day-1", "kind": "event", "digest": "…", "length": 120}
///
/// `v` 1, or none, is what earlier versions wrote: their `replace` says only that identity.json is to be committed as it
/// is. A higher one is a newer program's, and nobody else can know what it means.
struct JournalEntry: Sendable {
  static let version = 2

  enum Operation: Hashable, Sendable {
    /// A new file with exactly the content.
    case create
    /// The content at the end of a log. `offset`: how many bytes the file of the working tree had before.
    case append(offset: Int)
    /// A change of identity.json: see `IdentityChange`, whose JSON is the content.
    case identity
    /// The counters of identity.json become what the records say.
    case recount
    /// What identity.json of the working tree has otherwise than HEAD's, of an earlier version of this program.
    case takeIdentity
    /// Entries that go from a log to files of their months; the content is what these files get.
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

    /// The log's blob before, and its size.
    let log: ObjectID
    let size: Int?
    /// The ranges that leave the log.
    let cuts: [Range<Int>]
    let parts: [Part]
    let events: Int
  }

  enum State: String, Sendable {
    /// Its writer is at work, or was killed: `owner` tells.
    case begun = ""
    /// Its writer has given up, as if it had been killed, though the process lives on.
    case abandoned = "abandoned-"
    /// It was acknowledged, and waits for a commit to be possible. It stays, whatever becomes of the file.
    case pending = "pending-"
  }

  /// The idempotency key of a write, and what tells the same request from another one under the same key.
  struct Key: Hashable, Sendable {
    let text: String
    let kind: RecordRequest.Kind
    /// Nil for what an earlier version wrote.
    let digest: String?
  }

  /// The file's name without what its state puts in front: `<sequence>-<pid>-<random>`.
  let name: String
  let state: State
  let operation: Operation
  let path: GitPath
  let content: [UInt8]
  let key: Key?
  /// The process that wrote it, with its start time: a process id alone is used again.
  let owner: ProcessIdentity
  /// When it was made, in seconds since 1970; nil for what an earlier version wrote.
  let time: Int64?

  /// The order in which writes were made: that of their entries in a log.
  var sequence: UInt64 { name.split(separator: "-").first.flatMap { UInt64($0) } ?? 0 }

  /// Whether it comes before another one in the order of the writes; two of one number have that of their names.
  func precedes(_ other: JournalEntry) -> Bool { (sequence, name) < (other.sequence, other.name) }

  /// Whether its writer will never come back to it.
  var isOrphaned: Bool { state == .abandoned || state == .begun && !owner.isAlive }

  /// Every file that the write touches.
  var paths: [GitPath] {
    if case .rotate(let rotation) = operation { return rotation.parts.map(\.path) + [path] }
    return [path]
  }

  /// The agent whose file it is; nil for a path outside of every agent's folder.
  var agent: Agent? { Agent(ownerOf: path) }
}

extension Agent {
  /// The agent in whose folder a path lies.
  init?(ownerOf path: GitPath) {
    let components = path.components
    guard components.count > 2, components[0].elementsEqual(".moha".utf8) else { return nil }
    self.init(String(decoding: components[1], as: UTF8.self))
  }
}

// MARK: - Bytes

extension JournalEntry {
  /// Why a file of the journal gives no entry.
  enum Fault: Error {
    /// It was cut off, or something else changed it.
    case unreadable(String)
    /// A newer program wrote it.
    case newer(Int)
  }

  var bytes: [UInt8] {
    var members: [JSONValue.Member] = [
      .init("v", .integer(JournalEntry.version)), .init("path", .string(RecordPath(path.bytes).text)),
      .init("pid", .integer(Int(owner.pid))), .init("start", .string(owner.startTime)),
    ]
    if let time { members.append(.init("at", .integer(Int(time)))) }
    switch operation {
    case .create: members.append(.init("action", "create"))
    case .append(let offset): members += [.init("action", "append"), .init("offset", .integer(offset))]
    case .identity: members.append(.init("action", "identity"))
    case .recount: members.append(.init("action", "recount"))
    case .takeIdentity: members.append(.init("action", "replace"))
    case .rotate(let rotation): members += [.init("action", "rotate"), .init("rotation", rotation.json)]
    }
    if let key {
      members += [.init("key", .string(key.text)), .init("kind", .string(key.kind.rawValue))]
      if let digest = key.digest { members.append(.init("digest", .string(digest))) }
    }
    members.append(.init("length", .integer(content.count)))
    return JSONValue.object(members).serialized() + [UInt8(ascii: "\n")] + content
  }

  /// Reads what `bytes` wrote. Nothing in it is believed before it was checked: a size or an offset of a damaged file must
  /// not reach anything that cuts or reads a file.
  init(_ bytes: [UInt8], name: String, state: State) throws(Fault) {
    guard let newline = bytes.firstIndex(of: UInt8(ascii: "\n")), let head = try? JSONValue.parse(Array(bytes[..<newline]))
    else { throw .unreadable("its first line is no JSON") }
    func integer(_ member: JSONString) throws(Fault) -> Int? {
      guard let value = head[member], value != .null else { return nil }
      guard let number = value.integer, number >= 0, number <= JournalEntry.largest else {
        throw .unreadable("\(member) is no size")
      }
      return number
    }
    if let version = head["v"] {
      guard let number = version.integer, number > 0 else { throw .unreadable("its version is no number") }
      guard number <= JournalEntry.version else { throw .newer(number) }
    }
    guard let path = head["path"]?.text.flatMap({ RecordPath(text: $0) }).map({ GitPath($0.bytes) }),
      JournalEntry.isPath(path)
    else { throw .unreadable("it names no file below .moha") }
    guard let pid = head["pid"]?.integer.flatMap({ Int32(exactly: $0) }), let start = head["start"]?.text else {
      throw .unreadable("it does not say who wrote it")
    }
    let content = Array(bytes[(newline + 1)...])
    if let length = try integer("length"), length != content.count { throw .unreadable("it was cut off") }
    switch head["action"]?.text {
    case "create": operation = .create
    case "append":
      guard let offset = try integer("offset") else { throw .unreadable("it does not say where it appends") }
      operation = .append(offset: offset)
    case "identity": operation = .identity
    case "recount": operation = .recount
    case "replace": operation = .takeIdentity
    case "rotate":
      guard let rotation = Rotation(head["rotation"], count: content.count) else {
        throw .unreadable("its rotation does not add up")
      }
      operation = .rotate(rotation)
    default: throw .unreadable("its action is none that is known")
    }
    self.name = name
    self.state = state
    self.path = path
    self.content = content
    owner = ProcessIdentity(pid: pid, startTime: start)
    time = try integer("at").map { Int64($0) }
    guard let text = head["key"]?.text else {
      key = nil
      return
    }
    // Earlier versions kept the key of an identity update alone, and no kind.
    let kind = head["kind"]?.text.flatMap { RecordRequest.Kind(rawValue: $0) } ?? .identity
    key = Key(text: text, kind: kind, digest: head["digest"]?.text)
  }

  /// Larger than any file that is read.
  fileprivate static let largest = 1 << 40

  /// Whether a file of records can have the path.
  fileprivate static func isPath(_ path: GitPath) -> Bool {
    path.isWellFormed && path.isInside(".moha") && path != ".moha"
  }
}

extension JournalEntry.Rotation {
  fileprivate var json: JSONValue {
    .object([
      .init("log", .string(log.description)), .init("size", size.map { .integer($0) } ?? .null),
      .init("events", .integer(events)),
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
      events >= 0, case .array(let pairs)? = json["cuts"], case .array(let files)? = json["parts"]
    else { return nil }
    var cuts: [Range<Int>] = []
    for pair in pairs {
      guard case .array(let bounds) = pair, bounds.count == 2, let start = bounds[0].integer,
        let end = bounds[1].integer, start >= cuts.last?.upperBound ?? 0, start <= end
      else { return nil }
      cuts.append(start..<end)
    }
    var parts: [Part] = []
    var left = count
    for file in files {
      guard let path = file["path"]?.text.flatMap({ RecordPath(text: $0) }).map({ GitPath($0.bytes) }),
        JournalEntry.isPath(path), let length = file["length"]?.integer, length >= 0, length <= left
      else { return nil }
      left -= length
      var offset: Int?
      if let value = file["offset"], value != .null {
        guard let number = value.integer, (0...JournalEntry.largest).contains(number) else { return nil }
        offset = number
      }
      parts.append(Part(path: path, offset: offset, length: length))
    }
    guard left == 0 else { return nil }
    let size = json["size"]?.integer
    guard size.map({ $0 >= cuts.last?.upperBound ?? 0 }) ?? true else { return nil }
    self.init(log: log, size: size, cuts: cuts, parts: parts, events: events)
  }
}
