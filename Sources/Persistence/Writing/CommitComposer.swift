internal import Git
internal import Glibc
internal import Records

/// What the journal's writes make of the files of a commit.
///
/// Content is made from HEAD's version and the journal, never from the file of the working tree: a person's command may have
/// put an older version there a moment ago, and may again. Each write is asked first whether the tree holds it already, so
/// the same write twice is made once, and a write that a person has committed is nobody's any more. The same question,
/// asked of the new commit's tree, is the proof of an acknowledgement.
///
/// Runs on the repository's thread, possibly several times while HEAD moves.
struct CommitComposer: Sendable {
  /// In the order in which they were made.
  let entries: [JournalEntry]
  /// The present bytes of logs and identities that HEAD does not have; they have passed the scan for secrets.
  let firstVersions: [GitPath: [UInt8]]
  /// The paths at which writes of the journal have their files: they are nobody else's second choice.
  private let ownPaths: Set<GitPath>

  init(_ entries: [JournalEntry], firstVersions: [GitPath: [UInt8]] = [:]) {
    self.entries = entries
    self.firstVersions = firstVersions
    ownPaths = Set(entries.map(\.path))
  }

  /// The content of every file that the writes change, on top of `parent`.
  func files(
    on parent: ObjectID?, in repository: isolated Repository
  ) throws(GitError) -> [GitPath: CommitRequest.FileContent] {
    var state = try TreeState(of: parent, firstVersions, without: entries, repository)
    for entry in entries {
      if try isHeld(entry, by: &state, repository) { continue }
      if try isRemoved(entry, before: parent, repository) { continue }
      try apply(entry, to: &state, repository)
    }
    try state.countDecisions(repository)
    return state.changed.mapValues { CommitRequest.FileContent($0) }
  }

  /// The writes that a commit holds, or that a person's commit before it took out again, by name: each with the path of its
  /// file.
  func held(by commit: ObjectID, in repository: isolated Repository) throws(GitError) -> [String: GitPath] {
    var state = try TreeState(of: commit, [:], without: [], repository)
    var held: [String: GitPath] = [:]
    for entry in entries {
      if try isHeld(entry, by: &state, repository) {
        held[entry.name] = try place(of: entry, in: &state, repository) ?? entry.path
      } else if try isRemoved(entry, before: commit, repository) {
        held[entry.name] = entry.path
      }
    }
    return held
  }

  // MARK: Asking

  private func isHeld(
    _ entry: JournalEntry, by state: inout TreeState, _ repository: isolated Repository
  ) throws(GitError) -> Bool {
    switch entry.operation {
    case .create:
      return try place(of: entry, in: &state, repository) != nil
    case .append(let offset):
      return try holdsEvent(entry, offset: offset, &state, repository)
    case .identity:
      guard let change = IdentityChange(entry.content) else { return true }
      guard let document = try state.document(entry.path, repository) else { return false }
      return (try? change.applied(to: document).value) == document.value
    case .recount:
      guard let document = try state.document(entry.path, repository), let agent = entry.agent else { return true }
      return IdentityMerge.counter(["total_decisions"], in: document.value)
        == (try state.decisionCount(agent, repository))
    case .takeIdentity:
      // Earlier versions wrote it beside a record, which is counted with that, or with its whole content.
      return true
    case .rotate(let rotation):
      let log = try state.bytes(entry.path, repository) ?? []
      var position = 0
      for part in rotation.parts {
        let added = entry.content[position..<(position + part.length)]
        position += part.length
        guard holds(try state.bytes(part.path, repository) ?? [], Array(added)) else {
          return false
        }
      }
      return !isRotatable(log, rotation)
    }
  }

  /// How many commits are looked through for one that held a write which HEAD lacks.
  private static let lookBack = 400

  /// Whether an earlier commit held a write that is left over in the journal, so that a person's commit took it out since.
  ///
  /// Asked only of writes whose writer is gone: of a power cut, which can bring entries back that were done with.
  private func isRemoved(
    _ entry: JournalEntry, before commit: ObjectID?, _ repository: isolated Repository
  ) throws(GitError) -> Bool {
    guard let commit, entry.isOrphaned || entry.state == .pending else { return false }
    // No commit from before the write can have held it; clocks may differ by a minute.
    let earliest = (entry.time ?? .min + 60) - 60
    var isFound = false
    switch entry.operation {
    case .create:
      let id = ObjectID.blob(entry.content)
      try repository.visitVersions(
        of: entry.path, from: commit, limit: CommitComposer.lookBack, earliest: earliest
      ) { (version) throws(GitError) in
        isFound = version == id
        return !isFound
      }
    case .append:
      try repository.visitVersions(
        of: entry.path, from: commit, limit: CommitComposer.lookBack, earliest: earliest
      ) { (version) throws(GitError) in
        isFound = holds(try repository.blob(version, limit: GitRecordReader.logLimit), entry.content)
        return !isFound
      }
    case .identity, .recount, .takeIdentity, .rotate: break
    }
    return isFound
  }

