import ArgumentParser
import Git
import Persistence
import Records

/// Makes the skeleton of an agent's tree.
struct Init: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make the .moha/<agent> skeleton and a commented configuration; never overwrites.")

  @OptionGroup var options: GlobalOptions

  func run() async throws {
    let workspace = try await Workspace(options)
    guard let workTree = workspace.repository.workTree else {
      throw CommandFailure(
        code: "bare-repository", message: "a bare repository has no working tree to make files in", status: .noTree)
    }
    let agent = workspace.settings.agent
    let name = agent.displayName
    let root = agent.root.text
    let files = [
      ("\(root)/identity.json", "{\n  \"name\": \"\(name)\",\n  \"rebirth_count\": 0,\n  \"total_decisions\": 0\n}\n"),
      ("\(root)/session_log.md", "# \(name) Session Log\n## Append-only event history\n\n---\n\n"),
      ("\(root)/decisions/.gitkeep", ""), ("\(root)/milestones/.gitkeep", ""),
      ("moha-sync.yaml", Init.configurationText),
    ]
    var outcomes: [(path: String, isMade: Bool)] = []
    for (path, text) in files {
      let made: Bool
      do {
        try WorkTreeFile(workTree: workTree, path: GitPath(path)).create(with: Array(text.utf8))
        made = true
      } catch let error as PersistenceError where error.code == .nameTaken {
        made = false
      }
      outcomes.append((path, made))
      if !options.quiet && !options.json { Output.writeError("\(made ? "made  " : "kept  ") \(path)\n") }
    }
    if options.json {
      func paths(_ isMade: Bool) -> JSONValue {
        .array(outcomes.filter { $0.isMade == isMade }.map { .string($0.path) })
      }
      Output.writeJSON(.object([.init("schema", 1), .init("made", paths(true)), .init("kept", paths(false))]))
    }
  }

  private static let configurationText = """
    # Settings of moha-sync for this repository. A flag or an environment variable wins over a line here; with
    # everything commented out, a private Postgres and Redis of this repository are used.
    #
    # moha:
    #   agent: maven
    #   commit: each-write    # or periodic: a write is a durable file, and `moha-sync commit` commits it
    #   layout: flat          # or dated: decisions/YYYY/MM/DD, for hundreds of thousands of decisions
    # database:
    #   url: postgresql://maven@localhost/maven   # passwords: better in ~/.pgpass or DATABASE_URL
    #   schema: public
    # redis:
    #   url: redis://localhost:6379/0
    # tick:
    #   timeout: 120           # seconds for each step of a periodic run
    #   ping: https://…        # called at its start and end; better in MOHA_PING_URL
    #   metrics: /var/lib/prometheus/node-exporter/moha-sync.prom   # a text file for node_exporter
    # log:
    #   rotate-bytes: 1048576  # a longer session log loses its past months to session_log/YYYY-MM.md
    # snapshot:
    #   minutes: 60  # how old the newest portfolio snapshot gets before tick takes another; 0 for never

    """
}
