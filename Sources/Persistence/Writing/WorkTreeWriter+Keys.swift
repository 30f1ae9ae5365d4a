internal import Git
internal import Records

extension WorkTreeWriter {
  /// What a request's idempotency key was used for; nil for a new key, or none.
  ///
  /// Throws `.keyConflict` where it was used for something else: that answer would drop this request in silence.
  func use(of request: RecordRequest) async throws -> IdempotencyKeys.Use? {
    guard let key = request.key else { return nil }
    let keys = IdempotencyKeys(journal: journal, agent: agent)
    guard
      let use = try await keys.use(
        of: key, kind: request.kind, entries: try journal.entries(), in: repository)
    else { return nil }
    var digest = use.digest
    // Earlier versions kept no digest: the record tells, where it is still there.
    if digest == nil { digest = try await record(of: use, request)?.record.timelessDigest }
    if let digest, digest != request.digest {
      throw PersistenceError(
        .keyConflict,
        "the idempotency key was used for another \(request.kind.rawValue), \(RecordPath(use.path.bytes).text): "
          + "nothing was written",
        hint: "send a new record under a new key; the same request again gets the same answer")
    }
    return use
  }

  /// The answer to a request that was made before.
  func repeated(_ request: RecordRequest, _ use: IdempotencyKeys.Use) async throws -> Staged {
    let found = try await record(of: use, request)
    // The same members as the first answer had: clients check them against one schema a tool.
    let identity = try await identityState()
    let isCounted = request.kind == .decision || request.kind == .identity
    var isRebirth = request.kind == .identity
    if case .event(let event)? = found?.record { isRebirth = event.type == "REBIRTH" }
    return Staged(
      request: request, entries: use.entry.map { [$0] } ?? [], path: use.path, record: found?.record,
      bytes: found?.bytes ?? [], totalDecisions: isCounted ? identity.counter(["total_decisions"]) : nil,
      rebirthCount: isRebirth ? identity.counter(["rebirth_count"]) : nil, isRepeated: true,
      firstCommit: use.commit, agent: agent)
  }

  /// The record that a key was used for, and the bytes of its file: from the journal, the working tree, or HEAD; nil where
  /// neither has it. On another branch another record may have its name.
  private func record(
    of use: IdempotencyKeys.Use, _ request: RecordRequest
  ) async throws -> (record: Record, bytes: [UInt8])? {
    let path = RecordPath(use.path.bytes)
    let role = TreeLayout.role(of: path, agent: agent)
    if let entry = use.entry {
      if let event = entry.event { return (.event(event.event), entry.content) }
      return RecordFile.decode(entry.content, role: role, path: path).record.map { ($0, entry.content) }
    }
    guard request.kind != .identity else { return nil }
    let file = WorkTreeFile(workTree: workTree, path: use.path)
    let present = (try? file.exists()) == true ? try? file.read(limit: GitRecordReader.logLimit) : nil
    for bytes in [present, try await headBytes(use.path)] {
      guard let bytes else { continue }
      if request.kind == .event {
        let entry = SessionLog.parse(bytes, path: path).entries.first { $0.recordKey == use.recordKey }
        if let entry { return (.event(entry.event), bytes) }
      } else if let record = RecordFile.decode(bytes, role: role, path: path).record, request.isAnswered(by: record) {
        return (record, bytes)
      }
    }
    guard request.kind == .event, let recordKey = use.recordKey, let entry = try await rotatedEntry(recordKey) else {
      return nil
    }
    return (.event(entry.event), present ?? [])
  }

  /// The entry with this key in the files of past months.
  private func rotatedEntry(_ recordKey: String) async throws -> LogEntry? {
    let folder = GitPath(agent.root.appending("session_log").bytes)
    for file in try await repository.snapshot(under: folder).entries.reversed() {
      let path = RecordPath(file.path.bytes)
      guard TreeLayout.role(of: path, agent: agent) == .rotatedLog, file.mode != .symlink else { continue }
      let bytes = try WorkTreeFile(workTree: workTree, path: file.path).read(limit: GitRecordReader.logLimit)
      let found = SessionLog.parse(bytes, path: path).entries.first { $0.recordKey == recordKey }
      if let found { return found }
    }
    return nil
  }
}

extension RecordRequest {
  /// Whether a record of a file is the one that this request made: by its key, whatever somebody has edited since, or by
  /// what it says.
  func isAnswered(by record: Record) -> Bool {
    if let key, let own = record.metadata["idempotency_key"]?.text, own.utf8.elementsEqual(key.utf8) { return true }
    return record.timelessDigest == digest
  }
}
