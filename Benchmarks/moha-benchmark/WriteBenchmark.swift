import ArgumentParser
import Git
import Persistence
import Postgres
import Records

/// Durable writes, one at a time and many at once.
struct WriteBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "write",
    abstract: "Measure durable, committed, projected writes at several numbers of writers, beside the bare steps in C.",
    discussion: """
      Each write is a decision: its file, the counter, a commit in HEAD and a row, all durable before the answer. \
      Writers are tasks of this process, as in the MCP server; `moha-sync record` is a process for each write.
      """)

  @OptionGroup var options: BenchmarkOptions
  @Option(help: ArgumentHelp("Numbers of writers, with commas between.", valueName: "list"))
  var writers = "1,8,64"
  @Option(help: "How many writes each number of writers makes in a round.")
  var writes = 320
  @Option(help: ArgumentHelp("The folder of durable_write.c.", valueName: "dir"))
  var bound = "Benchmarks/limits"

  func run() async throws {
    let counts = writers.split(separator: ",").compactMap { Int($0) }.filter { $0 > 0 }
    guard !counts.isEmpty, writes > 0 else { throw ValidationError("there must be something to measure") }
    var options = options
    options.checkout = true
    try await Stage.withStage(options) { stage in
      let url = try stage.url(database: Stage.ours)
      let global = ["--quiet", "--root", stage.repository, "--database", url]
      try stage.program("moha-sync", ["sync"] + global).run(scratch: stage.folder)
      let limit = try BareWrites(stage, source: "\(bound)/durable_write.c")
      try await limit.prepare()

      var rows =
        [WriteRow(name: "bare steps in C", writers: 1)] + counts.map { WriteRow(name: "in one process", writers: $0) }
      rows.append(WriteRow(name: "moha-sync record", writers: 1))
      for round in 0...options.rounds {
        for index in rows.indices {
          Output.writeError(
            "\(round == 0 ? "warming up" : "round \(round) of \(options.rounds)"): \(rows[index].title)\n")
          let sample: WriteSample
          switch index {
          case 0: sample = try limit.run(writes: writes)
          case rows.count - 1: sample = try processes(stage, global, writes: min(writes, 30))
          default: sample = try await tasks(stage, writers: rows[index].writers)
          }
          if round > 0 { rows[index].samples.append(sample) }
        }
      }
      try stage.program("moha-sync", ["verify"] + global).run(scratch: stage.folder)
      Output.write(
        "\(options.records) decisions, \(options.layout.rawValue), \(writes) writes; \(options.rounds) rounds\n")
      Output.write(WriteRow.table(rows))
    }
  }

  /// `writes` decisions by `writers` tasks that share one service, as the clients of a server do.
  private func tasks(_ stage: Stage, writers: Int) async throws -> WriteSample {
    var settings = WriteSettings()
    settings.layout = options.layout == .dated ? .dated : .flat
    let database = Database(settings: try stage.settings(database: Stage.ours))
    let service = RecordService(
      writer: RecordWriter(repository: try Repository(at: stage.repository), agent: .default, settings: settings),
      database: { database })
    let start = ContinuousClock().now
    var latencies: [Duration] = []
    try await withThrowingTaskGroup(of: [Duration].self) { group in
      for writer in 0..<writers {
        let share = writes / writers + (writer < writes % writers ? 1 : 0)
        group.addTask { try await Self.write(share, as: writer, to: service) }
      }
      for try await part in group { latencies += part }
    }
    return WriteSample(wall: ContinuousClock().now - start, latencies: latencies)
  }

  /// Writes one after another; how long each took.
  private static func write(_ count: Int, as writer: Int, to service: RecordService) async throws -> [Duration] {
    var latencies: [Duration] = []
    for number in 0..<count {
      let request = try RecordRequest(.decision, json: decision(writer, number), now: Instant.now())
      let begin = ContinuousClock().now
      let outcome = try await service.record(request)
      latencies.append(ContinuousClock().now - begin)
      guard outcome.written.commit != nil, outcome.row?.rowID != nil else {
        throw BenchmarkError("a write was not projected: \(outcome.row?.error ?? "no commit")")
      }
    }
    return latencies
  }

  /// One process a write, one after another.
  private func processes(_ stage: Stage, _ global: [String], writes: Int) throws -> WriteSample {
    let layout = options.layout == .dated ? "dated" : "flat"
    var latencies: [Duration] = []
    let clock = ContinuousClock()
    let start = clock.now
    for number in 0..<writes {
      var program = try stage.program(
        "moha-sync", ["record", "decision", "--input", "\(stage.folder)/request.json"] + global)
      program.environment["MOHA_LAYOUT"] = layout
      try TextFile.write(Self.decision(0, number).text(), to: "\(stage.folder)/request.json")
      latencies.append(try program.run(scratch: stage.folder).wall)
    }
    return WriteSample(wall: clock.now - start, latencies: latencies)
  }

  private static func decision(_ writer: Int, _ number: Int) -> JSONValue {
    .object([
      .init("decision_type", "buy"), .init("asset", "BTC"), .init("action", .string("Buy \(number) as \(writer)")),
      .init("reasoning", .string(String(repeating: "Momentum above support. ", count: 11))),
      .init("confidence", 80), .init("risk_level", "low"),
    ])
  }
}

