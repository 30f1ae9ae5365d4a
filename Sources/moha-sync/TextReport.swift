import Git
import Persistence
import Records

/// Reports for people: a summary, then the differences, at most a screenful unless `-v` asks for all.
struct TextReport {
  private let style: Style
  private let isVerbose: Bool
  private let isMarkdown: Bool
  private static let screenful = 20

  init(_ options: GlobalOptions, isMarkdown: Bool = false) {
    style = Style(isMarkdown ? .never : options.color)
    isVerbose = options.verbose
    self.isMarkdown = isMarkdown
  }

  // MARK: Commands

  func verification(_ verification: Verification, changes: [String]?) -> String {
    let survey = verification.survey
    let isEmpty = survey.isDatabaseEmpty
    var text = opening(verdict(verification), survey)
    text += losses(verification.standing)
    let rows = verification.kinds.map { kind in
      [
        kind.kind.name, String(kind.git), String(kind.rows), String(kind.findings),
        kind.gitDigest == kind.rowDigest ? style.good("same") : style.bad("differ"),
      ]
    }
    text += table(["kind", "git", "rows", "unreadable", "content"], rows) + "\n"
    text += notes(survey)
    // Of an empty database every record is missing; their number says as much as their names.
    if !isEmpty || isVerbose { text += differences(survey) }
    text += counters(survey) + findings(survey)
    if let changes {
      text +=
        changes.isEmpty ? "Same as the proof.\n" : "Changed since the proof:\n" + changes.map { "  \($0)\n" }.joined()
    }
    let milliseconds = Int((verification.elapsed.seconds * 1_000).rounded())
    return text + style.dim("schema \(survey.schemaVersion), \(milliseconds) ms") + "\n"
  }

  /// One sentence with the next safe step.
  private func verdict(_ verification: Verification) -> String {
    let survey = verification.survey
    let count = survey.git.records.count
    if survey.isDatabaseEmpty {
      let last = verification.standing.last.map { last in
        "; `\(last.command)` compared \(plural(last.records, "record")) with it at \(last.time)"
      }
      return "\(style.bad("The database is empty:")) `moha-sync sync` restores it from git "
        + "(\(plural(count, "record"))\(last ?? ", none was compared with it before"))."
    }
    if verification.isInSync {
      return "\(style.good("In sync:")) git and the database say the same of \(plural(count, "record"))."
    }
    let files = unreadable(survey)
    if survey.rowDifferences > 0 {
      return "\(style.bad("Not in sync:")) \(plural(survey.rowDifferences, "difference")). "
        + "`moha-sync reconcile` repairs \(survey.rowDifferences == 1 ? "it" : "them").\(files.map { " \($0)" } ?? "")"
    }
    return "\(style.warning("Not in sync:")) \(files ?? "git and the rows differ.") Every other record is in the database."
  }

  /// What is wrong with files, which no run repairs; nil where nothing is.
  private func unreadable(_ survey: Survey) -> String? {
    let files = survey.unreadableFiles
    guard !files.isEmpty else { return nil }
    let names = files.prefix(3).map { mark(printable($0.path.text)) }.joined(separator: ", ")
    let more = files.count > 3 ? " and \(files.count - 3) more" : ""
    return "\(plural(files.count, "file")) cannot become \(files.count == 1 ? "a record" : "records") "
      + "until \(files.count == 1 ? "it is" : "they are") mended, which no run does: \(names)\(more)."
  }

  func plan(_ survey: Survey) -> String {
    var verdict: String
    if survey.isDatabaseEmpty {
      verdict =
        "\(style.bad("The database is empty:")) `moha-sync sync` restores it from git; nothing was changed."
    } else if survey.rowDifferences > 0 {
      verdict =
        "\(style.bad(plural(survey.rowDifferences, "difference"))); nothing was changed. "
        + "`moha-sync reconcile` repairs \(survey.rowDifferences == 1 ? "it" : "them")."
    } else {
      verdict = "\(style.good("No difference:")) there is nothing to repair."
    }
    if let files = unreadable(survey) { verdict += " \(files)" }
    return opening(verdict, survey) + notes(survey) + counts(survey.counts)
      + (survey.isDatabaseEmpty && !isVerbose ? "" : differences(survey)) + counters(survey) + findings(survey)
  }

