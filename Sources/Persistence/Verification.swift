package import Records

/// The read-only proof: counts and digests by kind on both sides, with the commit and the schema version.
package struct Verification: Sendable {
  package struct Kind: Sendable {
    package let kind: RecordKind
    /// Files or events that git holds, whether they parse or not: `git` is `rows` plus `findings` in sync.
    package let git: Int
    package let rows: Int
    /// Files and events that cannot be records, or that the database refuses.
    package let findings: Int
    package let gitDigest: Digest
    package let rowDigest: Digest
  }

  package let survey: Survey
  package let kinds: [Kind]
  package let elapsed: Duration
  /// What is gone of the rows that git has no copy of, and when the database was last compared.
  package var standing = RowStanding.unknown

  package init(_ survey: Survey, elapsed: Duration) {
    self.survey = survey
    self.elapsed = elapsed
    var gitDigests: [RecordKind: Digest] = [:]
    // What the database refuses is a finding on both sides: neither a record that has its row nor a row that lacks one.
    let refused = Dictionary(grouping: survey.plan.refused, by: \.record.kind)
    let refusedKeys = refused.mapValues { Set($0.map(\.record.key)) }
    let refusedRows = refused.mapValues { Set($0.compactMap(\.row?.id)) }
    // A row that cannot be judged here is left out of the comparison, like one whose file does not parse.
    let left = survey.plan.unjudged + survey.plan.waiting + survey.plan.fresh.map { (kind: .event, row: $0) }
    let unjudged = Dictionary(grouping: left, by: \.kind).mapValues { Set($0.map(\.row.id)) }
    // So is an event whose row another program is about to write.
    let expected = Set(survey.plan.freshRecords.map(\.key))
    for record in survey.git.records where refusedKeys[record.kind]?.contains(record.key) != true {
      if record.kind == .event, expected.contains(record.key) { continue }
      gitDigests[record.kind, default: Digest()].add(key: record.key, contentHash: record.contentHash.bytes)
    }
    kinds = RecordKind.allCases.map { kind in
      var rowDigest = Digest()
      // A row whose file does not parse is kept as its last good version; git has nothing to compare it with.
      let rows = (survey.rows.rows[kind] ?? []).filter {
        $0.status != GitStatus.unreadable.rawValue && refusedRows[kind]?.contains($0.id) != true
          && unjudged[kind]?.contains($0.id) != true
      }
      for row in rows {
        let respelled = kind == .event ? survey.plan.respelled[row.id]?.bytes : nil
        rowDigest.add(
          key: row.key ?? RecordKey("row \(row.id)"), contentHash: respelled ?? row.contentHash ?? [])
      }
      let corrupt = survey.git.corrupt.count { $0.kind == kind } + (refused[kind]?.count ?? 0)
      let digest = gitDigests[kind] ?? Digest()
      return Kind(
        kind: kind, git: digest.count + corrupt, rows: rows.count, findings: corrupt, gitDigest: digest,
        rowDigest: rowDigest)
    }
  }

  package var isInSync: Bool {
    survey.isInSync && kinds.allSatisfy { $0.gitDigest == $0.rowDigest }
  }

  /// `verify --json`.
  package var json: JSONValue {
    let kinds = kinds.map { kind in
      JSONValue.Member(
        JSONString(kind.kind.name),
        Report.object([
          "git": .integer(kind.git), "rows": .integer(kind.rows), "findings": .integer(kind.findings),
          "git_digest": .string(kind.gitDigest.description), "row_digest": .string(kind.rowDigest.description),
        ]))
    }
    let findings =
      survey.git.findings.map { Report.finding($0, agent: survey.source.agent) }
      + survey.differences.map { Report.finding($0) }
    return Report.object([
      "schema": .integer(Report.schemaVersion), "in_sync": .bool(isInSync),
      "agent": .string(survey.source.agent.name), "source": Report.source(survey.source),
      "schema_version": .integer(survey.schemaVersion), "pending": .integer(survey.git.waiting.records.count),
      "database_empty": .bool(survey.isDatabaseEmpty), "kinds": .object(kinds), "findings": .array(findings),
      "findings_omitted": .integer(survey.omittedDifferences), "lost": standing.json,
      "last_comparison": standing.last?.json ?? .null, "differences": Report.counts(survey.counts), "notes": .array(survey.notes.map { .string($0) }),
      "elapsed_ms": Report.number(elapsed.seconds * 1_000),
    ])
  }

  /// What differs from a proof that was kept earlier, as sentences; empty where counts and digests are equal.
  ///
  /// Throws `.invalidName` where the document is no proof of this agent.
  package func differences(from proof: JSONValue) throws -> [String] {
    guard proof["schema"]?.integer == Report.schemaVersion, let kept = proof["kinds"] else {
      throw PersistenceError(
        .invalidName, "the file holds no proof of `verify --json`", hint: "keep the output of verify --json as it is")
    }
    guard proof["agent"]?.text == survey.source.agent.name else {
      throw PersistenceError(
        .invalidName, "the proof is of agent \(proof["agent"]?.text ?? "?"), not \(survey.source.agent)")
    }
    var sentences: [String] = []
    for kind in kinds {
      guard let old = kept[JSONString(kind.kind.name)] else {
        sentences.append("\(kind.kind.name): not in the proof")
        continue
      }
      func compare(_ name: JSONString, _ now: String) {
        let then = old[name]?.text ?? old[name]?.integer.map { String($0) } ?? "nothing"
        if then != now { sentences.append("\(kind.kind.name) \(name): \(then) in the proof, \(now) now") }
      }
      compare("git", String(kind.git))
      compare("rows", String(kind.rows))
      compare("findings", String(kind.findings))
      compare("git_digest", kind.gitDigest.description)
      compare("row_digest", kind.rowDigest.description)
    }
    return sentences
  }
}
