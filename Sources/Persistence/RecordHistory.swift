package import Git
package import Records

/// What changed in an agent's records, commit by commit.
package struct RecordHistory: Sendable {
  package let repository: Repository
  package let agent: Agent

  package init(repository: Repository, agent: Agent) {
    self.repository = repository
    self.agent = agent
  }

  package struct Change: Sendable {
    package enum Action: String, Sendable {
      case added
      case changed
      case removed
    }

    package let action: Action
    /// `decisions`, `milestones`, `memory`, or `files` for what is no record.
    package let kind: String
    /// A file's name, or an event's time and type.
    package let key: String
    package let path: String
    package let fields: [FieldDifference]
  }

  package struct Step: Sendable {
    package let commit: Commit
    package let changes: [Change]
  }

  /// Steps from after `from` (the root when nil) up to and including `to`, newest first, at most `limit`.
  package func steps(from: String?, to: String, limit: Int) async throws -> [Step] {
    let end = try await repository.resolve(to)
    var start: ObjectID?
    if let from { start = try await repository.resolve(from) }
    let root = GitPath(agent.root.bytes)
    var steps: [Step] = []
    var logs = ParsedLogs(repository: repository)
    for change in try await repository.history(under: root, from: end, since: start, limit: limit) {
      steps.append(Step(commit: change.commit, changes: try await changes(of: change.changes, &logs)))
    }
    return steps
  }

  private func changes(of files: [TreeChange], _ logs: inout ParsedLogs) async throws -> [Change] {
    var changes: [Change] = []
    for file in files {
      let path = RecordPath(file.path.bytes)
      let role = TreeLayout.role(of: path, agent: agent)
      let action: Change.Action = file.old == nil ? .added : file.new == nil ? .removed : .changed
      switch role {
      case .sessionLog, .rotatedLog:
        let (new, old) = try await (logs.entries(of: file.new), logs.entries(of: file.old))
        let (oldKeys, newKeys) = (Set(old.map(\.recordKey)), Set(new.map(\.recordKey)))
        for (action, entries, others) in [(Change.Action.added, new, oldKeys), (.removed, old, newKeys)] {
          for entry in entries where !others.contains(entry.recordKey) {
            let time = entry.event.time?.description ?? entry.event.timeText ?? "no time"
            changes.append(
              Change(
                action: action, kind: RecordKind.event.name, key: "\(time) \(entry.event.type)", path: path.text,
                fields: []))
          }
        }
      case .decision, .milestone, .snapshot:
        let (old, new) = try await (record(file.old, role: role), record(file.new, role: role))
        var fields: [FieldDifference] = []
        if let old, let new { fields = new.fieldDifferences(from: old) }
        changes.append(
          Change(
            action: action, kind: role.kind?.name ?? "files", key: RecordPath(Array(file.path.lastComponent)).text,
            path: path.text, fields: fields))
      case .identity, .persona, .infrastructure, .other:
        changes.append(
          Change(
            action: action, kind: "files", key: RecordPath(Array(file.path.lastComponent)).text, path: path.text,
            fields: []))
      }
    }
    return changes
  }

  private func record(_ entry: TreeEntry?, role: FileRole) async throws -> Record? {
    guard let entry, entry.mode.isBlob else { return nil }
    let bytes = try await repository.blob(entry.id, limit: GitRecordReader.fileLimit)
    return RecordFile.decode(bytes, role: role, path: RecordPath(entry.path.bytes)).record
  }

  /// `history --json`.
  package func json(_ steps: [Step]) -> JSONValue {
    Report.object([
      "schema": .integer(Report.schemaVersion), "agent": .string(agent.name),
      "steps": .array(
        steps.map { step in
          Report.object([
            "commit": .string(step.commit.id.description), "author": .string(step.commit.author.name),
            "time": Report.string(
              Instant(seconds: step.commit.author.time)?
                .description),
            "message": .string(step.commit.message),
            "changes": .array(
              step.changes.map { change in
                Report.object([
                  "action": .string(change.action.rawValue), "kind": .string(change.kind), "key": .string(change.key),
                  "path": .string(change.path),
                  "fields": .array(
                    change.fields.map { field in
                      Report.object([
                        "name": .string(field.name), "new": Report.string(field.git), "old": Report.string(field.row),
                      ])
                    }),
                ])
              }),
          ])
        }),
    ])
  }
}

/// Entries of versions of logs. From commit to commit the older version of one step is the newer one of the next, so the
/// last one is kept for each log.
private struct ParsedLogs {
  let repository: Repository
  private var last: [GitPath: (blob: ObjectID, entries: [LogEntry])] = [:]

  init(repository: Repository) { self.repository = repository }

  mutating func entries(of entry: TreeEntry?) async throws -> [LogEntry] {
    guard let entry, entry.mode.isBlob else { return [] }
    if let known = last[entry.path], known.blob == entry.id { return known.entries }
    let bytes = try await repository.blob(entry.id, limit: GitRecordReader.logLimit)
    let entries = SessionLog.parse(bytes, path: RecordPath(entry.path.bytes)).entries
    last[entry.path] = (entry.id, entries)
    return entries
  }
}
