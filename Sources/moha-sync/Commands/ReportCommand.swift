import ArgumentParser
import FoundationEssentials
import Pages
import Persistence
import Records

/// Everything at a glance, to read, to send or to keep.
struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Show layers, drift, performance and the newest decisions in one report.",
    discussion: """
      The HTML report is one file with its charts in it: it loads nothing, runs nothing and can be read without a \
      network. Where the database is away, the report says so, shows what git has, and the exit code is 69.

      EXAMPLES
        moha-sync report --html report.html --days 30
        moha-sync report --markdown
      """)

  @OptionGroup var options: GlobalOptions
  @OptionGroup var window: WindowOptions
  @Option(help: ArgumentHelp("Write a page to this file; - is standard output.", valueName: "file"))
  var html: String?
  @Flag(help: "Print Markdown.")
  var markdown = false

  func validate() throws {
    if [html != nil, markdown, options.json].count(where: { $0 }) > 1 {
      throw ValidationError("--html, --markdown and --json exclude each other")
    }
  }

  func run() async throws {
    let workspace = try await Workspace(options)
    // Started where it is ours to start; where that fails, the report is about that too.
    _ = try? await workspace.database()
    let records = workspace.records()
    let url = "http://127.0.0.1:\(try Serve.configuredPort(workspace.settings.environment))"
    let mcp = AgentHealth.Probe.mcp(
      url: url, tree: MCPPort.tree(root: workspace.root, agent: workspace.settings.agent),
      patience: AgentHealth.patience)
    let overview = await records.overview(records.queries(patience: .seconds(30)), days: window.days, mcp: mcp)
    if let html {
      try write(OverviewPage(overview, isLive: false).document, to: html)
    } else if options.json {
      Output.writeJSON(OverviewReport.json(overview))
    } else {
      let style = Style(markdown ? .never : options.color)
      Output.write(OverviewReport(overview, style: style, isMarkdown: markdown).text)
    }
    if overview.figures.problem != nil { throw ExitCode(ExitStatus.serviceDown.rawValue) }
  }

  private func write(_ document: String, to file: String) throws {
    if file == "-" { return Output.write(document) }
    do {
      // Whole or not at all: a page that is open elsewhere never shows a half.
      try Data(document.utf8).write(to: URL(filePath: file), options: .atomic)
    } catch {
      throw CommandFailure(
        code: "report-unwritten", message: "\(file) cannot be written: nothing was changed",
        hint: "name a file in a folder that exists and is yours", status: .failed)
    }
    if !options.quiet { Output.writeError("moha-sync: wrote \(printable(file))\n") }
  }
}
