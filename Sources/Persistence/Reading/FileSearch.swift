package import Records

/// Searches the files themselves, while there is no database to ask: every word must be there, in any case.
struct FileSearch {
  let files: AgentFiles

  /// Read at once: other readers get their turn in between.
  private static let batch = 200

  /// At most one hit more than a page, in order.
  func hits(_ query: RecordSearch.Query) async throws -> [RecordSearch.Hit] {
    let terms = Terms(query.text)
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
    _ record: Record, _ kind: RecordSearch.Kind, key: String, path: RecordPath, terms: Terms
  ) -> RecordSearch.Hit? {
    let (title, text) =
      switch record {
      case .decision(let decision):
        (
          [decision.decisionType, decision.asset].compactMap { $0 }.joined(separator: " "),
          "\(decision.action) \(decision.reasoning)"
        )
      case .milestone(let milestone): (milestone.title, "\(milestone.title) \(milestone.description)")
      case .snapshot(let snapshot): (snapshot.cause.rawValue, snapshot.notes ?? "")
      case .event(let event):
        ([event.type, event.title].compactMap { $0 }.joined(separator: " - "), event.content)
      }
    guard let place = terms.match(text) else { return nil }
    return RecordSearch.Hit(
      position: .init(time: record.time ?? .earliest, kind: kind, key: key), time: record.time, title: title,
      excerpt: FileSearch.excerpt(of: text, around: place), path: path.text, commit: nil, isArchived: false)
  }

  /// Some words before and after the match.
  private static func excerpt(of text: String, around place: Int) -> String {
    let bytes = Array(text.utf8)
    // Never in the middle of a character's bytes.
    func boundary(_ offset: Int) -> Int {
      var offset = min(max(offset, 0), bytes.count)
      while offset > 0, offset < bytes.count, bytes[offset] & 0xC0 == 0x80 { offset -= 1 }
      return offset
    }
    let (start, end) = (boundary(place - 80), boundary(place + 220))
    return (start > 0 ? "…" : "") + String(decoding: bytes[start..<end], as: UTF8.self)
      + (end < bytes.count ? "…" : "")
  }

  /// What a query asks for, without the stemming of the database.
  private struct Terms {
    private var wanted: [[UInt8]] = []
    private var unwanted: [[UInt8]] = []

    var isEmpty: Bool { wanted.isEmpty }

    init(_ query: String) {
      for (index, part) in query.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
        if index % 2 == 1 {
          if !part.isEmpty { wanted.append(part.utf8.map(lowercase)) }
          continue
        }
        for word in part.split(whereSeparator: \.isWhitespace) where word.lowercased() != "or" {
          if word.hasPrefix("-") {
            if word.count > 1 { unwanted.append(word.dropFirst().utf8.map(lowercase)) }
          } else {
            wanted.append(word.utf8.map(lowercase))
          }
        }
      }
    }

    /// The byte at which the first wanted term stands; nil where one is missing or an unwanted one is there.
    func match(_ text: String) -> Int? {
      var text = text
      return text.withUTF8 { bytes in
        var first: Int?
        for term in wanted {
          guard let place = position(of: term, in: bytes) else { return nil }
          if first == nil { first = place }
        }
        return unwanted.contains { position(of: $0, in: bytes) != nil } ? nil : first
      }
    }

    /// Letters of ASCII match in any case, everything else byte by byte.
    private func position(of term: [UInt8], in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
      guard let first = term.first else { return 0 }
      var start = 0
      while start + term.count <= bytes.count {
        if lowercase(bytes[start]) == first,
          term.indices.allSatisfy({ lowercase(bytes[start + $0]) == term[$0] })
        {
          return start
        }
        start += 1
      }
      return nil
    }
  }
}

private func lowercase(_ byte: UInt8) -> UInt8 {
  (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
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
