internal import Git
internal import Records

/// The files of an agent's records that commits deleted, each in its last version: of all that a commit reaches.
///
/// What came since is added to what is known, so that no run walks the whole of history again.
struct DeletedFiles: Equatable, Sendable {
  private(set) var commit: ObjectID
  /// By the path that a file had, its last deletion; a file that came back since is in it too.
  private(set) var deletions: [GitPath: Deletion] = [:]

  init(upTo commit: ObjectID) { self.commit = commit }

  mutating func advance(over deletions: [Deletion], to head: ObjectID, of agent: Agent) {
    for deletion in deletions {
      let path = deletion.file.path
      let role = TreeLayout.role(of: RecordPath(path.bytes), agent: agent)
      guard let kind = role.kind, kind.fileRole == role else { continue }
      if let other = self.deletions[path], !deletion.isNewer(than: other) { continue }
      self.deletions[path] = deletion
    }
    commit = head
  }

  /// The newest first.
  var newestFirst: [Deletion] {
    deletions.values.sorted { $0.isNewer(than: $1) || $0.commit == $1.commit && $0.file.path < $1.file.path }
  }

  /// Nil for what was not written by `json`.
  init?(json: JSONValue) {
    guard let commit = json["commit"]?.text.flatMap({ ObjectID(hex: $0) }), case .array(let items)? = json["deleted"]
    else { return nil }
    self.commit = commit
    for item in items {
      guard let deletion = Deletion(json: item) else { return nil }
      deletions[deletion.file.path] = deletion
    }
  }

  var json: JSONValue {
    Report.object([
      "commit": .string(commit.description),
      "deleted": .array(deletions.sorted { $0.key < $1.key }.map(\.value.json)),
    ])
  }
}

extension Deletion {
  fileprivate init?(json: JSONValue) {
    guard let path = GitPath(json: json["path"]), let blob = json["blob"]?.text.flatMap({ ObjectID(hex: $0) }),
      let mode = json["mode"]?.integer.flatMap({ UInt32(exactly: $0) }).flatMap({ FileMode(rawMode: $0) }),
      let commit = json["commit"]?.text.flatMap({ ObjectID(hex: $0) }), let time = json["time"]?.integer,
      let holder = json["holder"]?.text.flatMap({ ObjectID(hex: $0) })
    else { return nil }
    self.init(
      file: TreeEntry(path: path, id: blob, mode: mode), commit: commit, time: Int64(time), lastHolder: holder)
  }

  fileprivate var json: JSONValue {
    Report.object([
      "path": file.path.json, "blob": .string(file.id.description), "mode": .integer(Int(file.mode.rawMode)),
      "commit": .string(commit.description), "time": .integer(Int(time)), "holder": .string(lastHolder.description),
    ])
  }
}
