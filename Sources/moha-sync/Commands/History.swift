import ArgumentParser
import Persistence

/// What changed in the records between two commits.
struct History: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List what changed in the records, commit by commit.")

  @OptionGroup var options: GlobalOptions
  @Option(help: ArgumentHelp("Leave out this commit and all before it.", valueName: "rev"))
  var from: String?
  @Option(help: ArgumentHelp("The newest commit to list.", valueName: "rev"))
  var to = "HEAD"
  @Option(name: .shortAndLong, help: "How many commits at most.")
  var limit = 50

  func run() async throws {
    let workspace = try await Workspace(options)
    let history = RecordHistory(repository: workspace.repository, agent: workspace.settings.agent)
    let steps = try await history.steps(from: from, to: to, limit: max(1, limit))
    if options.json {
      Output.writeJSON(history.json(steps))
    } else {
      Output.write(TextReport(options).history(steps))
    }
  }
}
