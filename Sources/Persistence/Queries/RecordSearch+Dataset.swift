internal import Records

extension RecordSearch.Position {
  /// Reads what `text` gave; nil for anything else.
  package init?(text: String) {
    let fields = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard fields.count == 3, let time = Int64(fields[0]).flatMap({ Instant(microseconds: $0) }),
      let kind = RecordSearch.Kind(rawValue: String(fields[1]))
    else { return nil }
    self.init(time: time, kind: kind, key: String(fields[2]))
  }

  /// The place as a word; its key is a record's own, so it needs the escaping of wherever it is put.
  package var text: String { "\(time.microseconds).\(kind.rawValue).\(key)" }
}

extension RecordSearch.Page {
  package var dataset: Dataset {
    Dataset(
      [
        .init("time", "Time (UTC)", .time), .init("kind", "Kind", .text), .init("key", "Key", .text),
        .init("title", "Title", .text), .init("excerpt", "Excerpt", .text), .init("path", "Path", .text),
        .init("commit", "Commit", .hash), .init("archived", "Archived", .flag),
      ],
      rows: hits.map { hit in
        [
          hit.time.map { .time($0) } ?? .none, .text(hit.position.kind.rawValue), .text(hit.position.key),
          .text(hit.title), .text(hit.excerpt), .text(hit.path), .text(hit.commit), .flag(hit.isArchived),
        ]
      })
  }
}