  func reconcile(_ outcome: Reconciler.Outcome) -> String {
    let survey = outcome.survey
    let repaired = outcome.repaired.values.reduce(0, +)
    var verdict =
      repaired == 0 && outcome.remaining == 0
      ? "\(style.good("No difference:")) there was nothing to repair."
      : "\(outcome.remaining == 0 ? style.good("Repaired") : style.warning("Repaired")) \(repaired), "
        + "quarantined \(outcome.quarantined), remaining \(outcome.remaining)."
    if outcome.repaired[.counterDrift, default: 0] > 0 { verdict += " The counters of identity.json were corrected." }
    if let files = unreadable(outcome.proof ?? survey) { verdict += " \(files)" }
    var text = opening(verdict, survey) + losses(outcome.standing)
    for line in outcome.schemaDriftLeft { text += "\(style.bad("left")) \(printable(line))\n" }
    if outcome.returned > 0 {
      text +=
        "\(plural(outcome.returned, "row")) came back as \(outcome.returned == 1 ? "it was" : "they were"), and \(plural(outcome.relinked, "reference")) of other rows with \(outcome.returned == 1 ? "it" : "them").\n"
    }
    text += notes(survey) + counts(survey.counts) + differences(survey) + findings(survey)
    return text + style.dim("run \(outcome.run.id)") + "\n"
  }

  func sync(_ outcome: Reconciler.Outcome) -> String {
    let survey = outcome.survey
    let inserted = outcome.inserted.values.reduce(0, +)
    let total = survey.git.records.count
    let seconds = max(outcome.elapsed.seconds, 0.001)
    var verdict: String
    if inserted > 0 {
      verdict =
        "\(style.good("Restored")) \(plural(inserted, "record")) in \(decimal(seconds)) s (\(Int(Double(inserted) / seconds))/s)"
      verdict += total > inserted ? "; \(total - inserted) were there." : "."
    } else {
      verdict = "\(style.good("Nothing to restore:")) the rows of \(plural(total, "record")) were there."
    }
    let others = outcome.repaired.reduce(0) { $0 + ($1.key == .missing ? 0 : $1.value) }
    if others > 0 { verdict += " Repaired \(plural(others, "other difference"))." }
    if outcome.quarantined > 0 { verdict += " Quarantined \(outcome.quarantined)." }
    if outcome.remaining > 0 { verdict += " \(style.bad("Left:")) \(plural(outcome.remaining, "difference"))." }
    if let files = unreadable(survey) { verdict += " \(files)" }
    var text = opening(verdict, survey) + losses(outcome.standing)
    if survey.isDatabaseEmpty, outcome.standing.losses.isEmpty {
      // Nothing is remembered of a database that another clone filled: then what cannot come back is told at large.
      text += "git has no copy of \(UnbackedRows.titles): what there was of them is not restored.\n\n"
    }
    text += notes(survey)
    let rows = RecordKind.allCases.map { kind in
      [
        kind.name, String(survey.git.count(kind)), String(outcome.inserted[kind] ?? 0),
        String(survey.git.records.count { $0.kind == kind && $0.archivedCommit != nil }),
      ]
    }
    text += table(["kind", "records", "inserted", "from history"], rows) + "\n"
    return text + counters(survey) + findings(survey) + style.dim("run \(outcome.run.id)") + "\n"
  }

  func history(_ steps: [RecordHistory.Step]) -> String {
    var text = ""
    for step in steps {
      let time = Instant(seconds: step.commit.author.time)
      let title = step.commit.message.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? ""
      text +=
        "\(style.bold(String(step.commit.id.description.prefix(10))))  \(time?.description ?? "")  \(printable(step.commit.author.name))  \(printable(title))\n"
      for change in isVerbose ? step.changes : Array(step.changes.prefix(TextReport.screenful)) {
        let mark =
          switch change.action {
          case .added: style.good("+")
          case .changed: style.warning("~")
          case .removed: style.bad("-")
          }
        text += "  \(mark) \(padded(change.kind, 10)) \(printable(change.key))\n"
        for field in change.fields {
          text += "      \(field.name): \(value(field.row)) → \(value(field.git))\n"
        }
      }
      let omitted = isVerbose ? 0 : step.changes.count - TextReport.screenful
      if omitted > 0 { text += "  … and \(omitted) more (-v shows all)\n" }
    }
    return text.isEmpty ? "no commit changed these records\n" : text
  }

  func quarantine(_ entries: [Adoption.Entry]) -> String {
    guard !entries.isEmpty else { return "the quarantine is empty\n" }
    let rows = entries.map { entry in
      [
        String(entry.id), entry.quarantinedAt, entry.reason, entry.kind, printable(entry.key ?? "-"),
        entry.adoptedAt.map { "adopted \($0)" } ?? entry.resolvedAt.map { "resolved \($0)" }
          ?? (entry.holdsRow ? "row" : "raw file"),
      ]
    }
    return table(["id", "time", "reason", "kind", "key", "holds"], rows) + "\n"
  }

