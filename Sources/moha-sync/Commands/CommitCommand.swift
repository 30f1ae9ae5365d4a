import ArgumentParser
import Git
import Persistence
import Records

/// Commits the record files.
struct CommitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "commit",
    abstract: "Commit everything below .moha, and nothing else.",
    discussion: """
      What is staged or changed elsewhere stays as it is. A file that holds a secret is left out, the rest is \
      committed, and the exit code is 12. On a detached HEAD, or in the middle of a merge or rebase, nothing is \
      committed; the next run does.
      """)

  @OptionGroup var options: GlobalOptions
  @Flag(help: "Show what would be committed and write nothing.")
  var dryRun = false
  @Option(name: .shortAndLong, help: "The message, in place of one that is made from the records.")
  var message: String?
  @Option(help: ArgumentHelp("Let the commit delete this many record files.", valueName: "n"))
  var allowRemovals: Int?

  func run() async throws {
    let workspace = try await Workspace(options)
    let commit = AutomaticCommit(
      repository: workspace.repository, agent: workspace.settings.agent, settings: workspace.settings.writing)
    let outcome = try await commit.run(isDryRun: dryRun, message: message, allowedRemovals: allowRemovals)
    if options.json {
      Output.writeJSON(Report.commit(outcome))
    } else {
      report(outcome)
    }
    if !outcome.refused.isEmpty { throw ExitCode(ExitStatus.refused.rawValue) }
  }

  private func report(_ outcome: AutomaticCommit.Outcome) {
    let style = Style(options.color)
    for refused in outcome.refused {
      Output.writeError(
        "moha-sync: \(printable(refused.path)), line \(refused.line): left out, it holds what looks like a secret "
          + "(\(refused.rule): \(printable(refused.masked))). If it is none, add \(refused.fingerprint) to .moha-secrets-allow\n"
      )
    }
    if options.quiet { return }
    let title = outcome.message.split(separator: "\n").first.map(String.init) ?? ""
    if let commit = outcome.commit {
      Output.write("\(style.good("committed")) \(commit.description.prefix(10))  \(printable(title))\n")
    } else if let reason = outcome.pendingReason {
      Output.write("\(style.warning("pending"))  \(reason)\n")
    } else if outcome.files.isEmpty {
      Output.write("nothing to commit\n")
    } else {
      Output.write("would commit  \(printable(title))\n")
      for file in outcome.files { Output.write("  \(printable(file))\n") }
    }
  }
}
