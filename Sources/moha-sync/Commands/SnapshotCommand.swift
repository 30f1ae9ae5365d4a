import ArgumentParser
import Git
import Persistence
import Records
import Redis

/// Portfolio snapshots, from positions and prices in Redis.
struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Make the positions and prices in Redis a portfolio snapshot in git, and back.",
    discussion: """
      A snapshot is a file below portfolio/, a commit and a row of maven_portfolio_snaps. Without --balance the \
      available balance is that of the newest snapshot. Where a position has no price, none is taken: what cannot be \
      counted is not left out.

      `tick` takes one when the newest is an hour old (`snapshot: minutes:`) and Redis holds positions.
      """,
    subcommands: [Take.self, Restore.self], defaultSubcommand: Take.self)

  struct Take: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Take a snapshot now.")

    @OptionGroup var options: GlobalOptions
    @Option(parsing: .unconditional, help: ArgumentHelp("What is not tied up in positions.", valueName: "usd"))
    var balance: String?
    @Option(
      parsing: .unconditionalSingleValue,
      help: ArgumentHelp("A price to use in place of the one in Redis; may be repeated.", valueName: "asset=price"))
    var price: [String] = []
    @Option(help: "scheduled, decision, manual or milestone.")
    var type = Snapshot.Cause.manual
    @Option(parsing: .unconditional, help: "A remark to keep with it.")
    var notes: String?

    func run() async throws {
      var request = SnapshotTaker.Request(type)
      request.notes = notes
      request.balance = try balance.map { try cacheNumber($0, "--balance") }
      for pair in price {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw ValidationError("--price takes ASSET=PRICE") }
        request.prices[try Asset(String(parts[0]))] = try cacheNumber(String(parts[1]), "--price")
      }
      let workspace = try await Workspace(options)
      let outcome = try await workspace.snapshotTaker(try await workspace.redisClient()).take(request)
      let (snapshot, recorded) = (outcome.snapshot, outcome.recorded)
      if options.json {
        guard case .object(let members) = recorded.json else { return }
        Output.writeJSON(
          .object(members + [.init("snapshot", snapshot.json), .init("restored", outcome.restored?.json ?? .null)]))
        return
      }
      guard !options.quiet else { return }
      outcome.restored?.tell()
      if case .array(let positions) = snapshot.openPositions, !positions.isEmpty {
        let columns: [JSONString] = ["asset", "side", "size", "entry", "price", "value_usd", "unrealized_pnl_usd"]
        let rows = positions.map { position in columns.map { position[$0]?.plainText ?? "" } }
        Output.write(
          TextReport(options).table(["asset", "side", "size", "entry", "price", "value USD", "P&L USD"], rows))
      }
      let amounts = [
        ("total", snapshot.totalValue), ("available", snapshot.availableBalance), ("in positions", snapshot.marginUsed),
        ("unrealized", snapshot.unrealizedPnL),
      ]
      Output.write(amounts.map { "\($0.0) \($0.1.text)" }.joined(separator: ", ") + " USD\n")
      let commit = recorded.written.commit.map { "commit \($0.description.prefix(10))" }
      Output.write(
        "recorded  \(recorded.written.path)  \(commit ?? "commit pending: \(recorded.written.pendingReason ?? "")")\n")
      if let error = recorded.row?.error {
        Output.writeError("moha-sync: no row yet: \(error). The next reconcile writes it.\n")
      }
    }
  }

  struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put the positions of the newest snapshot back into Redis.",
      discussion: "Only where Redis has none for an asset: a position that is there stays as it is.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
      let workspace = try await Workspace(options)
      let history = SnapshotHistory(workspace.records().files)
      let outcome = try await PositionRestore(try await workspace.redisClient(), agent: workspace.settings.agent)
        .restore(from: history)
      if options.json { return Output.writeJSON(outcome.json) }
      guard !options.quiet else { return }
      if outcome.source == nil { Output.writeError("moha-sync: there is no snapshot to restore positions from\n") }
      outcome.tell()
    }
  }
}

extension Snapshot.Cause: ExpressibleByArgument {}

extension Workspace {
  func snapshotTaker(_ client: RedisClient) -> SnapshotTaker {
    SnapshotTaker(client, agent: settings.agent, files: records().files, service: recordService)
  }
}

extension PositionRestore.Outcome {
  var json: JSONValue {
    [
      "schema": 1, "source": source.map { .string($0) } ?? .null,
      "restored": .array(restored.map { .string($0.name) }), "problems": .array(problems.map { .string($0) }),
    ]
  }

  /// Says on stderr what came back.
  func tell() {
    for problem in problems { Output.writeError("moha-sync: \(printable(problem))\n") }
    guard let source, !restored.isEmpty else { return }
    Output.writeError(
      "moha-sync: Redis had lost positions; put back from \(source): \(restored.map(\.name).joined(separator: ", "))\n")
  }
}

extension Snapshot {
  /// The members of the snapshot's file.
  var json: JSONValue {
    (try? JSONValue.parse(RecordFile.encode(.snapshot(self), recordedBy: ""))) ?? .null
  }
}

extension JSONValue {
  /// A text or a number as people read it.
  fileprivate var plainText: String? {
    if case .number(let number) = self { return number.spelling }
    return text
  }
}
