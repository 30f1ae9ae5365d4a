package import Git
internal import Records
internal import SecretScan

/// Looks for secrets that git holds already, below `.moha`: in files, in their names and in commits' messages.
///
/// What came before the scan did, or past it with a person's own commit, stays in history whatever becomes of the file.
/// Nothing here changes git. Findings that the allow-list names are left out.
package struct SecretSurvey: Sendable {
  private let repository: Repository
  private let gate: SecretGate

  private static let folder: GitPath = ".moha"

  /// Throws `.invalidRequest` where the allow-list cannot be read.
  package init(_ repository: Repository) throws {
    self.repository = repository
    gate = try repository.workTree.map { try SecretGate(workTree: $0) } ?? SecretGate()
  }

  package struct Look: Sendable {
    /// In the order of the files' paths, or of the history.
    package var secrets: [StoredSecret] = []
    /// Files that were looked at.
    package var fileCount = 0
    /// Files that were left out, since the time or the room had run out, or since they cannot be read.
    package var leftOut = 0
  }

  // MARK: HEAD

  /// Looks at the files of HEAD in the order of their paths, until `byteLimit` bytes were read or `limit` has passed since
  /// the first one: the scanner's tables are made with that.
  package func head(byteLimit: Int = 64 << 20, within limit: Duration) async throws -> Look {
    guard let head = try await repository.head().commit else { return Look() }
    let tree = try await repository.commit(head).tree
    let files = try await repository.files(inTree: tree, under: Self.folder).filter { $0.mode.isBlob }
    let gate = gate
    var state = HeadState(room: byteLimit)
    state = try await repository.read(files.map(SnapshotEntry.init), limit: GitRecordReader.logLimit, into: state) {
      state, index, content in
      guard state.room > 0, !state.isLate else { return false }
      guard case .success(let bytes) = content else { return true }
      state.room -= bytes.count
      state.fileCount += 1
      let path = files[index].path
      for finding in gate.findings(inName: path).prefix(1) {
        state.found.append((path, StoredSecret(finding, .name(gate.maskedName(path)), commit: nil)))
      }
      for finding in gate.findings(Array(bytes)) {
        state.found.append(
          (path, StoredSecret(finding, .file(gate.maskedName(path), line: finding.line), commit: nil)))
      }
      if state.deadline == nil { state.deadline = .now + limit }
      return state.found.count < SecretMemo.limit
    }
    var look = Look(fileCount: state.fileCount, leftOut: files.count - state.fileCount)
    for (path, secret) in state.found {
      var secret = secret
      if !state.isLate { secret.commit = try? await origin(of: secret, at: path, from: head) }
      look.secrets.append(secret)
    }
    return look
  }

  private struct HeadState: Sendable {
    var room: Int
    var deadline: ContinuousClock.Instant?
    var fileCount = 0
    var found: [(GitPath, StoredSecret)] = []

    var isLate: Bool { deadline.map { $0 <= .now } ?? false }
  }

  /// The commit since which the file holds the secret, by halves: whatever a file got it rarely loses and gets again.
  private func origin(of secret: StoredSecret, at path: GitPath, from head: ObjectID) async throws -> ObjectID? {
    let revisions = try await repository.history(of: path, from: head).prefix { $0.blob != nil }
    guard !revisions.isEmpty else { return nil }
    if case .name = secret.place { return revisions.last?.commit.id }
    var holding = 0
    var lacking = revisions.count
    while lacking - holding > 1 {
      let middle = (holding + lacking) / 2
      guard let blob = revisions[middle].blob else { return nil }
      let bytes = try await repository.blob(blob, limit: GitRecordReader.logLimit)
      if gate.findings(bytes).contains(where: { $0.fingerprint.description == secret.fingerprint }) {
        holding = middle
      } else {
        lacking = middle
      }
    }
    return revisions[holding].commit.id
  }

  // MARK: History

  /// Looks at every version of every file that any commit reachable from HEAD holds, each once, and at the messages of
  /// the commits that brought them; of a version that follows another only at the lines that are new.
  ///
  /// What an earlier look has seen is not looked at again, and this one is remembered in the git folder. A history that
  /// was rewritten is looked through from its start. Cancelling it remembers nothing.
  package func history() async throws -> Look {
    guard let head = try await repository.head().commit else { return Look() }
    var memo = SecretMemo(of: repository)
    if let seen = memo.commit, (try? await repository.distance(from: head, to: seen)) != 0 { memo = SecretMemo() }
    var look = Look()
    if memo.commit != head {
      var walk = HistoryWalk(repository: repository, memo: memo)
      for step in try await repository.history(under: Self.folder, from: head, since: memo.commit).reversed() {
        try Task.checkCancellation()
        try await walk.take(step.commit, step.changes)
      }
      memo = walk.memo
      memo.commit = head
      look.fileCount = walk.blobCount
      try memo.save(in: repository)
    }
    look.secrets = memo.secrets.filter { !gate.allows($0.fingerprint) }
    look.leftOut = memo.unreadCount
    return look
  }

  /// The commits from the oldest to the newest. Allows nothing: what is remembered outlives the allow-list.
  private struct HistoryWalk {
    let repository: Repository
    var memo: SecretMemo
    var blobCount = 0

    private let gate = SecretGate()
    private var seen: Set<ObjectID> = []
    private var known: Set<StoredSecret.Key>
    /// The newest version of the file that was read last: the next commit changes the same log, as a rule.
    private var latest: (id: ObjectID, bytes: [UInt8])?

    init(repository: Repository, memo: SecretMemo) {
      self.repository = repository
      self.memo = memo
      known = Set(memo.secrets.map(\.key))
    }

    mutating func take(_ commit: Commit, _ changes: [TreeChange]) async throws {
      for finding in gate.findings(Array(commit.message.utf8)) {
        add(StoredSecret(finding, .message(line: finding.line), commit: commit.id))
      }
      for change in changes {
        guard let new = change.new, new.mode.isBlob else { continue }
        if change.old == nil, let finding = gate.findings(inName: change.path).first {
          add(StoredSecret(finding, .name(gate.maskedName(change.path)), commit: commit.id))
        }
        guard seen.insert(new.id).inserted else { continue }
        guard let bytes = await bytes(of: new.id) else {
          memo.unreadCount += 1
          continue
        }
        blobCount += 1
        var old: [UInt8] = []
        if let entry = change.old, entry.mode.isBlob { old = await self.bytes(of: entry.id) ?? [] }
        latest = (new.id, bytes)
        let added = AddedLines(bytes, over: old)
        for finding in gate.findings(added.bytes) {
          let place = StoredSecret.Place.file(gate.maskedName(change.path), line: finding.line + added.offset)
          add(StoredSecret(finding, place, commit: commit.id))
        }
      }
    }

    private func bytes(of id: ObjectID) async -> [UInt8]? {
      if let latest, latest.id == id { return latest.bytes }
      return try? await repository.blob(id, limit: GitRecordReader.logLimit)
    }

    private mutating func add(_ secret: StoredSecret) {
      guard memo.secrets.count < SecretMemo.limit, known.insert(secret.key).inserted else { return }
      memo.secrets.append(secret)
    }
  }
}
