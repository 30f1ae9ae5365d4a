import ArgumentParser
import Glibc
import Persistence
import Postgres
import Records
import Redis
import UnixSignals

/// Runs a command while holding a lock.
struct LockRun: ServingCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a command while holding a lock; its exit code is passed on.",
    discussion: """
      The lock is in Redis and is renewed while the command runs. Redis only keeps honest programs apart: what proves \
      the right to write is a token in Postgres, which passes on with the lock. The command gets MOHA_FENCE_SCOPE and \
      MOHA_FENCE_TOKEN, and each of its transactions begins with

        SELECT maven_fence_check('SCOPE', TOKEN);

      which fails (SQLSTATE MHF01) once somebody else has the lock, and otherwise keeps the token from passing on \
      until the transaction ends.

      Exit 11 if the lock stayed taken for --wait, and when it is lost while the command runs: the command is told with \
      SIGTERM then, and killed after 10 s. Exit 69 if Redis or Postgres is down: nothing is run. With --json the \
      command's output goes to standard error, and the result is one document. Signals are passed on to the command, \
      which is a process group of its own unless standard input is a terminal.
      """)

  @OptionGroup var options: GlobalOptions
  @Argument(help: "The lock's name.")
  var name: String
  @Option(help: ArgumentHelp("How long the lock outlives this process: 30s, 5m.", valueName: "time"))
  var ttl = TimeSpan(.seconds(30))
  @Option(help: ArgumentHelp("How long to wait for the lock.", valueName: "time"))
  var wait = TimeSpan(.seconds(10))
  @Flag(help: "Use no Postgres: the lock keeps honest programs apart, and proves nothing.")
  var noFence = false
  @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
  var command: [String] = []

  func validate() throws {
    try options.refuseTimeLimit()
    if ttl.duration < .seconds(1) || ttl.duration > .seconds(86_400) {
      throw ValidationError("--ttl takes a time from 1s to 24h")
    }
    if command.isEmpty { throw ValidationError("name the command to run, after --") }
  }

  func run() async throws {
    let name = try CacheName(name)
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup, .sigquit, .sigusr1, .sigusr2)
    let relay = SignalRelay()
    let acquiring = Task { try await acquire(name) }
    let listening = Task {
      for await signal in signals where !relay.pass(signal.rawValue) { acquiring.cancel() }
    }
    defer { listening.cancel() }
    let held: Holding?
    do {
      held = try await acquiring.value
    } catch {
      throw acquiring.isCancelled ? CancellationError() : error
    }
    guard let held else { throw await taken(name) }
    if relay.hasPending {
      _ = try? await held.lease.release()
      throw CancellationError()
    }
    let outcome: HeldCommand.Outcome
    do {
      outcome = try await HeldCommand(
        command: command, variables: held.variables, lease: held.lease, since: held.since, relay: relay,
        outputToError: options.json
      ).run()
    } catch {
      _ = try? await held.lease.release()
      throw error
    }
    try await finish(outcome, held, name)
  }

  private struct Holding: Sendable {
    let lease: Lease
    let since: ContinuousClock.Instant
    let token: FencingToken?

    var variables: [String: String] {
      guard let token else { return [:] }
      return ["MOHA_FENCE_SCOPE": token.scope, "MOHA_FENCE_TOKEN": String(token.value)]
    }
  }

  private func acquire(_ name: CacheName) async throws -> Holding? {
    let workspace = try await Workspace(options)
    // An answer that comes later than the next renewal is due is none.
    let client = try await workspace.redisClient(timeout: min(.seconds(5), ttl.duration / 3))
    let lock = try RedisLock(client, name: name, lifetime: ttl.duration)
    let holder = LockRun.holder
    if noFence {
      let lease = try await lock.acquire(holder: holder, patience: wait.duration)
      return lease.map { Holding(lease: $0, since: $0.taken, token: nil) }
    }
    let fenced = FencedLock(lock, database: try await workspace.database())
    let held = try await fenced.acquire(holder: holder, patience: wait.duration)
    return held.map { Holding(lease: $0.lease, since: $0.since, token: $0.token) }
  }

  /// The error for a lock that stayed taken; who has it is told where that is known.
  private func taken(_ name: CacheName) async -> CommandFailure {
    var holder: String?
    if let workspace = try? await Workspace(options), let settings = await workspace.redisIfUp(),
      let client = try? await RedisClient(settings)
    {
      holder = try? await RedisLock.holder(of: name, on: client)?.holder
    }
    return CommandFailure(
      code: "locked",
      message: "the lock \(name) is held by \(holder.map { printable($0) } ?? "another run"): nothing was run",
      hint: "run again later, or wait longer with --wait", status: .locked)
  }

  private func finish(_ outcome: HeldCommand.Outcome, _ held: Holding, _ name: CacheName) async throws {
    var loss = outcome.loss
    do {
      // Where the lock had passed on before the command ended, and nobody had noticed.
      if try await !held.lease.release(), loss == nil { loss = .gone }
    } catch {
      if loss == nil {
        Output.writeError("moha-sync: the lock \(name) ends by itself: \(printable("\(error)"))\n")
      }
    }
    if let loss {
      let reason =
        switch loss {
        case .gone: "its time had passed, or the cache was emptied"
        case .unreachable(let detail): "Redis did not answer: \(printable(detail))"
        }
      throw CommandFailure(
        code: "lock-lost",
        message:
          "the lock \(name) was lost while the command ran: \(reason). The command ended with \(outcome.status)",
        hint: "what it wrote under maven_fence_check is whole or absent; check the rest", status: .locked)
    }
    if options.json {
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("name", .string(name.text)), .init("exit_code", .integer(Int(outcome.status))),
          .init("fence_scope", held.token.map { .string($0.scope) } ?? .null),
          .init("fence_token", held.token.map { .integer(Int($0.value)) } ?? .null),
        ]))
    }
    if outcome.status != 0 { throw ExitCode(outcome.status) }
  }

  /// This process, as `lock status` shows it: host and process identifier.
  private static var holder: String {
    var buffer = [CChar](repeating: 0, count: 65)
    let status = gethostname(&buffer, buffer.count - 1)
    let host = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "\(status == 0 && !host.isEmpty ? host : "localhost"):\(getpid())"
  }
}