  func adopted(_ adopted: [Adoption.Adopted]) -> String {
    adopted.map { item in
      let commit = item.commit.map { "commit \($0.description.prefix(10))" } ?? "commit pending"
      return "adopted \(item.id) as \(printable(item.path))  \(commit)\n"
    }.joined()
  }

  /// What became of rows that git lacked: written into git where they stand, or left.
  func adopted(_ adopted: [Adoption.Adopted], left: [Adoption.Orphan]) -> String {
    let shown = isVerbose ? adopted : Array(adopted.prefix(TextReport.screenful))
    var text = shown.map { item in
      let commit = item.commit.map { "commit \($0.description.prefix(10))" } ?? "commit pending"
      return "adopted row \(item.id) of \(item.kind.table) as \(printable(item.path))  \(commit)\n"
    }.joined()
    if adopted.count > shown.count { text += "… and \(adopted.count - shown.count) more (-v shows all)\n" }
    return text + notAdoptable(left)
  }

  /// What `--adopt` would write.
  func adoptable(_ orphans: [Adoption.Orphan]) -> String {
    let all = orphans.filter { $0.obstacle == nil }
    guard !orphans.isEmpty else { return "No row to adopt.\n" }
    let shown = isVerbose ? all : Array(all.prefix(TextReport.screenful))
    var text = shown.map { orphan in
      "would write row \(orphan.rowID) of \(orphan.kind.table) to \(printable(orphan.path ?? "?"))\n"
    }.joined()
    if all.count > shown.count { text += "… and \(all.count - shown.count) more (-v shows all)\n" }
    return text + notAdoptable(orphans.filter { $0.obstacle != nil })
  }

  private func notAdoptable(_ orphans: [Adoption.Orphan]) -> String {
    let shown = isVerbose ? orphans : Array(orphans.prefix(TextReport.screenful))
    let text = shown.map { orphan in
      "\(style.warning("left"))  row \(orphan.rowID) of \(orphan.kind.table): \(printable(orphan.obstacle ?? "?"))\n"
    }.joined()
    let more = orphans.count - shown.count
    return more > 0 ? text + "… and \(more) more (-v shows all)\n" : text
  }

  // MARK: Parts

  /// The verdict before anything else, then whose records were read from where.
  private func opening(_ verdict: String, _ survey: Survey) -> String {
    let commit = survey.source.commit.map { String($0.id.description.prefix(10)) } ?? "no commit yet"
    let place = survey.source.kind == .workTree ? "working tree on \(commit)" : "commit \(commit)"
    let title = "\(survey.source.agent) · \(place)"
    return isMarkdown ? "# Reconcile: \(title)\n\n\(verdict)\n\n" : "\(verdict)\n\(style.dim(title))\n\n"
  }

  /// What the database held and git has no copy of.
  private func losses(_ standing: RowStanding) -> String {
    guard !standing.losses.isEmpty else { return "" }
    let lines = standing.losses.map { loss in
      isMarkdown ? "- **lost** \(mark(loss.sentence))\n" : "\(style.bad("lost"))  \(loss.sentence)\n"
    }
    return lines.joined() + (isMarkdown ? "\n" : "hint: \(RowStanding.hint)\n\n")
  }

  private func notes(_ survey: Survey) -> String {
    survey.notes.map { "\(isMarkdown ? "- " : "")\(style.warning("note"))  \(mark($0))\n" }.joined()
  }

  /// Counters that say another number than there are files: a warning beside the differences, since no row is wrong.
  private func counters(_ survey: Survey) -> String {
    let drifts = survey.differences.filter { $0.class == .counterDrift }
    guard !drifts.isEmpty else { return "" }
    return drifts.map { drift in
      "\(isMarkdown ? "- " : "")\(style.warning("warning"))  \(mark(printable(drift.path ?? "")))  counter-drift: "
        + "\(mark(printable(drift.message))); `moha-sync reconcile` corrects it\n"
    }.joined() + "\n"
  }

  /// Text that came from records, files or the database: in Markdown it stays text, whatever it looks like.
  private func mark(_ text: String) -> String {
    isMarkdown ? DataTable.markdownText(text) : text
  }

