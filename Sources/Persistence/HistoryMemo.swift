internal import Crypto
internal import FoundationEssentials
internal import Git
internal import Glibc
internal import Records

/// A file of ours in the git folder that remembers what was found in history, so that the next look costs what came since.
///
/// It can be made again from git at any time, and says nothing that git does not. One that is missing, damaged, of another
/// agent, of another way of reading or of a clone that was cut elsewhere is as none. It is written whole or not at all.
struct HistoryMemo {
  /// What the file remembers, in its name.
  enum Subject: String {
    case log = "log-history"
    case deletedFiles = "deleted-files"
  }

  private let path: String
  private let header: String
  private let files: PrivateFiles

  /// The way in which files are read and what is kept of them. Raise it with every change by which the same bytes of a
  /// log give other entries.
  static let edition = 1

  /// - Parameter boundary: where a shallow clone was cut.
  init(_ subject: Subject, of agent: Agent, in repository: Repository, boundary: Set<ObjectID>) {
    let folder = repository.gitDirectory
    path = "\(folder.hasSuffix("/") ? String(folder.dropLast()) : folder)/moha-sync/\(subject.rawValue)-\(agent.name)"
    var digest = SHA256()
    for id in boundary.sorted() { digest.update(data: id.bytes) }
    header = "moha-sync \(subject.rawValue) \(HistoryMemo.edition) \(agent.name) \(hex(digest.finalize()))"
    files = PrivateFiles(of: repository)
  }

  /// Nil where there is nothing to be relied on.
  func load() -> JSONValue? {
    guard let data = FileManager.default.contents(atPath: path),
      let end = data.firstIndex(of: 0x0A)
    else { return nil }
    let body = Array(data[data.index(after: end)...])
    guard data[..<end].elementsEqual(line(for: body).utf8) else { return nil }
    return try? JSONValue.parse(body)
  }

  /// Does what can be done: where the folder cannot be written, the next look costs what this one did.
  func save(_ value: JSONValue) {
    let body = value.serialized()
    let folder = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
    guard (try? files.makeFolder(folder)) != nil else { return }
    try? files.putDerived(Array("\(line(for: body))\n".utf8) + body, at: path)
  }

  private func line(for body: [UInt8]) -> String { "\(header) \(hex(SHA256.hash(data: body)))" }
}

// MARK: The past of logs

extension LogPast {
  /// Nil for what is no past, or one of whose entries is not what its key says.
  init?(json: JSONValue) {
    guard let commit = json["commit"]?.text.flatMap({ ObjectID(hex: $0) }),
      case .array(let current)? = json["current"], case .array(let lost)? = json["lost"]
    else { return nil }
    var versions: [GitPath: FilePast.Version] = [:]
    for item in current {
      guard let path = GitPath(json: item["path"]), let version = FilePast.Version(json: item["version"]) else {
        return nil
      }
      versions[path] = version
    }
    var entries: [RecordKey: Entry] = [:]
    for item in lost {
      guard let key = item["key"]?.text, let entry = Entry(json: item), entry.contentHash.recordKey == key else {
        return nil
      }
      entries[RecordKey(key)] = entry
    }
    self.init(upTo: commit, current: versions, lost: entries)
  }

  var json: JSONValue {
    Report.object([
      "commit": .string(commit.description),
      "current": .array(
        current.sorted { $0.key < $1.key }.map {
          Report.object(["path": $0.key.json, "version": $0.value.json])
        }),
      "lost": .array(lost.sorted { $0.key < $1.key }.map { $0.value.json(key: $0.key) }),
    ])
  }
}

extension LogPast.Entry {
  fileprivate init?(json: JSONValue) {
    guard let path = GitPath(json: json["path"]), let version = FilePast.Version(json: json["version"]),
      let holder = FilePast.Version(json: json["holder"]), case .bool(let isLast)? = json["last"],
      let type = json["type"]?.text, let content = json["content"]?.text,
      let metadata = json["metadata"]?.text.flatMap({ try? JSONValue.parse($0) })
    else { return nil }
    let event = Event(
      type: type, title: json["title"]?.text,
      time: json["time"]?.integer.flatMap { Instant(microseconds: Int64($0)) }, timeText: json["time_text"]?.text,
      content: content, metadata: metadata)
    self.init(
      event: event, contentHash: Record.event(event).contentHash, path: path, version: version, holder: holder,
      isLast: isLast)
  }

  fileprivate func json(key: RecordKey) -> JSONValue {
    Report.object([
      "key": .string(key.text), "path": path.json, "version": version.json, "holder": holder.json,
      "last": .bool(isLast), "type": .string(event.type), "title": Report.string(event.title),
      "time": event.time.map { .integer(Int($0.microseconds)) } ?? .null, "time_text": Report.string(event.timeText),
      "content": .string(event.content), "metadata": .string(event.metadata.text()),
    ])
  }
}

extension FilePast.Version {
  init?(json: JSONValue?) {
    guard case .array(let parts)? = json, parts.count == 3, let time = parts[0].integer,
      let commit = parts[1].text.flatMap({ ObjectID(hex: $0) }), let blob = parts[2].text.flatMap({ ObjectID(hex: $0) })
    else { return nil }
    self.init(time: Int64(time), commit: commit, blob: blob)
  }

  var json: JSONValue {
    .array([.integer(Int(time)), .string(commit.description), .string(blob.description)])
  }
}

extension GitPath {
  init?(json: JSONValue?) {
    guard let path = json?.text.flatMap({ RecordPath(text: $0) }) else { return nil }
    self.init(path.bytes)
  }

  var json: JSONValue { .string(RecordPath(bytes).text) }
}
