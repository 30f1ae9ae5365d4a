import ArgumentParser
import Persistence
import Records

/// Rebuilds the database from git.
struct Sync: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Rebuild the database from git, after a wipe or at any time.",
    discussion: """
      Makes the database and its tables where they are missing, and brings every row to what git holds. Log \
      entries that compaction removed come back from history, marked as archived. A run that is killed leaves the \
      old state or the new one, never a mix.
      """,
    aliases: ["restore"])

  @OptionGroup var options: GlobalOptions
  @Option(help: ArgumentHelp("Take the records from this commit instead of the working tree.", valueName: "rev"))
  var at: String?
  @Option(help: ArgumentHelp("Build the tables in this schema, beside the live ones.", valueName: "schema"))
  var into: String?
  @Flag(help: "Also bring back decisions and milestones whose files were deleted in the past.")
  var history = false
  @Option(help: ArgumentHelp("Let the run take out this many rows that git lacks.", valueName: "n"))
  var allowRemovals: Int?

  func run() async throws {
    var schema: SchemaName?
    if let into {
      schema = SchemaName(into)
      if schema == nil { throw ValidationError("--into takes a schema name of lower-case letters, digits and _") }
    }
    let workspace = try await Workspace(options)
    var run = Reconciler.Options(command: "sync", selection: at.map { .revision($0) } ?? .workTree)
    run.restoringDeletedFiles = history
    run.allowedRemovals = allowRemovals
    run.provesResult = false
    let progress = ProgressReporter(options)
    run.progress = { progress.advance($0, of: $1) }
    let outcome = try await workspace.reconciler(schema: schema).run(run)
    progress.finish()
    if options.json {
      Output.writeJSON(Report.sync(outcome))
    } else if !options.quiet {
      Output.write(TextReport(options).sync(outcome))
    }
    if outcome.remaining > 0 || outcome.survey.hasErrors { throw ExitCode(ExitStatus.partlyDone.rawValue) }
  }
}
