import ArgumentParser
import Persistence
import Postgres
import Records

/// Looks for everything that is known to go wrong, and mends what is safe to.
struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look for what is wrong, say why, and how to mend it.",
    discussion: """
      Git, its locks and unfinished writes, records and rows, secrets in HEAD, Postgres, Redis, the MCP server, the \
      embedded servers, the periodic run, the configuration and the disks. Every finding has a code, a cause and a safe \
      next command. Nothing is started or changed, and the answer comes within two seconds, or what --timeout says; \
      --deep waits for the comparison of all records, and for a look through all of history for secrets, however long \
      that takes; how far it came is kept in the git folder.

      --fix starts embedded servers, removes locks whose holders are gone, finishes the writes of killed processes, \
      migrates and repairs the schema, writes rows that are missing, and closes files with secrets to others. It never \
      changes a record, deletes a row or resets anything, and says what it did and what it left.

      EXIT CODES
        0    nothing is wrong, or everything was fixed
        Otherwise of what is left the first of: 10 git cannot be read, 1, 2 configuration, 12 a secret that others \
      can read, or that git holds, 69 a service is down, 11 a lock of git's, 4 rows differ, 3 something needs a look.
      """)

  @OptionGroup var options: GlobalOptions
  @OptionGroup var selection: LayerSelection
  @Flag(help: "Do what is safe.")
  var fix = false
  @Flag(help: "Compare all records with their rows and look for secrets in history, however long that takes.")
  var deep = false
  @Flag(help: "Only this: no longer tell of rows that are gone from the database, since they are meant to be.")
  var forgetRows = false
  @Option(help: ArgumentHelp("The file with the tokens of serve. (default: ~/.moha-token)", valueName: "file"))
  var tokenFile: String?

  /// Of several exit codes the first of these is given.
  private static let order: [ExitStatus] = [
    .noTree, .failed, .usage, .refused, .serviceDown, .locked, .differences, .partlyDone,
  ]

  func run() async throws {
    if forgetRows { return try await forget() }
    var found = try await examine()
    var outcomes: [Treatment.Outcome]?
    if fix {
      outcomes = []
      // A server that runs again shows what it lacks: a second round mends that.
      for _ in 1...3 {
        let tried = Set((outcomes ?? []).map(\.remedy))
        let remedies = Set(found.compactMap(\.remedy)).subtracting(tried)
        guard !remedies.isEmpty else { break }
        outcomes = await (outcomes ?? []) + Treatment(outlook: Outlook(options)).apply(remedies)
        found = try await examine()
      }
    }
    let wrong = found.filter { $0.severity >= .warning }
    let status =
      Doctor.order.first { status in wrong.contains { $0.status == status } } ?? (wrong.isEmpty ? .success : .failed)
    if options.json {
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("healthy", .bool(wrong.isEmpty)),
          .init("exit_code", .integer(Int(status.rawValue))),
          .init("findings", .array(found.map(\.json))),
          .init("fixes", outcomes.map { .array($0.map(\.json)) } ?? .null),
        ]))
    } else {
      Output.write(text(found, outcomes, Style(options.color)))
    }
    if status != .success { throw ExitCode(status.rawValue) }
  }

  private func forget() async throws {
    let workspace = try await Workspace(options)
    let database = try await workspace.database()
    let memory = RowMemory(of: workspace.repository, agent: workspace.settings.agent, database: database)
    let open = try await database.connect()
    let forgotten = try await memory.forget(open)
    await open?.connection.close()
    if options.json {
      Output.writeJSON(.object([.init("schema", 1), .init("forgotten", .array(forgotten.map(\.json)))]))
    } else if !options.quiet {
      Output.write(forgotten.isEmpty ? "nothing was known to be gone\n" : "")
      for loss in forgotten { Output.write("forgot  \(loss.sentence)\n") }
    }
  }

  private func examine() async throws -> [Diagnosis] {
    let outlook = await Outlook(options)
    // Above the second that each layer has for its answer, and below two together.
    let patience = options.patience(deep || fix ? .seconds(20) : .milliseconds(1_500))
    return await Examination(
      outlook: outlook, probes: try selection.probes(outlook, Examination.layerPatience(patience)), mcpURL: try selection.url(outlook.environment),
      excluded: selection.excluded, required: selection.required, tokenFile: tokenFile,
      patience: patience,
      comparisonPatience: options.patience(deep || fix ? .seconds(86_400) : .milliseconds(1_500)),
      isDeep: deep
    ).run()
  }

  private func text(_ found: [Diagnosis], _ outcomes: [Treatment.Outcome]?, _ style: Style) -> String {
    var text = ""
    for outcome in outcomes ?? [] {
      let mark = outcome.isDone ? style.good("fixed") : style.bad("not fixed")
      text += "\(mark)  \(outcome.remedy.words): \(outcome.words)\n"
    }
    for diagnosis in found where diagnosis.severity >= .warning || !options.quiet {
      let mark =
        switch diagnosis.severity {
        case .ok: style.good(padded("ok", 7))
        case .info: style.dim(padded("info", 7))
        case .warning: style.warning(padded("warning", 7))
        case .error: style.bad(padded("error", 7))
        }
      text += "\(mark)  \(padded(diagnosis.area, 13)) \(printable(diagnosis.found))\n"
      if diagnosis.severity == .ok { continue }
      let indent = String(repeating: " ", count: 23)
      if let cause = diagnosis.cause { text += "\(indent)\(printable(cause))\n" }
      let fixable = diagnosis.remedy != nil && !fix ? "; --fix does it" : ""
      text +=
        "\(indent)\(style.dim("\(diagnosis.code)\(diagnosis.hint.map { "; hint: \(printable($0))" } ?? "")\(fixable)"))\n"
    }
    return text
  }
}
