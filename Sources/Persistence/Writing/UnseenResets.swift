internal import FoundationEssentials
internal import Git
internal import Records

/// Commits of this program that a `git reset` took off the branch without having seen them.
///
/// `git reset` works out its target first, then takes the index's lock, and moves the branch in the end without asking
/// whether it is still where it was: a commit made in between is off the branch, though it was acknowledged and nobody
/// meant it. HEAD's reflog tells: of `reset: moving to HEAD~1` the new place is one commit before the old one, and where it
/// is further back, the command had an older HEAD before its eyes. What it had seen stays away, as was meant; so does what
/// a reset to a named commit took.
///
/// The records of such commits go back into the journal, and so into the next commit. Only what is new in the reflog since
/// the last look is read.
struct UnseenResets {
  private let tree: WorkTreeWriter
  private let mark: String
  /// How far back along the branch a reset is followed.
  private static let depth = 1_000

  init(_ tree: WorkTreeWriter) {
    self.tree = tree
    mark = String(tree.journal.folder.dropLast("journal".count)) + "reflog"
  }

  /// Puts the lost writes back into the journal. Under the lock of the tree.
  func bringBack() async throws {
    let known = position()
    let (entries, end) = try await tree.repository.reflog(since: known)
    guard let end, end != known else { return }
    if known != nil {
      for commit in try await lostCommits(entries) { try await bringBack(commit) }
    }
    try tree.journal.files.putDerived(Array("\(end.offset)\n".utf8) + end.line, at: mark)
  }

  private func position() -> ReflogPosition? {
    guard let data = FileManager.default.contents(atPath: mark) else { return nil }
    let bytes = Array(data)
    guard let newline = bytes.firstIndex(of: 0x0A), let offset = Int(String(decoding: bytes[..<newline], as: UTF8.self)),
      offset >= 0
    else { return nil }
    return ReflogPosition(offset: offset, line: Array(bytes[(newline + 1)...]))
  }

  /// The commits of this program that resets have taken without having seen them, oldest first, each once.
  private func lostCommits(_ entries: [ReflogEntry]) async throws -> [ObjectID] {
    var lost: [ObjectID] = []
    for entry in entries {
      guard let old = entry.old, let new = entry.new, old != new, let steps = UnseenResets.steps(of: entry.message) else {
        continue
      }
      let chain = try await tree.repository.firstParents(of: old, until: new, limit: UnseenResets.depth)
      // The command's own HEAD was so many commits above the place to which it went.
      guard let seen = chain.firstIndex(of: new).map({ $0 - steps }), seen > 0 else { continue }
      for commit in chain[..<seen].reversed() where !lost.contains(commit) { lost.append(commit) }
    }
    guard !lost.isEmpty, let head = try await tree.repository.head().commit else { return [] }
    var ours: [ObjectID] = []
    for commit in lost {
      guard try await tree.repository.commit(commit).isOurs, try await !tree.repository.isAncestor(commit, of: head)
      else { continue }
      ours.append(commit)
    }
    return ours
  }

  /// How many commits before HEAD a reset went, by its line in the reflog; nil for another command or target.
  static func steps(of message: String) -> Int? {
    let prefix = "reset: moving to "
    guard message.hasPrefix(prefix) else { return nil }
    var rest = message.dropFirst(prefix.count)
    for name in ["HEAD", "@"] where rest.hasPrefix(name) {
      rest = rest.dropFirst(name.count)
      var steps = 0
      while let sign = rest.first {
        rest = rest.dropFirst()
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        rest = rest.dropFirst(digits.count)
        guard let number = digits.isEmpty ? 1 : Int(digits), number < UnseenResets.depth else { return nil }
        switch sign {
        case "~": steps += number
        case "^" where number == 1: steps += 1
        default: return nil
        }
      }
      return steps
    }
    return nil
  }

  // MARK: One commit

