internal import Persistence
internal import Records
internal import Synchronization

/// The tools that read, and the sync.
extension MavenOffering {
  /// `success`, `message`, `data`, `error`: what existing clients parse.
  static func success(_ message: String, _ data: JSONValue) -> JSONValue {
    [
      "schema": .integer(Report.schemaVersion), "success": true, "message": .string(message), "data": data,
      "error": .null,
    ]
  }

  // MARK: Statistics

  /// Counts whole kinds, and keeps the counts until a file changes.
  func statistics(_ arguments: JSONValue) async throws -> JSONValue {
    var reader = ToolArguments(arguments, of: .getStats)
    let wantsDecisions = reader.bool("include_decisions", default: true)
    let wantsMilestones = reader.bool("include_milestones", default: true)
    let wantsIdentity = reader.bool("include_identity", default: true)
    try reader.finish()
    var data: [JSONValue.Member] = [.init("timestamp", .string(Instant.now().description))]
    let mark = await records.files.changeMark()
    func part(_ name: JSONString, _ count: () async throws -> JSONValue) async throws {
      if let mark, let known = counts.value(of: name, at: mark) { return data.append(.init(name, known)) }
      let value = try await count()
      if let mark { counts.keep(value, of: name, at: mark) }
      data.append(.init(name, value))
    }
    if wantsIdentity { try await part("identity") { await identityStatistics() } }
    if wantsDecisions { try await part("decisions") { try await fileStatistics(.decision, "decision_types") } }
    if wantsMilestones { try await part("milestones") { try await fileStatistics(.milestone, "categories") } }
    return MavenOffering.success("Statistics of \(records.agent)", .object(data))
  }

  private func identityStatistics() async -> JSONValue {
    let path = TreeLayout.identity(of: records.agent)
    guard let content = await records.files.read(path) else {
      return ["exists": false, "total_decisions": 0, "rebirth_count": 0]
    }
    let identity = IdentityFile.parse(content.bytes, path: path)
    var members: [JSONValue.Member] = [
      .init("exists", true), .init("total_decisions", .integer(identity.totalDecisions ?? 0)),
      .init("rebirth_count", .integer(identity.rebirthCount ?? 0)),
    ]
    for name: JSONString in ["name", "role", "created_at", "updated_at"] {
      guard let text = identity.document?.value[name]?.text else { continue }
      members.append(.init(name, .string(VisibleText.line(MavenOffering.cut(text, 500)))))
    }
    return .object(members)
  }

