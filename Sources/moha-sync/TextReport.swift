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
    var text = heading(survey)
    let rows = verification.kinds.map { kind in
      [
        kind.kind.name, String(kind.git), String(kind.rows), String(kind.findings),
        kind.gitDigest == kind.rowDigest ? style.good("same") : style.bad("differ"),
      ]
    }
    text += table(["kind", "git", "rows", "unreadable", "content"], rows) + "\n"
    text += notes(survey) + differences(survey) + findings(survey)
    if let changes {
      text +=
        changes.isEmpty ? "Same as the proof.\n" : "Changed since the proof:\n" + changes.map { "  \($0)\n" }.joined()
    }
    let milliseconds = Int((verification.elapsed.seconds * 1_000).rounded())
    if verification.isInSync {
      text += "\(style.good("In sync."))  \(style.dim("schema \(survey.schemaVersion), \(milliseconds) ms"))\n"
    } else if survey.rowDifferences > 0 {
      text +=
        "\(style.bad("Not in sync:")) \(plural(survey.rowDifferences, "difference")). `moha-sync reconcile` repairs them.\n"
    } else {
      text +=
        "\(style.warning("Not in sync:")) some files cannot become records; every other record is in the database.\n"
    }
    return text
  }

  func plan(_ survey: Survey) -> String {
    var text = heading(survey) + notes(survey) + counts(survey.counts) + differences(survey) + findings(survey)
    text +=
      survey.repairable == 0
      ? "\(style.good("Nothing to repair."))\n"
      : "\(plural(survey.repairable, "difference")); nothing was changed. `moha-sync reconcile` repairs them.\n"
    return text
  }

  func reconcile(_ outcome: Reconciler.Outcome) -> String {
    let survey = outcome.survey
    var text = heading(survey) + notes(survey) + counts(survey.counts) + differences(survey) + findings(survey)
    let repaired = outcome.repaired.values.reduce(0, +)
    if repaired == 0 && outcome.remaining == 0 {
      return text + "\(style.good("Nothing to repair.")) Run \(outcome.run.id)\n"
    }
    text +=
      "\(style.good("Repaired")) \(repaired), quarantined \(outcome.quarantined), remaining \(outcome.remaining). Run \(outcome.run.id)\n"
    for line in outcome.schemaDriftLeft { text += "\(style.bad("left")) the database lacks \(line)\n" }
    if outcome.repaired[.counterDrift, default: 0] > 0 {
      text += "The counters of identity.json were corrected.\n"
    }
    return text
  }

  func sync(_ outcome: Reconciler.Outcome) -> String {
    let survey = outcome.survey
    let rows = RecordKind.allCases.map { kind in
      [
        kind.name, String(survey.git.count(kind)), String(outcome.inserted[kind] ?? 0),
        String(survey.git.records.count { $0.kind == kind && $0.archivedCommit != nil }),
      ]
    }
    var text = heading(survey) + notes(survey)
    text += table(["kind", "records", "inserted", "from history"], rows) + "\n" + findings(survey)
    for drift in survey.differences where drift.class == .counterDrift {
      text += "\(style.warning("warning"))  \(drift.path ?? "")  counter-drift: \(drift.message)\n\n"
    }
    let total = survey.git.records.count
    let seconds = max(outcome.elapsed.seconds, 0.001)
    text +=
      "\(style.good("Restored")) \(plural(total, "record")) in \(decimal(seconds)) s (\(Int(Double(total) / seconds))/s), quarantined \(outcome.quarantined).\n"
    if outcome.remaining > 0 { text += "\(style.bad("Left:")) \(plural(outcome.remaining, "difference")).\n" }
    return text
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
        entry.adoptedAt.map { "adopted \($0)" } ?? (entry.holdsRow ? "row" : "raw file"),
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

  // MARK: Parts

  private func heading(_ survey: Survey) -> String {
    let commit = survey.source.commit.map { String($0.id.description.prefix(10)) } ?? "no commit yet"
    let place = survey.source.kind == .workTree ? "working tree on \(commit)" : "commit \(commit)"
    let title = "\(survey.source.agent) · \(place)"
    return isMarkdown ? "# Reconcile: \(title)\n\n" : "\(style.bold(title))\n\n"
  }

  private func notes(_ survey: Survey) -> String {
    survey.notes.map { "\(style.warning("note"))  \($0)\n" }.joined()
  }

  private func counts(_ counts: [Difference.Class: Int]) -> String {
    let found = Difference.Class.allCases.filter { counts[$0, default: 0] > 0 }
    guard !found.isEmpty else { return "" }
    if isMarkdown { return table(["difference", "count"], found.map { [$0.code, String(counts[$0] ?? 0)] }) + "\n\n" }
    return found.map { "\(style.bold(String(counts[$0] ?? 0))) \($0.code)" }.joined(separator: ", ") + "\n\n"
  }

  private func differences(_ survey: Survey) -> String {
    let shown = isVerbose ? survey.differences : Array(survey.differences.prefix(TextReport.screenful))
    var text = ""
    for difference in shown {
      let bullet = isMarkdown ? "- " : ""
      let kind = difference.kind.map { "\($0.name) " } ?? ""
      text +=
        "\(bullet)\(style.bad(difference.class.code))  \(kind)\(printable(difference.key)): \(printable(difference.message))\n"
      for field in difference.fields where difference.class != .counterDrift {
        text += "    \(field.name): git \(value(field.git)), row \(value(field.row))\n"
      }
      if let provenance = difference.provenance {
        let time = Instant(seconds: provenance.time)
        text +=
          style.dim(
            "    last touched in \(provenance.commit.description.prefix(10)) by \(printable(provenance.author)) at \(time?.description ?? "?")"
          ) + "\n"
      }
    }
    let total = survey.counts.reduce(0) { $0 + ($1.key == .unbacked ? 0 : $1.value) }
    let described = shown.count { $0.class != .unbacked }
    if total > described { text += "… and \(total - described) more (-v shows all)\n" }
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
        "\(isMarkdown ? "- " : "")\(word)  \(printable(finding.path.text))\(line)  \(finding.code): \(printable(finding.message))\n"
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
    return line.count > 120 ? "\(line.prefix(117))… (\(text.utf8.count) bytes)" : line
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
    case 0..<0x20, 0x7f...0x9f, 0x202a...0x202e, 0x2066...0x2069: line += "\u{fffd}"
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