  /// Puts what a commit added into the journal, as acknowledged writes that wait for a commit.
  private func bringBack(_ id: ObjectID) async throws {
    let commit = try await tree.repository.commit(id)
    let parent = try await commit.parents.first.asyncMap { try await tree.repository.commit($0).tree }
    var files: [(path: GitPath, agent: Agent, old: [UInt8]?, new: [UInt8])] = []
    for change in try await tree.repository.difference(from: parent, to: commit.tree, under: ".moha") {
      guard let new = change.new, new.mode.isBlob, new.mode != .symlink, let agent = Agent(ownerOf: change.path) else {
        continue
      }
      var old: [UInt8]?
      if let entry = change.old, entry.mode.isBlob {
        old = try await tree.repository.blob(entry.id, limit: GitRecordReader.logLimit)
      }
      files.append(
        (change.path, agent, old, try await tree.repository.blob(new.id, limit: GitRecordReader.logLimit)))
    }
    var writes: [(operation: JournalEntry.Operation, path: GitPath, content: [UInt8])] = []
    var rebirths: [Agent: Int] = [:]
    for (path, agent, old, new) in files {
      switch TreeLayout.role(of: RecordPath(path.bytes), agent: agent) {
      case .decision, .milestone, .snapshot:
        if old == nil { writes.append((.create, path, new)) }
      case .sessionLog:
        for (event, bytes) in UnseenResets.newEntries(of: new, since: old ?? [], at: path) {
          writes.append((.append(offset: old?.count ?? 0), path, bytes))
          if event.type == "REBIRTH" { rebirths[agent, default: 0] += 1 }
        }
      case .identity, .rotatedLog, .persona, .infrastructure, .other: break
      }
    }
    for (path, agent, old, new) in files where agent.documentRole(of: path) == .identity {
      // A rebirth of the log is counted with its entry.
      let change = UnseenResets.identityChange(from: old ?? Array("{}".utf8), to: new, logged: rebirths[agent] ?? 0)
      if let change { writes.append((.identity, path, change.bytes)) }
    }
    let known = try tree.journal.entries()
    for write in writes where !known.contains(where: { $0.path == write.path && $0.content == write.content }) {
      try tree.journal.keep([tree.journal.add(write.operation, path: write.path, content: write.content)])
    }
  }

  /// The entries that a log has and its older version lacks, each as it was appended.
  private static func newEntries(
    of log: [UInt8], since old: [UInt8], at path: GitPath
  ) -> [(event: Event, bytes: [UInt8])] {
    let recordPath = RecordPath(path.bytes)
    let known = Set(SessionLog.parse(old, path: recordPath).entries.map(\.recordKey))
    return SessionLog.parse(log, path: recordPath).distinctEntries.filter { !known.contains($0.recordKey) }.map { entry in
      let start = entry.range.lowerBound
      let hasBreak = start > 0 && log[start - 1] == 0x0A
      return (entry.event, Array(log[(hasBreak ? start - 1 : start)..<entry.range.upperBound]))
    }
  }

  /// What an identity was changed by, the counters that follow the records left out; nil for nothing.
  private static func identityChange(from old: [UInt8], to new: [UInt8], logged: Int) -> IdentityChange? {
    guard let before = try? JSONValue.parse(old), let after = try? JSONValue.parse(new) else { return nil }
    var updates = JSONValue.emptyObject
    for edit in IdentityMerge.edits(from: before, to: after) {
      if case .set(let path, let value) = edit { updates = updates.setting(path[...], to: value) }
    }
    func rebirths(_ value: JSONValue) -> Int { IdentityMerge.counter(["rebirth_count"], in: value) ?? 0 }
    var rebirth: IdentityChange.Rebirth?
    if rebirths(after) > rebirths(before) + logged {
      rebirth = .init(time: after["last_rebirth"]?.text ?? Instant.now().description, count: rebirths(after))
    }
    return updates.isEmptyObject && rebirth == nil ? nil : IdentityChange(updates: updates, rebirth: rebirth)
  }
}

extension Commit {
  /// Whether this program made it, as its trailer says.
  var isOurs: Bool { message.contains("\n\(CommitMessage.agentTrailer)") }
}

extension JSONValue {
  /// The object with the value at a path of keys, made on the way where there is none.
  fileprivate func setting(_ path: ArraySlice<String>, to value: JSONValue) -> JSONValue {
    guard let key = path.first else { return value }
    guard case .object(let members) = self else { return self }
    let name = JSONString(key)
    let inner = (self[name] ?? .emptyObject).setting(path.dropFirst(), to: value)
    return .object(members.filter { $0.key != name } + [.init(name, inner)])
  }
}
