internal import Git
internal import Records

/// Files of the tree that are no records by their names, and look as if they were meant to be.
///
/// A file in `decisions/` or `milestones/` that is written like a record and not named like one would be passed over in
/// silence; so would a copy of the session log with entries that nothing else holds. Each is a finding: what the files
/// hold is what is a record or is named. None of them becomes a record by itself, since whoever gave it that name may
/// have wanted it left out.
struct StrayFiles {
  let source: RecordSource
  let repository: Repository

  /// More are counted by `doctor`, and not read.
  private static let limit = 500

  /// - Parameter records: what the tree holds; entries of a log among them are found elsewhere.
  func findings(beside records: [GitRecord]) async throws -> [Diagnostic] {
    var findings: [Diagnostic] = []
    var events: Set<ContentHash>?
    for entry in candidates {
      let path = RecordPath(entry.path.bytes)
      let bytes: [UInt8]
      do {
        bytes = try await repository.contents(of: entry, limit: GitRecordReader.fileLimit)
      } catch let error as GitError where error.isOfFileThatMoves {
        // An editor's backup comes and goes, and is no record.
        continue
      } catch let error as GitError where GitRecordReader.isOfFile(error) {
        findings.append(finding(.info, path, "stray-file", "its name is no record's, and it cannot be read: \(error.message)"))
        continue
      }
      switch StrayFiles.place(of: entry.path, agent: source.agent) {
      case .records(let role): findings.append(judged(bytes, as: role, path))
      case .log:
        let known = events ?? Set(records.lazy.filter { $0.kind == .event }.map(\.contentHash))
        events = known
        findings += judgedLog(bytes, path, beside: known)
      case nil: break
      }
    }
    return findings
  }

  // MARK: Which files

  private enum Place {
    /// In a folder of records of this role.
    case records(FileRole)
    /// Named after the session log.
    case log
  }

  private var candidates: [SnapshotEntry] {
    Array(
      source.entries.lazy.filter { entry in
        entry.mode != .symlink && entry.mode != .submodule
          && TreeLayout.role(of: RecordPath(entry.path.bytes), agent: source.agent) == .other
          && StrayFiles.place(of: entry.path, agent: source.agent) != nil
      }.prefix(StrayFiles.limit))
  }

  private static func place(of path: GitPath, agent: Agent) -> Place? {
    let name = Array(path.lastComponent)
    guard name.first != UInt8(ascii: "."), !Litter.isName(name) else { return nil }
    let lower = String(decoding: name, as: UTF8.self).lowercased()
    let isText = [".md", ".markdown", ".txt", ".bak", ".orig", ".old"].contains { lower.hasSuffix($0) }
    func isBelow(_ folder: RecordPath) -> Bool { path.bytes.starts(with: folder.bytes + [GitPath.separator]) }
    if isBelow(TreeLayout.decisions(of: agent)), isText { return .records(.decision) }
    if isBelow(TreeLayout.milestones(of: agent)), isText { return .records(.milestone) }
    if isBelow(TreeLayout.snapshots(of: agent)), lower.hasSuffix(".json") { return .records(.snapshot) }
    let isLog = lower.contains("session_log") || lower.contains("session-log") || lower.contains("sessionlog")
    return isBelow(agent.root) && isLog ? .log : nil
  }

  // MARK: What they are

  private func judged(_ bytes: [UInt8], as role: FileRole, _ path: RecordPath) -> Diagnostic {
    let decoded = RecordFile.decode(bytes, role: role, path: path)
    let kind = role.rawValue
    guard let record = decoded.record, !decoded.diagnostics.contains(where: { $0.severity == .error }) else {
      return finding(.info, path, "no-record", "it lies among the \(kind)s and is none: it is committed, and has no row")
    }
    let name =
      if case .snapshot(let snapshot) = record { TreeLayout.snapshotFileName(at: snapshot.takenAt, ordinal: 1) } else {
        "a name that ends in .md"
      }
    return finding(
      .warning, path, "stray-record",
      "it reads as a \(kind) and has no row, since its name is no \(kind)'s: "
        + "`git mv` it to \(name) in the folder of its kind to make it one")
  }

  private func judgedLog(_ bytes: [UInt8], _ path: RecordPath, beside known: Set<ContentHash>) -> [Diagnostic] {
    let entries = SessionLog.parse(bytes, path: path).distinctEntries
    guard !entries.isEmpty else { return [] }
    let missing = entries.count { !known.contains($0.contentHash) }
    guard missing > 0 else {
      return [finding(.info, path, "log-copy", "its \(entries.count) entries are all in the session log's history")]
    }
    return [
      finding(
        .warning, path, "stray-log",
        "\(missing) of its \(entries.count) entries are in no log, and so are no events: "
          + "append them to session_log.md to make them such")
    ]
  }

  private func finding(
    _ severity: Diagnostic.Severity, _ path: RecordPath, _ code: String, _ message: String
  ) -> Diagnostic {
    Diagnostic(severity: severity, code: code, path: path, line: nil, message: message)
  }
}
