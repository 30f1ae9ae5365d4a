internal import Telemetry

/// A session log, read without loss.
///
/// The spans follow each other without gaps from the first byte to the last, for any bytes at all, so a tool can move or
/// remove whole entries and leave every other byte as it is.
package struct SessionLog: Sendable {
  package enum Span: Hashable, Sendable {
    /// Everything that is no entry: headings of sections, rules, code blocks, blank lines.
    case prose(Range<Int>)
    /// An entry; also one that could not be read and is missing from `entries`.
    case entry(Range<Int>)

    package var range: Range<Int> {
      switch self {
      case .prose(let range), .entry(let range): range
      }
    }
  }

  /// The log as it was given.
  package let bytes: [UInt8]
  package let spans: [Span]
  /// The readable entries in the order of the file, repetitions included.
  package let entries: [LogEntry]
  /// An error for each unreadable part; warnings for repeated, conflicting and doubtful entries.
  package let diagnostics: [Diagnostic]
  /// Parts that hide what was in them, in the order of the file: entry spans that have no entry, and prose that is no
  /// text (not UTF-8, with U+0000 in it as UTF-16 has, with lines that end in CR alone) or an unresolved conflict.
  package let unreadable: [Range<Int>]

  /// The entries without repetitions: one for each record.
  package var distinctEntries: [LogEntry] {
    entries.filter { !$0.isRepetition }
  }

  /// Reads a log of any size in time linear in it. It never fails.
  ///
  /// Headings in code blocks and in a `## Log Format` section are examples, not entries. A code fence that nothing
  /// closes opens no block.
  package static func parse(_ bytes: [UInt8], path: RecordPath) -> SessionLog {
    WorkCount.add(.bytesParsed, bytes.count)
    return bytes.withView { view in
      var parser = SessionLogParser(view, path: path)
      parser.run()
      return SessionLog(
        bytes: bytes, spans: parser.spans, entries: parser.entries, diagnostics: parser.findings.diagnostics,
        unreadable: parser.unreadable)
    }
  }

  /// Writes an event as it is appended to a log: a blank line, then the entry, which ends in `---`.
  ///
  ///     <blank>
  ///     ## [2026-01-17T20:29:50.332321+00:00] GIT_SYNC
  ///     <blank>
  ///     content
  ///     <blank>
  ///     **Metadata:** {"one": "line"}       (absent when there is none)
  ///     <blank>
  ///     ---
  ///
  /// Reading the entry gives `event.written`. The line feed in front also ends a last line that lacks one. Content is
  /// escaped (see `BodyText`), so it can neither forge an entry nor end this one. The log has no form for an entry without
  /// a time: check `Record.missingColumns` first; without a time the year 1 is written.
  package static func encode(_ event: Event) -> [UInt8] {
    let event = event.written
    var output: [UInt8] = []
    output.reserveCapacity(event.content.utf8.count + 256)
    output.append("\n## [")
    output.append(contentsOf: (event.time ?? .earliest).utf8)
    output.append("] ")
    output.append(text: event.type)
    output.append("\n\n")
    if !event.content.isEmpty {
      BodyText.append(event.content, to: &output)
      output.append("\n\n")
    }
    if !event.metadata.isEmptyObject {
      output.append("**Metadata:** ")
      event.metadata.write(.spaced, level: 0, to: &output)
      output.append("\n\n")
    }
    output.append("---\n")
    return output
  }
}
