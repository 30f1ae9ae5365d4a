import ArgumentParser
import FoundationEssentials
import Git
import Glibc
import Persistence
import Records

/// All periodic work in one run, for cron.
struct Tick: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What cron runs: commit, rotate the log, reconcile, push, report; each bounded in time.",
    discussion: """
      Silent when all is well; a problem is a line on stderr and an exit code. A step that fails does not stop the \
      later ones: with the database down the records are committed all the same. One tick at a time: a second one \
      exits 11 at once.

      Of several problems the first of these exit codes is given: 130 interrupted, 10 no tree, 1 failed, 12 refused \
      (a secret, a mass removal), 69 the database is down or does not answer, 11 locked by another run, 3 files that cannot \
      become records. The limit (--timeout) is that of each step, 120 s by default; a step that passes it with a \
      database that answers others is 1. A push, a ping or a metrics file that fails is a warning and no exit code.
      """)

  @OptionGroup var options: GlobalOptions
  @Option(
    defaultAsFlag: "",
    help: ArgumentHelp("Push the branch after the commit, to its own remote or to this one.", valueName: "remote"))
  var push: String?
  @Option(help: ArgumentHelp("How long the push may take.", valueName: "seconds"))
  var pushTimeout = 30
  @Option(
    help: ArgumentHelp(
      "Call URL/start, then URL, or URL/EXIT-CODE after a failure (MOHA_PING_URL, tick.ping).", valueName: "url"))
  var ping: String?
  @Option(
    help: ArgumentHelp(
      "Write how it went to this text file of node_exporter (MOHA_METRICS_FILE, tick.metrics).", valueName: "file"))
  var metrics: String?
  @Option(help: ArgumentHelp("Wait up to this long first, at random.", valueName: "seconds"))
  var jitter = 0

  func validate() throws {
    if let timeout = options.timeout, timeout < 1 {
      throw ValidationError("--timeout takes a number of seconds above 0")
    }
    if pushTimeout < 1 { throw ValidationError("--push-timeout takes a number of seconds above 0") }
    if jitter < 0 || jitter > 86_400 { throw ValidationError("--jitter takes a number of seconds") }
    if let ping, Heartbeat(ping) == nil { throw ValidationError("--ping takes an http or https URL") }
  }

  func run() async throws {
    let environment = ProcessInfo.processInfo.environment
    let workspace: Workspace
    do {
      workspace = try await Workspace(options)
    } catch {
      // Without a repository there is no configuration, but the service should hear of it.
      if let heartbeat = try heartbeat(environment["MOHA_PING_URL"]) {
        _ = await heartbeat.send(.end(Failure(error).status.rawValue))
      }
      warn(missedTick(Failure(error).status, environment))
      throw error
    }
    let heartbeat = try heartbeat(workspace.settings.pingURL)
    if jitter > 0 { try await Task.sleep(for: .milliseconds(Int.random(in: 0..<jitter * 1_000))) }
    let lock = try await FileLock.acquire(.tick, of: workspace.repository, patience: .zero)
    defer { withExtendedLifetime(lock) {} }

    // The first ping and the work go side by side: a service that is away does not delay the commit.
    async let started = heartbeat?.send(.start)
    let limit = Duration.seconds(options.timeout ?? workspace.settings.tickTimeout)
    let run = TickRun(
      workspace: workspace, push: push, pushLimit: .seconds(pushTimeout), limit: limit, isQuiet: options.quiet)
    let outcome = await run.run()
    _ = await started
    warn(keep(outcome, workspace))
    var isPinged: Bool?
    if let heartbeat {
      // Also when this run was cancelled, which would cancel the call.
      isPinged = await Task { await heartbeat.send(.end(outcome.status.rawValue)) }.value
    }
    if Task.isCancelled { throw CancellationError() }
    for line in outcome.warnings { Output.writeError("moha-sync: \(line)\n") }
    if options.json {
      Output.writeJSON(outcome.json(agent: workspace.settings.agent, isPinged: isPinged))
    } else if !options.quiet, options.verbose || Output.isTerminal(STDOUT_FILENO) {
      Output.write(outcome.text(Style(options.color), isPinged: isPinged))
    }
    if outcome.status != .success { throw ExitCode(outcome.status.rawValue) }
  }

  /// Keeps what became of the tick, and writes it for node_exporter, also after a step that failed or an interruption.
  /// Returns what could not be written.
  private func keep(_ outcome: TickOutcome, _ workspace: Workspace) -> [String] {
    let agent = workspace.settings.agent
    let path = TickRecord.path(gitDirectory: workspace.repository.gitDirectory, agent: agent)
    let record = TickRecord(outcome, after: TickRecord(contentsOf: path), now: Tick.now())
    return Tick.problems([
      { try record.save(path, workspace.repository.permissions) },
      { try (metrics ?? workspace.settings.metricsFile).map { try record.writeMetrics($0, agent: agent) } },
    ])
  }

  /// The same of a tick that has no repository or no configuration, and so no record of earlier ones.
  private func missedTick(_ status: ExitStatus, _ environment: [String: String]) -> [String] {
    guard let path = metrics ?? environment["MOHA_METRICS_FILE"], !path.isEmpty else { return [] }
    let agent = (options.agent ?? environment["MOHA_AGENT"]).flatMap { Agent($0) } ?? .default
    let record = TickRecord(status, after: nil, now: Tick.now())
    return Tick.problems([{ try record.writeMetrics(path, agent: agent) }])
  }

  private static func problems(_ steps: [() throws -> Void]) -> [String] {
    steps.compactMap { step in
      do {
        try step()
        return nil
      } catch {
        return Failure(error).message
      }
    }
  }

  private func warn(_ problems: [String]) {
    for problem in problems { Output.writeError("moha-sync: \(problem)\n") }
  }

  /// Seconds since 1970.
  private static func now() -> Double { Double(time(nil)) }

  private func heartbeat(_ configured: String?) throws -> Heartbeat? {
    guard let url = ping ?? configured, !url.isEmpty else { return nil }
    guard let heartbeat = Heartbeat(url) else {
      throw CommandFailure(
        code: "configuration", message: "the ping URL is no http or https URL: nothing was done",
        hint: "correct MOHA_PING_URL or tick.ping", status: .usage)
    }
    return heartbeat
  }
}