  /// Where the tree has a created file: at its path, or under the name that it took because its own was taken.
  private func place(
    of entry: JournalEntry, in state: inout TreeState, _ repository: isolated Repository
  ) throws(GitError) -> GitPath? {
    guard case .create = entry.operation else { return nil }
    let id = ObjectID.blob(entry.content)
    var gaps = 0
    for candidate in names(for: entry.path) {
      guard let found = try state.entry(candidate, repository) else {
        // A name that was not free in the working tree was passed over.
        if !ownPaths.contains(candidate) { gaps += 1 }
        if gaps > CommitComposer.longestGap { return nil }
        continue
      }
      if found == id { return candidate }
      if candidate == entry.path, try isEdited(entry, &state, repository) { return candidate }
    }
    return nil
  }

  /// How many names in a row may be missing in front of a file's own.
  private static let longestGap = 4

  /// Whether a file may get a name that the tree does not have.
  ///
  /// Not one at which the working tree has something else, be it the file of another write: that would be taken for a change
  /// of this one's, and the next commit of somebody who commits all files would put it in this one's place.
  private func isFree(_ path: GitPath, for entry: JournalEntry, _ repository: isolated Repository) -> Bool {
    let isOwn = path == entry.path
    if !isOwn, ownPaths.contains(path) { return false }
    guard let workTree = repository.workTree else { return true }
    let file = WorkTreeFile(workTree: workTree, path: path)
    guard (try? file.exists()) == true else { return true }
    guard let bytes = try? repository.stored(file.read(limit: GitRecordReader.fileLimit), at: path) else { return isOwn }
    if bytes == entry.content { return true }
    // At the write's own path it is what a person made of it, unless it is another record.
    guard isOwn, let agent = entry.agent else { return isOwn }
    let recordPath = RecordPath(path.bytes)
    let role = TreeLayout.role(of: recordPath, agent: agent)
    func time(_ bytes: [UInt8]) -> Instant? { RecordFile.decode(bytes, role: role, path: recordPath).record?.time }
    guard let present = time(bytes) else { return true }
    return present == time(entry.content)
  }

  /// Whether other bytes at a record's path are a later version of the record, as its time tells.
  private func isEdited(
    _ entry: JournalEntry, _ state: inout TreeState, _ repository: isolated Repository
  ) throws(GitError) -> Bool {
    guard let agent = entry.agent, let bytes = try state.bytes(entry.path, repository) else { return false }
    let path = RecordPath(entry.path.bytes)
    let role = TreeLayout.role(of: path, agent: agent)
    guard let ours = RecordFile.decode(entry.content, role: role, path: path).record?.time else { return false }
    return RecordFile.decode(bytes, role: role, path: path).record?.time == ours
  }

  /// The path itself, then with the ordinals that a second record of the same second would have.
  private func names(for path: GitPath) -> some Sequence<GitPath> {
    let name = Array(path.lastComponent)
    let dot = name.lastIndex(of: UInt8(ascii: ".")) ?? name.endIndex
    let folder = path.parent ?? .root
    return (1...1_000).lazy.map { ordinal in
      ordinal == 1 ? path : folder.appending(name[..<dot] + Array("_\(ordinal)".utf8) + name[dot...])
    }
  }

  private func holdsEvent(
    _ entry: JournalEntry, offset: Int, _ state: inout TreeState, _ repository: isolated Repository
  ) throws(GitError) -> Bool {
    let log = try state.bytes(entry.path, repository) ?? []
    if log.count >= offset + entry.content.count, log[offset...].starts(with: entry.content) { return true }
    if holds(log, entry.content) { return true }
    guard let event = entry.event, let agent = entry.agent else { return false }
    // It may have been rotated.
    if let time = event.event.time {
      let month = GitPath(TreeLayout.rotatedLog(of: agent, at: time).bytes)
      if try state.recordKeys(month, repository).contains(event.recordKey) { return true }
    }
    // What has waited for long may have other line ends by now.
    guard entry.state != .begun || !entry.owner.isAlive else { return false }
    return try state.recordKeys(entry.path, repository).contains(event.recordKey)
  }

