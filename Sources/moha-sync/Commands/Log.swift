import ArgumentParser
import Git
import Persistence
import Records

/// Keeps the session log small.
struct Log: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Keep the session log small.", subcommands: [Rotate.self])

  struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Move the session log's entries of past months to session_log/YYYY-MM.md.",
      discussion: """
        Whole entries move, unchanged, and stay the records that they are; entries of this month (UTC) stay. Both \
        files come in one commit. What takes its date from a heading above it, cannot be read, or looks like a secret \
        stays where it is. The log has to be committed first, as `moha-sync commit` does.
        """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "Show what would move and write nothing.")
    var dryRun = false
    @Option(help: ArgumentHelp("Move only entries from before this month.", valueName: "yyyy-mm"))
    var before: String?
    @Option(help: ArgumentHelp("Leave this many of the last entries, whatever their month.", valueName: "n"))
    var keep = 0

    func validate() throws {
      if let before, Instant(month: before) == nil { throw ValidationError("--before takes a month such as 2026-03") }
      if keep < 0 { throw ValidationError("--keep takes a number of entries") }
    }

    func run() async throws {
      let workspace = try await Workspace(options)
      let outcome = try await workspace.rotation.run(
        before: before.flatMap { Instant(month: $0) }, keep: keep, now: Instant.now(), isDryRun: dryRun)
      var rowError: String?
      if !dryRun, outcome.eventCount > 0, let database = try? await workspace.databaseIfUp() {
        rowError = await RotatedRows(database: database, agent: workspace.settings.agent).update(outcome.moves)
      }
      if options.json {
        Output.writeJSON(Report.rotation(outcome, isDryRun: dryRun))
      } else if !options.quiet {
        report(outcome, rowError: rowError)
      }
    }

    private func report(_ outcome: LogRotation.Outcome, rowError: String?) {
      let style = Style(options.color)
      for file in outcome.files {
        Output.write(
          "\(dryRun ? "would move" : style.good("moved"))  \(file.events) entries to \(printable(file.path))\n")
      }
      if outcome.files.isEmpty { Output.write("nothing to move\n") }
      if let commit = outcome.commit { Output.write("commit \(commit.description.prefix(10))\n") }
      if let reason = outcome.pendingReason { Output.write("\(style.warning("commit pending"))  \(reason)\n") }
      let shown = options.verbose ? outcome.kept[...] : outcome.kept.prefix(10)
      for kept in shown { Output.write("\(style.warning("kept"))  line \(kept.line): \(printable(kept.reason))\n") }
      if outcome.kept.count > shown.count {
        Output.write("… and \(outcome.kept.count - shown.count) more (-v shows all)\n")
      }
      if let rowError {
        Output.writeError(
          "moha-sync: the rows still name the old file: \(rowError). The next reconcile corrects them.\n")
      }
    }
  }
}

extension Workspace {
  var rotation: LogRotation {
    LogRotation(repository: repository, agent: settings.agent, settings: settings.writing)
  }
}