  private func counts(_ counts: [Difference.Class: Int]) -> String {
    let found = Difference.Class.allCases.filter { counts[$0, default: 0] > 0 }
    guard !found.isEmpty else { return "" }
    if isMarkdown { return table(["difference", "count"], found.map { [$0.code, String(counts[$0] ?? 0)] }) + "\n\n" }
    return found.map { "\(style.bold(String(counts[$0] ?? 0))) \($0.code)" }.joined(separator: ", ") + "\n\n"
  }

  private func differences(_ survey: Survey) -> String {
    let described = survey.differences.filter { $0.class != .counterDrift }
    let shown = isVerbose ? described : Array(described.prefix(TextReport.screenful))
    var text = ""
    for difference in shown {
      let bullet = isMarkdown ? "- " : ""
      let kind = difference.kind.map { "\($0.name) " } ?? ""
      text +=
        "\(bullet)\(style.bad(difference.class.code))  \(kind)\(mark(printable(difference.key))): \(mark(printable(difference.message)))\n"
      for field in difference.fields {
        text += "    \(mark(field.name)): git \(value(field.git)), row \(value(field.row))\n"
      }
      if let provenance = difference.provenance {
        let time = Instant(seconds: provenance.time)
        text +=
          style.dim(
            "    last touched in \(provenance.commit.description.prefix(10)) by \(mark(printable(provenance.author))) at \(time?.description ?? "?")"
          ) + "\n"
      }
    }
    let omitted = survey.rowDifferences - shown.count { $0.class != .unbacked }
    if omitted > 0 { text += "… and \(omitted) more (-v shows all)\n" }
    return text.isEmpty ? "" : text + "\n"
  }

  private func findings(_ survey: Survey) -> String {
    let all = survey.git.findings.sorted { rank($0.severity) < rank($1.severity) }
    let relevant = isVerbose ? all : all.filter { $0.severity != .info }
    let shown = isVerbose ? relevant : Array(relevant.prefix(TextReport.screenful))
    var text = ""
    for finding in shown {
      let word =
        switch finding.severity {
        case .error: style.bad("error  ")
        case .warning: style.warning("warning")
        case .info: style.dim("info   ")
        }
      let line = finding.line.map { ":\($0)" } ?? ""
      text +=
        "\(isMarkdown ? "- " : "")\(word)  \(mark(printable(finding.path.text)))\(line)  \(finding.code): \(mark(printable(finding.message)))\n"
    }
    if relevant.count > shown.count { text += "… and \(relevant.count - shown.count) more findings (-v shows all)\n" }
    return text.isEmpty ? "" : text + "\n"
  }

  private func rank(_ severity: Diagnostic.Severity) -> Int {
    switch severity {
    case .error: 0
    case .warning: 1
    case .info: 2
    }
  }

  /// A value on one line, cut where it is long.
  private func value(_ text: String?) -> String {
    guard let text else { return "nothing" }
    let line = printable(text)
    return mark(line.count > 120 ? "\(line.prefix(117))… (\(text.utf8.count) bytes)" : line)
  }

  func table(_ header: [String], _ rows: [[String]]) -> String {
    if isMarkdown {
      let lines = [header, header.map { _ in "---" }] + rows
      return lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }
    let widths = header.indices.map { column in
      ([header] + rows).map { width($0[column]) }.max() ?? 0
    }
    let lines = [header.map { style.dim($0) }] + rows
    return lines.map { cells in
      cells.indices.map { column in
        let gap = String(repeating: " ", count: max(0, widths[column] - width(cells[column])))
        let isNumber = column > 0 && rows.allSatisfy { Int($0[column]) != nil }
        return isNumber ? gap + cells[column] : cells[column] + gap
      }.joined(separator: "  ").trimmingTrailingSpaces()
    }.joined(separator: "\n") + "\n"
  }

  /// Characters that show: colour sequences take no room.
  private func width(_ text: String) -> Int {
    var count = 0
    var isEscape = false
    for character in text {
      if character == "\u{1b}" { isEscape = true } else if isEscape { isEscape = character != "m" } else { count += 1 }
    }
    return count
  }

  private func plural(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }

  private func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(String(hundredths % 100 + 100).dropFirst())"
  }
}

/// Text from a file on one line of a terminal: control characters cannot move the cursor or forge a line.
func printable(_ text: String) -> String {
  var line = ""
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0x0a: line += "⏎"
    case 0..<0x20, 0x7f...0x9f, 0x61c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x206f, 0xfff9...0xfffb:
      line += "\u{fffd}"
    default: line.unicodeScalars.append(scalar)
    }
  }
  return line
}

func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

extension String {
  fileprivate func trimmingTrailingSpaces() -> String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
