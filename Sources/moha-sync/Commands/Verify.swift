import ArgumentParser
import FoundationEssentials
import Persistence
import Records

/// The read-only proof that git and the database say the same.
struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prove that git and the database say the same; changes nothing.",
    discussion: """
      Every file is read and hashed, and every row's hash is computed by the database from its present columns. \
      The JSON can be kept and compared with a later state.

      The first line says how it stands. Files that cannot become records are named: no run mends them. Rows that git has \
      no copy of (trades, portfolio snapshots of bots, insights, conversations, performance, quarantine, the bots' \
      columns of decisions), and that are gone since the last comparison, are named as lost. A wrong counter of \
      identity.json is a warning and no difference, here as in every command: `reconcile` corrects it.
      """)

  @OptionGroup var options: GlobalOptions
  @Option(help: ArgumentHelp("Take the records from this commit instead of the working tree.", valueName: "rev"))
  var at: String?
  @Option(help: ArgumentHelp("Compare counts and digests with a proof kept earlier.", valueName: "proof.json"))
  var against: String?

  func run() async throws {
    var proof: JSONValue?
    if let against {
      guard let data = FileManager.default.contents(atPath: against) else {
        throw CommandFailure(code: "proof-unreadable", message: "\(against) cannot be read", status: .usage)
      }
      do throws(JSONError) {
        proof = try JSONValue.parse(Array(data))
      } catch {
        throw CommandFailure(code: "proof-invalid", message: "\(against) is no JSON: \(error)", status: .usage)
      }
    }
    let workspace = try await Workspace(options)
    let clock = ContinuousClock()
    let start = clock.now
    let survey = try await workspace.survey(at.map { .revision($0) } ?? .workTree, everything: options.verbose)
    var verification = Verification(survey, elapsed: clock.now - start)
    verification.standing = await RowMemory(
      of: workspace.repository, agent: workspace.settings.agent, database: try await workspace.database()
    ).look()
    let changes = try proof.map { try verification.differences(from: $0) }
    if options.json {
      var document = verification.json
      if let changes, case .object(let members) = document {
        document = .object(members + [.init("changed_since_proof", .array(changes.map { .string($0) }))])
      }
      Output.writeJSON(document)
    } else if !options.quiet {
      Output.write(TextReport(options).verification(verification, changes: changes))
    }
    if survey.rowDifferences > 0 || changes?.isEmpty == false { throw ExitCode(ExitStatus.differences.rawValue) }
    if !verification.isInSync {
      throw ExitCode((survey.hasErrors ? ExitStatus.partlyDone : .differences).rawValue)
    }
  }
}