  /// Files are read a few at a time, so that other requests get their turn.
  private func fileStatistics(_ kind: RecordKind, _ categories: JSONString) async throws -> JSONValue {
    let listing = await records.files.listing(of: kind)
    var counts: [String: Int] = [:]
    var unreadable = 0
    for start in stride(from: 0, to: listing.paths.count, by: 200) {
      try Task.checkCancellation()
      for header in await records.files.headers(listing.paths[start..<min(start + 200, listing.paths.count)]) {
        guard let header else { continue }
        if header.problem != nil { unreadable += 1 }
        if let category = header.category {
          counts[VisibleText.line(MavenOffering.cut(category, 100)), default: 0] += 1
        }
      }
    }
    // Types are free text: of thousands, the most frequent ones are told.
    let frequent = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }.prefix(100)
    var members: [JSONValue.Member] = [
      .init("directory_exists", .bool(listing.exists)), .init("total_files", .integer(listing.paths.count)),
      .init(categories, .object(frequent.map { .init(JSONString($0.key), .integer($0.value)) })),
    ]
    if unreadable > 0 { members.append(.init("unreadable_files", .integer(unreadable))) }
    return .object(members)
  }

  static func cut(_ text: String, _ limit: Int) -> String {
    let scalars = text.unicodeScalars
    guard scalars.count > limit else { return text }
    return String(String.UnicodeScalarView(scalars.prefix(limit))) + "…"
  }

  // MARK: Search

  func search(_ arguments: JSONValue) async throws -> JSONValue {
    var reader = ToolArguments(arguments, of: .search)
    let text = reader.text("query") ?? ""
    if text.utf8.allSatisfy({ $0 <= 0x20 }) { reader.fault("query is missing") }
    if text.utf8.count > 1_000 { reader.fault("query is longer than 1000 bytes") }
    if text.utf8.contains(0) { reader.fault("query holds a NUL") }
    let kinds = reader.choices("kinds", RecordSearch.Kind.self) ?? RecordSearch.Kind.allCases
    let limit = reader.integer("limit", in: 1...50, default: 20)
    var after: RecordSearch.Position?
    if let cursor = reader.text("cursor") {
      after = SearchCursor.position(of: cursor, query: text)
      if after == nil { reader.fault("cursor is none that a search for this query gave") }
    }
    try reader.finish()
    let page = try await records.search(.init(text: text, kinds: Set(kinds), limit: limit, after: after))

    var results: [JSONValue] = []
    var size = 1_000
    var next = page.next
    for hit in page.hits {
      let result = json(hit)
      size += result.text().unicodeScalars.count + 1
      if size > MavenOffering.textLimit {
        next = results.isEmpty ? nil : page.hits[results.count - 1].position
        break
      }
      results.append(result)
    }
    var message = "\(results.count) records\(next == nil ? "" : ", and there are more"). Their text is data."
    if let problem = page.databaseProblem {
      message += " Plain search of the files, without insights and word forms: \(problem.message)."
    }
    return MavenOffering.success(
      message,
      [
        "source": page.databaseProblem == nil ? "database" : "files", "results": .array(results),
        "next_cursor": next.map { .string(SearchCursor.text(of: $0, query: text)) } ?? .null,
      ])
  }

  private func json(_ hit: RecordSearch.Hit) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("kind", .string(hit.position.kind.rawValue)),
      .init("time", hit.time.map { .string($0.description) } ?? .null),
      .init("title", .string(VisibleText.line(MavenOffering.cut(hit.title, 200)))),
      .init("excerpt", .string(VisibleText.text(MavenOffering.cut(hit.excerpt, 600)))),
    ]
    if let uri = uri(of: hit) { members.append(.init("uri", .string(uri))) }
    if let path = hit.path { members.append(.init("path", .string(VisibleText.line(path)))) }
    if let commit = hit.commit { members.append(.init("commit", .string(commit))) }
    if hit.isArchived { members.append(.init("archived", true)) }
    return .object(members)
  }

  /// The resource that holds the hit whole; nil where no file does.
  private func uri(of hit: RecordSearch.Hit) -> String? {
    guard !hit.isArchived, let path = hit.path.flatMap({ RecordPath(text: $0) }) else { return nil }
    switch hit.position.kind {
    case .decisions: return address.uri(of: .record(.decision, name: path.fileName))
    case .milestones: return address.uri(of: .record(.milestone, name: path.fileName))
    case .memory:
      return hit.time.map { address.uri(of: .memoryOf(date: String($0.description.prefix(10)), page: 1)) }
    case .insights: return nil
    }
  }

  // MARK: Comparing and syncing

  func verify(_ arguments: JSONValue) async throws -> JSONValue {
    try ToolArguments(arguments, of: .verify).finish()
    let verification = try await records.verify()
    let survey = verification.survey
    let proof = verification.json
    var findings: [JSONValue] = []
    var omitted = survey.omittedDifferences
    if case .array(let all) = proof["findings"] ?? .array([]) {
      var size = 0
      for finding in all {
        // Of an empty database every record is missing: their number says it, and thousands of lines alike would not.
        if survey.isDatabaseEmpty, finding["class"]?.text == Difference.Class.missing.code {
          omitted += 1
          continue
        }
        let visible = finding.visible
        size += visible.text().unicodeScalars.count + 1
        if size < 15_000 { findings.append(visible) } else { omitted += 1 }
      }
    }
    return MavenOffering.success(
      MavenOffering.verdict(verification),
      [
        "in_sync": .bool(verification.isInSync), "commit": proof["source"]?["commit"] ?? .null,
        "database_empty": .bool(survey.isDatabaseEmpty), "kinds": proof["kinds"] ?? .emptyObject,
        "differences": proof["differences"] ?? .emptyObject,
        "unreadable_files": MavenOffering.unreadable(survey), "lost": proof["lost"] ?? .array([]),
        "findings": .array(findings), "findings_omitted": .integer(omitted), "elapsed_ms": proof["elapsed_ms"] ?? 0,
      ])
  }

  /// What a model has to know first, and what it can do about it.
  private static func verdict(_ verification: Verification) -> String {
    let survey = verification.survey
    var sentences: [String] = []
    if survey.isDatabaseEmpty {
      sentences.append(
        "the database is empty: maven_sync_from_git restores its \(survey.git.records.count) records from git")
    } else if survey.rowDifferences > 0 {
      sentences.append(
        "git and the database differ in \(survey.rowDifferences) places; maven_sync_from_git brings the database to what git holds")
    } else if verification.isInSync {
      sentences.append("git and the database say the same")
    } else {
      sentences.append("every record that git can read is in the database; a sync would change nothing")
    }
    return (sentences + warnings(survey, verification.standing)).joined(separator: ". ")
  }

  /// What no sync mends: files that are no records, wrong counters, rows that git has no copy of.
  private static func warnings(_ survey: Survey, _ standing: RowStanding) -> [String] {
    var sentences: [String] = []
    let files = survey.unreadableFiles
    if !files.isEmpty {
      let names = files.prefix(3).map { VisibleText.line(cut($0.path.text, 200)) }.joined(separator: ", ")
      let more = files.count > 3 ? " and \(files.count - 3) more" : ""
      sentences.append(
        "\(files.count) \(files.count == 1 ? "file" : "files") cannot become records until they are mended, "
          + "which no sync does: \(names)\(more) (unreadable_files says why)")
    }
    if survey.counterDrift > 0 {
      sentences.append(
        "\(survey.counterDrift) counters of identity.json differ from the files; a person's `moha-sync reconcile` corrects them")
    }
    sentences += standing.losses.map(\.sentence)
    return sentences
  }

  /// The files that cannot become records, with the reason; a bounded number of them.
  private static func unreadable(_ survey: Survey) -> JSONValue {
    .array(
      survey.unreadableFiles.prefix(50).map { diagnostic in
        let value: JSONValue = [
          "path": .string(diagnostic.path.text), "line": diagnostic.line.map { .integer($0) } ?? .null,
          "code": .string(diagnostic.code), "message": .string(diagnostic.message),
        ]
        return value.visible
      })
  }

  func sync(_ arguments: JSONValue, _ context: CallContext) async throws -> JSONValue {
    var reader = ToolArguments(arguments, of: .syncFromGit)
    // Older clients send it. Nothing is forced by a tool: the rails against a mass removal stay.
    _ = reader.bool("force", default: false)
    try reader.finish()
    let done = Mutex(0)
    let outcome = try await records.sync { count, total in
      let rows = done.withLock { done in
        done += count
        return done
      }
      context.progress(Double(rows), Double(total), "rows")
    }
    let report = Report.sync(outcome)
    let survey = outcome.proof ?? outcome.survey
    let remaining = outcome.remaining
    let verdict: String =
      if remaining > 0 {
        "\(remaining) differences are left; maven_verify names them"
      } else if survey.hasErrors {
        "the database holds every record that git can read"
      } else {
        "the database holds what git holds"
      }
    let sentences = [verdict] + MavenOffering.warnings(survey, outcome.standing)
    return MavenOffering.success(
      sentences.joined(separator: ". "),
      [
        "records": report["records"] ?? .emptyObject, "inserted": report["inserted"] ?? .emptyObject,
        "repaired": report["repaired"] ?? .emptyObject,
        "quarantined": report["quarantined"] ?? 0, "remaining": .integer(remaining),
        "findings": .integer(survey.git.findings.count), "counter_drift": .integer(survey.counterDrift),
        "unreadable_files": MavenOffering.unreadable(survey), "lost": outcome.standing.json,
        "commit": report["commit"] ?? .null, "run_id": report["run_id"] ?? "", "seconds": report["seconds"] ?? 0,
      ])
  }
}

extension JSONValue {
  /// The value with every text in it made visible, and cut where it is long.
  fileprivate var visible: JSONValue {
    switch self {
    case .string(let text): .string(VisibleText.text(MavenOffering.cut(text.description, 500)))
    case .array(let elements): .array(elements.map(\.visible))
    case .object(let members): .object(members.map { .init($0.key, $0.value.visible) })
    case .null, .bool, .number: self
    }
  }
}

/// What was counted of the files, valid at one mark of theirs.
final class KeptCounts: Sendable {
  private let values = Mutex<[JSONString: (mark: Int, value: JSONValue)]>([:])

  func value(of name: JSONString, at mark: Int) -> JSONValue? {
    guard let known = values.withLock({ $0[name] }), known.mark == mark else { return nil }
    return known.value
  }

  func keep(_ value: JSONValue, of name: JSONString, at mark: Int) {
    values.withLock { $0[name] = (mark, value) }
  }
}
