internal import Git
package import Records

/// The JSON documents that scripts read; their shapes are a contract, versioned by `schema`.
package enum Report {
  package static let schemaVersion = 1

  /// Member by member in the given order.
  static func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    .object(members.map { JSONValue.Member(JSONString($0.key), $0.value) })
  }

  static func string(_ text: String?) -> JSONValue {
    text.map { JSONValue.string($0) } ?? .null
  }

  /// A number with at most three decimals.
  static func number(_ value: Double) -> JSONValue {
    let thousandths = (value * 1_000).rounded()
    guard thousandths.isFinite, abs(thousandths) < 1e15 else { return .null }
    let whole = Int(thousandths)
    let fraction = String(abs(whole % 1_000) + 1_000).dropFirst()
    let sign = whole < 0 ? "-" : ""
    return JSONNumber("\(sign)\(abs(whole / 1_000)).\(fraction)").map { .number($0) } ?? .null
  }

  static func counts(_ counts: [Difference.Class: Int]) -> JSONValue {
    .object(Difference.Class.allCases.map { .init(JSONString($0.rawValue), .integer(counts[$0] ?? 0)) })
  }

  static func source(_ source: RecordSource) -> JSONValue {
    object([
      "kind": .string(source.kind.rawValue), "commit": string(source.commit?.id.description),
      "tree": .string(source.tree.description),
    ])
  }

  static func finding(_ diagnostic: Diagnostic, agent: Agent) -> JSONValue {
    let kind = TreeLayout.role(of: diagnostic.path, agent: agent).kind
    return object([
      "class": .string(diagnostic.severity == .error ? "corrupt-file" : "suspect"),
      "severity": .string(diagnostic.severity.rawValue), "kind": string(kind?.name),
      "path": .string(diagnostic.path.text), "line": diagnostic.line.map { .integer($0) } ?? .null,
      "code": .string(diagnostic.code), "message": .string(diagnostic.message),
    ])
  }

  static func finding(_ difference: Difference) -> JSONValue {
    let severity =
      switch difference.class {
      case .counterDrift: "warning"
      case .unbacked: "info"
      default: "error"
      }
    return object([
      "class": .string(difference.class.code), "severity": .string(severity),
      "kind": string(difference.kind?.name), "path": string(difference.path), "line": .null,
      "code": .string(difference.class.code), "message": .string("\(difference.key): \(difference.message)"),
    ])
  }

  static func item(_ difference: Difference) -> JSONValue {
    object([
      "class": .string(difference.class.rawValue), "kind": string(difference.kind?.name),
      "key": .string(difference.key), "path": string(difference.path),
      "row": difference.rowID.map { .integer(Int($0)) } ?? .null,
      "git_hash": string(difference.gitHash?.description), "row_hash": string(difference.rowHash.map { hex($0) }),
      "message": .string(difference.message),
      "fields": .array(
        difference.fields.map { field in
          object(["name": .string(field.name), "git": string(field.git), "row": string(field.row)])
        }),
      "provenance": difference.provenance.map { provenance in
        object([
          "commit": .string(provenance.commit.description), "author": .string(provenance.author),
          "time": string(
            Instant(seconds: provenance.time)?.description),
        ])
      } ?? .null,
    ])
  }

  /// `reconcile --json`, applied or not.
  package static func reconcile(
    _ outcome: Reconciler.Outcome, adopted: [Adoption.Adopted]? = nil, left: [Adoption.Orphan] = []
  ) -> JSONValue {
    let report = reconcile(
      outcome.survey, applied: true, repaired: outcome.repaired, remaining: outcome.remaining, runID: outcome.run.id,
      quarantined: outcome.quarantined, returned: outcome.returned, relinked: outcome.relinked,
      standing: outcome.standing)
    guard let adopted else { return report }
    let items = adopted.map { item in
      object([
        "kind": .string(item.kind.name), "row": .integer(Int(item.id)), "path": .string(item.path),
        "commit": string(item.commit?.description),
      ])
    }
    return report.adding(["adopted": .array(items), "not_adopted": .array(left.map(orphan))])
  }

  private static func orphan(_ orphan: Adoption.Orphan) -> JSONValue {
    object([
      "kind": .string(orphan.kind.name), "row": .integer(Int(orphan.rowID)), "key": string(orphan.key),
      "path": string(orphan.path), "reason": string(orphan.obstacle),
    ])
  }

  /// `reconcile --dry-run --json`: nothing repaired, every difference remaining.
  ///
  /// - Parameter orphans: with `--adopt`, the rows that would be written into git.
  package static func dryRun(_ survey: Survey, orphans: [Adoption.Orphan]? = nil) -> JSONValue {
    let report = reconcile(
      survey, applied: false, repaired: [:], remaining: survey.rowDifferences, runID: nil, quarantined: 0)
    return orphans.map { report.adding(["adoptable": .array($0.map(orphan))]) } ?? report
  }

  private static func reconcile(
    _ survey: Survey, applied: Bool, repaired: [Difference.Class: Int], remaining: Int, runID: String?,
    quarantined: Int, returned: Int = 0, relinked: Int = 0, standing: RowStanding = .unknown
  ) -> JSONValue {
    object([
      "schema": .integer(schemaVersion), "applied": .bool(applied), "agent": .string(survey.source.agent.name),
      "source": source(survey.source), "differences": counts(survey.counts),
      "pending": .integer(survey.git.waiting.records.count), "items": .array(survey.differences.map(item)),
      "items_omitted": .integer(survey.omittedDifferences),
      "findings": .array(survey.git.findings.map { finding($0, agent: survey.source.agent) }),
      "notes": .array(survey.notes.map { .string($0) }), "repaired": counts(repaired),
      "quarantined": .integer(quarantined), "returned": .integer(returned), "relinked": .integer(relinked),
      "remaining": .integer(remaining), "lost": standing.json, "run_id": string(runID),
    ])
  }

  /// `commit --json`.
  package static func commit(_ outcome: AutomaticCommit.Outcome) -> JSONValue {
    object([
      "schema": .integer(schemaVersion), "committed": .bool(outcome.commit != nil),
      "commit": string(outcome.commit?.description), "files": .integer(outcome.files.count),
      "paths": .array(outcome.files.map { .string($0) }), "pending": string(outcome.pendingReason),
      "message": .string(outcome.message),
      "refused": .array(
        outcome.refused.map { refused in
          object([
            "path": .string(refused.path), "line": .integer(refused.line), "rule": .string(refused.rule),
            "masked": .string(refused.masked), "fingerprint": .string(refused.fingerprint),
          ])
        }),
      "skipped": .array(
        outcome.skipped.map { skipped in
          object([
            "path": .string(skipped.path), "reason": .string(skipped.reason.code),
            "detail": .string(skipped.reason.detail),
          ])
        }),
      "warnings": .array(outcome.commitWarnings.map { .string($0) }),
    ])
  }

  /// `log rotate --json`.
  package static func rotation(_ outcome: LogRotation.Outcome, isDryRun: Bool) -> JSONValue {
    object([
      "schema": .integer(schemaVersion), "applied": .bool(!isDryRun), "events": .integer(outcome.eventCount),
      "files": .array(
        outcome.files.map { object(["path": .string($0.path), "events": .integer($0.events)]) }),
      "kept": .array(outcome.kept.map { object(["line": .integer($0.line), "reason": .string($0.reason)]) }),
      "commit": string(outcome.commit?.description), "pending": string(outcome.pendingReason),
    ])
  }

  /// `sync --json`.
  package static func sync(_ outcome: Reconciler.Outcome) -> JSONValue {
    let survey = outcome.proof ?? outcome.survey
    let records = RecordKind.allCases.map { kind in
      JSONValue.Member(JSONString(kind.name), .integer(survey.git.count(kind)))
    }
    let inserted = RecordKind.allCases.map { kind in
      JSONValue.Member(JSONString(kind.name), .integer(outcome.inserted[kind] ?? 0))
    }
    return object([
      "schema": .integer(schemaVersion), "records": .object(records), "inserted": .object(inserted),
      "recovered_from_history": .integer(survey.git.records.count { $0.archivedCommit != nil }),
      "quarantined": .integer(outcome.quarantined), "repaired": counts(outcome.repaired),
      "remaining": .integer(outcome.remaining), "pending": .integer(survey.git.waiting.records.count),
      "findings": .array(
        survey.git.findings.map { finding($0, agent: survey.source.agent) }
          + survey.differences.filter { $0.class == .counterDrift }.map { finding($0) }),
      "lost": outcome.standing.json,
      "notes": .array(outcome.survey.notes.map { .string($0) }), "seconds": number(outcome.elapsed.seconds),
      "commit": string(survey.source.commit?.id.description), "run_id": .string(outcome.run.id),
    ])
  }
}

extension JSONValue {
  /// An object with members behind its own.
  fileprivate func adding(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    guard case .object(let own) = self else { return self }
    return .object(own + members.map { Member(JSONString($0.key), $0.value) })
  }
}
