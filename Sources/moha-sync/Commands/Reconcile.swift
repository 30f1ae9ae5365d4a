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
      what a repair takes out of a table goes to quarantine, whole. A second run finds nothing.
      """)

  @OptionGroup var options: GlobalOptions
  @Flag(name: [.long, .customLong("plan")], help: "Show the plan and write nothing anywhere; exit 4 if there is one.")
  var dryRun = false
  @Flag(help: "Repair (the default; for scripts that say so).")
  var apply = false
  @Flag(help: "Compare every file and every row in full (always so in this version).")
  var deep = false
  @Option(help: ArgumentHelp("Take the records from this commit instead of the working tree.", valueName: "rev"))
  var at: String?
  @Option(help: ArgumentHelp("Let the run take out this many rows that git lacks.", valueName: "n"))
  var allowRemovals: Int?
  @Flag(help: "Write rows that git lacks back as records instead of only quarantining them.")
  var adopt = false
  @Option(help: "How to print the report: text or markdown.")
  var format = Format.text

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, markdown
  }

  func validate() throws {
    if dryRun && (adopt || apply) { throw ValidationError("--dry-run writes nothing: leave out --adopt and --apply") }
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
    let reconciler = try await workspace.reconciler()
    let outcome = try await reconciler.run(run)
    progress.finish()
    if options.json {
      Output.writeJSON(Report.reconcile(outcome))
    } else if !options.quiet {
      Output.write(TextReport(options, isMarkdown: format == .markdown).reconcile(outcome))
    }
    if adopt { try await adoptOrphans(of: outcome, workspace: workspace, database: reconciler.database) }
    if outcome.remaining > 0 || (outcome.proof ?? outcome.survey).hasErrors {
      throw ExitCode(ExitStatus.partlyDone.rawValue)
    }
  }

  private func plan(_ workspace: Workspace, _ selection: RecordSource.Selection) async throws {
    let survey = try await workspace.survey(selection, everything: options.verbose)
    if options.json {
      Output.writeJSON(Report.dryRun(survey))
    } else {
      Output.write(TextReport(options, isMarkdown: format == .markdown).plan(survey))
    }
    if survey.repairable > 0 { throw ExitCode(ExitStatus.differences.rawValue) }
    if survey.hasErrors { throw ExitCode(ExitStatus.partlyDone.rawValue) }
  }

  private func adoptOrphans(of outcome: Reconciler.Outcome, workspace: Workspace, database: Database) async throws {
    let adoption = Adoption(
      repository: workspace.repository, agent: workspace.settings.agent, database: database,
      writing: workspace.settings.writing)
    let orphans = try await adoption.entries(run: outcome.run.id).filter { $0.reason == "orphaned" && $0.holdsRow }
    guard !orphans.isEmpty else { return }
    let (adopted, _) = try await adoption.adopt(orphans.map(\.id).sorted())
    if !options.json && !options.quiet { Output.write(TextReport(options).adopted(adopted)) }
  }
}

extension Workspace {
  /// Reads both sides without making or migrating anything.
  func survey(_ selection: RecordSource.Selection, everything: Bool = false) async throws -> Survey {
    // The tree first: without one there is nothing to start a server for.
    _ = try await RecordSource(selection, agent: settings.agent, repository: repository)
    return try await Survey.of(
      repository, agent: settings.agent, database: try await database(), selection, everything: everything)
  }
}