/// The C program that makes the same writes without any care.
private struct BareWrites {
  private let stage: Stage
  private let executable: String
  private var repository: String { "\(stage.folder)/bare-writes" }

  init(_ stage: Stage, source: String) throws {
    self.stage = stage
    executable = "\(stage.folder)/durable_write"
    try stage.external(
      "cc", ["-O2", "-I/usr/include/postgresql", "-o", executable, source, "-lgit2", "-lpq"]
    ).run(scratch: stage.folder)
  }

  /// A repository and a table of its own, with the same content as ours.
  func prepare() async throws {
    try stage.external("cp", ["-a", stage.repository, repository]).run(scratch: stage.folder)
    try await stage.execute("CREATE DATABASE \(Stage.peers) TEMPLATE \(Stage.ours)")
  }

  func run(writes: Int) throws -> WriteSample {
    var program = stage.external(
      executable,
      [
        repository, String(writes),
        stage.options.layout == .dated ? ".moha/maven/decisions/2026/11/23" : ".moha/maven/decisions",
      ])
    program.output = "\(executable).out"
    let wall = try program.run(scratch: stage.folder).wall
    let latencies = TextFile.contents(of: program.output).split(separator: "\n").compactMap { line in
      Double(line).map { Duration.nanoseconds(Int64($0 * 1_000)) }
    }
    guard latencies.count == writes else { throw BenchmarkError("durable_write reported \(latencies.count) writes") }
    return WriteSample(wall: wall, latencies: latencies)
  }
}

/// One round of writes.
private struct WriteSample {
  let wall: Duration
  let latencies: [Duration]

  func percentile(_ share: Double) -> Double {
    let sorted = latencies.map(\.inSeconds).sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] * 1_000
  }

  var rate: Double { Double(latencies.count) / wall.inSeconds }
}

/// One way to write, over all rounds.
private struct WriteRow {
  let name: String
  let writers: Int
  var samples: [WriteSample] = []

  var title: String { "\(name), \(writers) \(writers == 1 ? "writer" : "writers")" }

  /// Medians over the rounds. Ratios are to the first row, and of throughput to the second, round by round.
  static func table(_ rows: [WriteRow]) -> String {
    let heading = ["write", "writers", "p50 ms", "p99 ms", "writes/s", "p50 × bare", "writes/s × one writer"]
    let cells = rows.map { row in
      [
        row.name, String(row.writers), text(median(row.samples.map { $0.percentile(0.5) })),
        text(median(row.samples.map { $0.percentile(0.99) })), text(median(row.samples.map(\.rate)), digits: 0),
        text(median(zip(row.samples, rows[0].samples).map { $0.percentile(0.5) / $1.percentile(0.5) })),
        text(median(zip(row.samples, rows[1].samples).map { $0.rate / $1.rate })),
      ]
    }
    let all = [heading] + cells
    return all.map { line in
      zip(line, heading.indices).map { cell, column in
        let width = all.map { $0[column].count }.max() ?? 0
        let space = String(repeating: " ", count: width - cell.count)
        return column == 0 ? cell + space : space + cell
      }.joined(separator: "  ")
    }.joined(separator: "\n") + "\n"
  }

  private static func median(_ values: [Double]) -> Double { Spread(values).median }

  private static func text(_ value: Double, digits: Int = 2) -> String { Comparison.text(value, digits: digits) }
}