  /// Whether a log still is the one that a rotation cuts: nothing but an end was added to it.
  private func isRotatable(_ log: [UInt8], _ rotation: JournalEntry.Rotation) -> Bool {
    let size = rotation.size ?? log.count
    return log.count >= size && (rotation.cuts.last?.upperBound ?? 0) <= size
      && ObjectID.blob(Array(log[..<size])) == rotation.log
  }

  private func holds(_ bytes: [UInt8], _ part: [UInt8]) -> Bool { bytes.firstOffset(of: part) != nil }

  // MARK: Doing

  private func apply(
    _ entry: JournalEntry, to state: inout TreeState, _ repository: isolated Repository
  ) throws(GitError) {
    switch entry.operation {
    case .create:
      for candidate in names(for: entry.path)
      where try state.entry(candidate, repository) == nil && isFree(candidate, for: entry, repository) {
        state.put(candidate, entry.content)
        break
      }
      guard let agent = entry.agent else { return }
      if TreeLayout.role(of: RecordPath(entry.path.bytes), agent: agent) == .decision { state.newDecisions[agent, default: 0] += 1 }
    case .append:
      var log = try state.bytes(entry.path, repository) ?? []
      log += entry.content
      state.put(entry.path, log)
      guard let event = entry.event?.event, event.type == "REBIRTH", let time = event.time, let agent = entry.agent else {
        return
      }
      // A file that no commit has yet was given the rebirth together with the log.
      if !state.isFirst(TreeLayout.identity(of: agent)) {
        try state.edit(agent, repository) { document throws(JSONError) in
          try IdentityCounters.addingRebirth(at: time.description, to: document)
        }
      }
    case .identity:
      guard let change = IdentityChange(entry.content), let agent = entry.agent else { return }
      try state.edit(agent, repository) { document throws(JSONError) in try change.applied(to: document) }
    case .recount:
      if let agent = entry.agent { state.recounted.insert(agent) }
    case .takeIdentity: break
    case .rotate(let rotation):
      let log = try state.bytes(entry.path, repository) ?? []
      guard isRotatable(log, rotation) else { return }
      var position = 0
      for part in rotation.parts {
        let added = Array(entry.content[position..<(position + part.length)])
        position += part.length
        let month = try state.bytes(part.path, repository) ?? []
        if !holds(month, added) { state.put(part.path, month + added) }
      }
      state.put(entry.path, LogRotationPlan.cut(log, rotation.cuts))
    }
  }
}

/// The files of a commit as far as writes have changed them.
private struct TreeState {
  private let tree: ObjectID?
  /// Those that are used, since the commit has none.
  private var firstVersions: [GitPath: [UInt8]] = [:]
  private(set) var changed: [GitPath: [UInt8]] = [:]
  /// How many decisions came, by agent; counted at the end, after all other changes of identity.json.
  var newDecisions: [Agent: Int] = [:]
  /// Whose counters become what the commit holds, whatever they were.
  var recounted: Set<Agent> = []
  private var known: [GitPath: [UInt8]?] = [:]
  private var entries: [GitPath: ObjectID?] = [:]
  private var keys: [GitPath: Set<String>] = [:]
  private var counts: [Agent: Int] = [:]

  /// - Parameter entries: what is taken out of the first version of a log: it is appended again, each in its turn.
  init(
    of commit: ObjectID?, _ firstVersions: [GitPath: [UInt8]], without entries: [JournalEntry],
    _ repository: isolated Repository
  ) throws(GitError) {
    var tree: ObjectID?
    if let commit { tree = try repository.commit(commit).tree }
    self.tree = tree
    for (path, bytes) in firstVersions where try entry(path, repository) == nil {
      var bytes = bytes
      for entry in entries where entry.path == path {
        if case .append = entry.operation, let offset = bytes.firstOffset(of: entry.content) {
          bytes.removeSubrange(offset..<(offset + entry.content.count))
        }
      }
      self.firstVersions[path] = bytes
      put(path, bytes)
    }
  }

