import ArgumentParser
import Persistence
import Postgres
import Records

/// Finds every difference between git and the database, and repairs it.
struct Reconcile: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find every difference between git and the database, and repair it.",
    discussion: """
      Compares the files of the working tree (or of a commit) with the rows as they are now, by content. Git wins; \
      what a repair takes out of a table goes to quarantine, whole. A second run finds nothing. Wrong counters of \
      identity.json are corrected too; they are a warning and no difference.

      --adopt goes the other way for rows that git lacks: each becomes a record file (an event: an entry of the session \
      log), is committed, and stays where it is, with its id and whatever refers to it. No row is taken out. With \
      --dry-run it shows what would be written. A row with a secret, or without what a record needs, stays as it is \
      (exit 3).
      """)

  @OptionGroup var options: GlobalOptions
  @Flag(name: [.long, .customLong("plan")], help: "Show the plan and write nothing anywhere; exit 4 if there is a difference.")
  var dryRun = false
  @Flag(help: "Repair (the default; for scripts that say so).")
  var apply = false
  @Flag(help: "Compare every file and every row in full (always so in this version).")
  var deep = false
  @Option(help: ArgumentHelp("Take the records from this commit instead of the working tree.", valueName: "rev"))
  var at: String?
  @Option(help: ArgumentHelp("Let the run take out this many rows that git lacks.", valueName: "n"))
  var allowRemovals: Int?
  @Flag(help: "Write rows that git lacks into git as records, and leave them in their tables.")
  var adopt = false
  @Option(help: "How to print the report: text or markdown.")
  var format = Format.text

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, markdown
  }

  func validate() throws {
    if dryRun && apply { throw ValidationError("--dry-run writes nothing: leave out --apply") }
    if adopt && at != nil { throw ValidationError("--adopt writes into the working tree: leave out --at") }
  }

  func run() async throws {
    let workspace = try await Workspace(options)
    let selection: RecordSource.Selection = at.map { .revision($0) } ?? .workTree
    if dryRun { return try await plan(workspace, selection) }

    var run = Reconciler.Options(command: "reconcile", selection: selection)
    run.allowedRemovals = allowRemovals
    run.correctsCounters = selection == .workTree
    run.writing = workspace.settings.writing
    let progress = ProgressReporter(options)
    run.progress = { progress.advance($0, of: $1) }
    let outcome: Reconciler.Outcome
    var adopted: [Adoption.Adopted] = []
    var left: [Adoption.Orphan] = []
    if adopt {
      (adopted, left, outcome) = try await workspace.adoption().adoptOrphans(run)
    } else {
      outcome = try await workspace.reconciler().run(run)
    }
    progress.finish()
    if options.json {
      Output.writeJSON(Report.reconcile(outcome, adopted: adopt ? adopted : nil, left: left))
    } else if !options.quiet {
      let report = TextReport(options, isMarkdown: format == .markdown)
      Output.write(report.reconcile(outcome) + (adopt ? report.adopted(adopted, left: left) : ""))
    }
    if outcome.remaining > 0 || (outcome.proof ?? outcome.survey).hasErrors {
      throw ExitCode(ExitStatus.partlyDone.rawValue)
    }
  }

  private func plan(_ workspace: Workspace, _ selection: RecordSource.Selection) async throws {
    let survey = try await workspace.survey(selection, everything: options.verbose)
    let orphans = try await adopt ? workspace.adoption().orphans(of: survey) : nil
    if options.json {
      Output.writeJSON(Report.dryRun(survey, orphans: orphans))
    } else {
      let report = TextReport(options, isMarkdown: format == .markdown)
      Output.write(report.plan(survey) + (orphans.map(report.adoptable) ?? ""))
    }
    if survey.rowDifferences > 0 { throw ExitCode(ExitStatus.differences.rawValue) }
    if survey.hasErrors { throw ExitCode(ExitStatus.partlyDone.rawValue) }
  }
}

extension Workspace {
  func adoption() async throws -> Adoption {
    Adoption(
      repository: repository, agent: settings.agent, database: try await database(), writing: settings.writing)
  }

  /// Reads both sides without making or migrating anything.
  func survey(_ selection: RecordSource.Selection, everything: Bool = false) async throws -> Survey {
    // The tree first: without one there is nothing to start a server for.
    _ = try await RecordSource(selection, agent: settings.agent, repository: repository)
    return try await Survey.of(
      repository, agent: settings.agent, database: try await database(), selection, everything: everything)
  }
}
