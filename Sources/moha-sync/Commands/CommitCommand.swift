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
      What is staged or changed elsewhere stays as it is. A file that holds a secret, or that git would store through \
      a filter, is left out, the rest is committed, and the exit code is 12. Other files that cannot be taken are named, \
      and the exit code is 3: ignored ones, conflicts, records that were emptied or replaced by a link. Entries of a log \
      that HEAD has and the file lacks stay in git until a commit of your own removes them. On a detached HEAD, or in the \
      middle of a merge or rebase, nothing is committed; the next run does.
      """)

  @OptionGroup var options: GlobalOptions
  @Flag(help: "Show what would be committed and write nothing.")
  var dryRun = false
  @Option(name: .shortAndLong, help: "The message, in place of one that is made from the records.")
  var message: String?
  @Option(help: ArgumentHelp("Let the commit delete this many record files.", valueName: "n"))
  var allowRemovals: Int?

  @Option(
    defaultAsFlag: "",
    help: ArgumentHelp(
      "Push the branch after the commit, to its own remote or to this one; failing is only a warning.",
      valueName: "remote"))
  var push: String?

  @Option(help: ArgumentHelp("How long the push may take.", valueName: "seconds"))
  var pushTimeout = 30

  func validate() throws {
    if pushTimeout < 1 { throw ValidationError("--push-timeout takes a number of seconds above 0") }
    if dryRun && push != nil { throw ValidationError("--dry-run writes nothing: leave out --push") }
  }

  func run() async throws {
    let workspace = try await Workspace(options)
    let commit = AutomaticCommit(
      repository: workspace.repository, agent: workspace.settings.agent, settings: workspace.settings.writing)
    let outcome = try await commit.run(isDryRun: dryRun, message: message, allowedRemovals: allowRemovals)
    await workspace.tell(outcome)
    var pushed: GitPush.Outcome?
    if let push {
      pushed = await GitPush(
        repository: workspace.repository, environment: workspace.settings.environment,
        remote: push.isEmpty ? nil : push, limit: .seconds(pushTimeout)
      ).run()
    }
    if options.json {
      var document = Report.commit(outcome)
      if let pushed, case .object(let members) = document {
        document = .object(members + [.init("push", pushed.json)])
      }
      Output.writeJSON(document)
    } else {
      report(outcome)
      if let pushed, !pushed.isTrouble, !options.quiet {
        Output.write("\(pushed.status.rawValue)  \(pushed.remote ?? pushed.detail)\n")
      }
    }
    if let pushed, pushed.isTrouble { Output.writeError("moha-sync: \(pushed.warning)\n") }
    if outcome.status != .success { throw ExitCode(outcome.status.rawValue) }
  }

  private func report(_ outcome: AutomaticCommit.Outcome) {
    let style = Style(options.color)
    for warning in outcome.warnings { Output.writeError("moha-sync: \(warning)\n") }
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

extension AutomaticCommit.Outcome {
  /// What the files that were left out come to.
  var status: ExitStatus {
    if !refused.isEmpty || skipped.contains(where: { $0.weight == .refusal }) { return .refused }
    return skipped.contains { $0.weight == .partly } ? .partlyDone : .success
  }

  /// What was left out and needs a person, and what is to be said of the commit, a line each.
  var warnings: [String] {
    commitWarnings.map(printable) + refused.map(\.warning) + skipped.filter { $0.weight != .note }.map(\.warning)
  }
}

extension AutomaticCommit.Skipped {
  /// The file, and why it was left out.
  var warning: String { "\(printable(path)): left out, it \(printable(reason.detail))" }
}