  /// Whether a file's bytes are those of the working tree, because no commit has it.
  func isFirst(_ path: RecordPath) -> Bool {
    firstVersions[GitPath(path.bytes)] != nil
  }

  mutating func put(_ path: GitPath, _ bytes: [UInt8]) {
    changed[path] = bytes
  }

  /// The blob at a path; nil where the tree has no file there.
  mutating func entry(_ path: GitPath, _ repository: isolated Repository) throws(GitError) -> ObjectID? {
    if let bytes = changed[path] { return ObjectID.blob(bytes) }
    if let entry = entries[path] { return entry }
    var entry: ObjectID?
    if let tree { entry = try repository.entry(at: path, inTree: tree).flatMap { $0.mode == .submodule ? nil : $0.id } }
    entries[path] = .some(entry)
    return entry
  }

  /// The bytes of a file; nil where there is none, or something other than a file.
  mutating func bytes(_ path: GitPath, _ repository: isolated Repository) throws(GitError) -> [UInt8]? {
    if let bytes = changed[path] { return bytes }
    if let bytes = known[path] { return bytes }
    var bytes: [UInt8]?
    if let tree, let entry = try repository.entry(at: path, inTree: tree), entry.mode == .regular || entry.mode == .executable {
      bytes = try repository.blob(entry.id, limit: GitRecordReader.logLimit)
    }
    known[path] = .some(bytes)
    return bytes
  }

  /// The record keys of a log's entries.
  mutating func recordKeys(_ path: GitPath, _ repository: isolated Repository) throws(GitError) -> Set<String> {
    if changed[path] == nil, let keys = keys[path] { return keys }
    let log = SessionLog.parse(try bytes(path, repository) ?? [], path: RecordPath(path.bytes))
    let found = Set(log.entries.map(\.recordKey))
    if changed[path] == nil { keys[path] = found }
    return found
  }

  /// identity.json as a document; nil where there is none, or it cannot be read.
  mutating func document(_ path: GitPath, _ repository: isolated Repository) throws(GitError) -> JSONDocument? {
    try bytes(path, repository).flatMap { bytes in
      guard let document = try? JSONDocument(bytes), case .object = document.value else { return nil }
      return document
    }
  }

  /// Changes an agent's identity.json, and makes one where there is none. One that cannot be read stays as it is: its
  /// counters are put right when somebody has mended it.
  mutating func edit(
    _ agent: Agent, _ repository: isolated Repository, _ change: (JSONDocument) throws(JSONError) -> JSONDocument
  ) throws(GitError) {
    let path = GitPath(TreeLayout.identity(of: agent).bytes)
    if try bytes(path, repository) == nil {
      put(path, IdentityCounters.first(agent, decisions: try decisionCount(agent, repository)))
    }
    guard let document = try document(path, repository), let edited = try? change(document) else { return }
    if edited.bytes != document.bytes { put(path, edited.bytes) }
  }

  /// Adds the decisions that came to the counters, or counts all of them again.
  mutating func countDecisions(_ repository: isolated Repository) throws(GitError) {
    for agent in recounted.union(newDecisions.keys).sorted() {
      let path = GitPath(TreeLayout.identity(of: agent).bytes)
      let count = newDecisions[agent] ?? 0
      var all: Int?
      if !recounted.contains(agent), firstVersions[path] == nil, let document = try document(path, repository) {
        all = IdentityMerge.counter(["total_decisions"], in: document.value).map { $0 + count }
      }
      let total = if let all { all } else { try decisionCount(agent, repository) }
      try edit(agent, repository) { document throws(JSONError) in try IdentityCounters.setting(total, in: document) }
    }
  }

  /// The decisions that the tree has with the changes.
  mutating func decisionCount(_ agent: Agent, _ repository: isolated Repository) throws(GitError) -> Int {
    var count = counts[agent] ?? 0
    if let tree, counts[agent] == nil {
      let files = try repository.files(inTree: tree, under: GitPath(TreeLayout.decisions(of: agent).bytes))
      let blobs = Dictionary(files.map { ($0.path, $0.id) }) { first, _ in first }
      count = TreeLayout.decisionCount(files.map(\.path), agent: agent) { path in
        guard let blob = blobs[path], let bytes = try? repository.blob(blob, limit: GitRecordReader.fileLimit) else {
          return true
        }
        return RecordFile.isDecision(bytes, at: path)
      }
      counts[agent] = count
    }
    return count + (newDecisions[agent] ?? 0)
  }
}
