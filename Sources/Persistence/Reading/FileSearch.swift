package import Records

/// Searches the files themselves, while there is no database to ask: with the same language and the same hits as there,
/// insights aside, which no file has.
struct FileSearch {
  let files: AgentFiles

  /// Read at once: other readers get their turn in between.
  private static let batch = 200

  /// At most one hit more than a page, in order.
  func hits(_ query: RecordSearch.Query) async throws -> [RecordSearch.Hit] {
    let terms = SearchQuery(query.text)
    guard !terms.isEmpty else { return [] }
    var hits: [RecordSearch.Hit] = []
    for (kind, searched) in [(RecordKind.decision, RecordSearch.Kind.decisions), (.milestone, .milestones)]
    where query.kinds.contains(searched) {
      let paths = await files.listing(of: kind).paths
      for batch in paths.chunks(of: FileSearch.batch) {
        try Task.checkCancellation()
        for (path, content) in zip(batch, await files.readAll(batch)) {
          guard let content else { continue }
          let role = TreeLayout.role(of: path, agent: files.agent)
          guard let record = RecordFile.decode(content.bytes, role: role, path: path).record else { continue }
          let key = RecordKey(fileName: path.fileName, agent: files.agent)
          if let hit = hit(record, searched, key: key.text, path: path, terms: terms) { hits.append(hit) }
        }
        keepNewest(&hits, query)
      }
    }
    if query.kinds.contains(.memory) {
      var seen: Set<String> = []
      for path in await files.logs() {
        try Task.checkCancellation()
        guard let content = await files.read(path, limit: GitRecordReader.logLimit) else { continue }
        for entry in SessionLog.parse(content.bytes, path: path).entries where seen.insert(entry.recordKey).inserted {
          if let hit = hit(.event(entry.event), .memory, key: entry.recordKey, path: path, terms: terms) {
            hits.append(hit)
          }
        }
        keepNewest(&hits, query)
      }
    }
    return hits
  }

  private func keepNewest(_ hits: inout [RecordSearch.Hit], _ query: RecordSearch.Query) {
    if let after = query.after { hits.removeAll { !(after < $0.position) } }
    hits.sort { $0.position < $1.position }
    if hits.count > query.limit + 1 { hits.removeSubrange((query.limit + 1)...) }
  }

  private func hit(
    _ record: Record, _ kind: RecordSearch.Kind, key: String, path: RecordPath, terms: SearchQuery
  ) -> RecordSearch.Hit? {
    let (title, text) =
      switch record {
      case .decision(let decision):
        (
          [decision.decisionType, decision.asset].compactMap { $0 }.joined(separator: " "),
          FileSearch.searched(decision.action, decision.reasoning)
        )
      case .milestone(let milestone): (milestone.title, FileSearch.searched(milestone.title, milestone.description))
      case .snapshot(let snapshot): (snapshot.cause.rawValue, snapshot.notes ?? "")
      case .event(let event):
        (
          [event.type, event.title].compactMap { $0 }.joined(separator: " - "),
          FileSearch.prefix(of: event.content, FileSearch.limit)
        )
      }
    guard let place = terms.match(text) else { return nil }
    return RecordSearch.Hit(
      position: .init(time: record.time ?? .earliest, kind: kind, key: key), time: record.time, title: title,
      excerpt: FileSearch.excerpt(of: text, around: place), path: path.text, commit: nil, isArchived: false)
  }

  /// The part of a record that is searched, as `SearchedText` cuts it.
  private static func searched(_ head: String, _ body: String) -> String {
    prefix(of: "\(prefix(of: head, headLimit)) \(body)", limit)
  }

  /// Characters as the database counts them.
  private static let limit = 100_000
  private static let headLimit = 30_000

  private static func prefix(of text: String, _ count: Int) -> String {
    // As many bytes are as many characters at most.
    text.utf8.count <= count ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(count)))
  }

  /// Some words before and after the match, which is at this scalar.
  private static func excerpt(of text: String, around place: Int) -> String {
    let scalars = text.unicodeScalars
    let match = scalars.index(scalars.startIndex, offsetBy: place, limitedBy: scalars.endIndex) ?? scalars.endIndex
    let start = scalars.index(match, offsetBy: -80, limitedBy: scalars.startIndex) ?? scalars.startIndex
    let end = scalars.index(match, offsetBy: 220, limitedBy: scalars.endIndex) ?? scalars.endIndex
    return (start > scalars.startIndex ? "…" : "") + String(scalars[start..<end])
      + (end < scalars.endIndex ? "…" : "")
  }
}

extension AgentFiles {
  /// The session log and its rotated months, oldest first.
  package func logs() -> [RecordPath] {
    let folder = agent.root.appending("session_log")
    let rotated = (list(folder)?.files ?? []).map { folder.appending($0) }.filter {
      TreeLayout.role(of: $0, agent: agent) == .rotatedLog
    }
    return rotated.sorted() + [TreeLayout.sessionLog(of: agent)]
  }

  func readAll(_ paths: [RecordPath]) -> [Content?] {
    paths.map { read($0) }
  }
}
