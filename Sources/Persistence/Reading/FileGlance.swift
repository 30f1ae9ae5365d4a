internal import Records

/// What the files of a working tree show at a glance, for readers whose database is away.
package struct FileGlance: Sendable {
  package struct Item: Sendable {
    /// The file's name, hidden characters and all.
    package let file: String
    /// Nil for a file that went away meanwhile.
    package let header: RecordHeader?
  }

  /// How many files there are, and the newest of them, newest first.
  package let decisionCount: Int
  package let decisions: [Item]
  package let milestoneCount: Int
  package let milestones: [Item]
  /// The newest entries of the session log, newest first: `time`, `type`, `text`, as of `RecordQueries.newestEvents`.
  package let events: Dataset
}

extension AgentRecords {
  /// Reads the newest files of each kind, a bounded number of bytes. Needs no database.
  package func glance(limit: Int = 12) async -> FileGlance {
    async let events = newestEntries(limit: limit)
    func newest(_ kind: RecordKind) async -> (count: Int, items: [FileGlance.Item]) {
      let listing = await files.listing(of: kind)
      let paths = Array(listing.paths.prefix(limit))
      let headers = await files.headers(paths)
      return (
        listing.paths.count,
        zip(paths, headers).map { FileGlance.Item(file: RecordPath($0.fileName).text, header: $1) }
      )
    }
    let decisions = await newest(.decision)
    let milestones = await newest(.milestone)
    return FileGlance(
      decisionCount: decisions.count, decisions: decisions.items, milestoneCount: milestones.count,
      milestones: milestones.items, events: await events)
  }

  /// The newest entries of the session log as its files have them, their texts cut; newest first.
  package func newestEntries(limit: Int = 50, textLimit: Int = 600) async -> Dataset {
    var rows: [[Dataset.Cell]] = []
    for path in await files.logs().reversed() where rows.count < limit {
      let size = await files.stamps([path])[0]?.size ?? 0
      let offset = max(0, size - AgentRecords.tail)
      guard let content = await files.read(path, from: offset, limit: AgentRecords.tail * 2) else { continue }
      let parsed = SessionLog.parse(content.bytes, path: path).entries
      // What is cut in its middle begins with half an entry, which only a heading of the writer's form ends.
      let entries = offset == 0 ? parsed : Array(parsed.drop { $0.generation != 2 }.dropFirst())
      for entry in entries.reversed().prefix(limit - rows.count) {
        let text = entry.event.content.unicodeScalars
        let shown = text.count > textLimit
          ? String(String.UnicodeScalarView(text.prefix(textLimit))) + "…" : entry.event.content
        rows.append([entry.event.time.map { .time($0) } ?? .none, .text(entry.event.type), .text(shown)])
      }
    }
    return Dataset(
      [.init("time", "Time (UTC)", .time), .init("type", "Type", .text), .init("text", "Entry", .text)], rows: rows)
  }

  /// What is read of the end of a log.
  private static let tail = 128 << 10
}
