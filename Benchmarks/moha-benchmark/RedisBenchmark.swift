import ArgumentParser
import EmbeddedServers
import Glibc
import Redis

/// GET and SET over one connection.
struct RedisBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redis",
    abstract: "Measure GET and SET of the client at one connection, beside redis-benchmark on the same socket.",
    discussion: """
      A private Redis on a Unix socket is asked in turn by redis-benchmark (-c 1), by a bare loop of send and recv in this \
      process, and by the client: each command awaited alone, and a hundred in one pipeline. redis-benchmark sorts its \
      latencies into buckets of eight microseconds, so means (time divided by commands) are what can be compared with \
      it; p50 and p99 are compared with the bare loop.
      """)

  @Option(help: "How many commands of each kind a round has.")
  var commands = 20_000
  @Option(help: "How many rounds count.")
  var rounds = 5

  func validate() throws {
    guard commands >= 1_000, rounds > 0 else { throw ValidationError("there must be something to measure") }
  }

  func run() async throws {
    let table = try await Stage.withServers { servers, folder in
      try await measure(socket: servers.startRedis().socketPath, folder: folder)
    }
    Output.write(table)
  }

  private func measure(socket: String, folder: String) async throws -> String {
    let client = try await RedisClient(RedisSettings(.unix(path: socket)))
    var rows = ["SET", "GET"].flatMap { command in
      RedisRow.Way.allCases.map { RedisRow(command: command, way: $0) }
    }
    for round in 0...rounds {
      for index in rows.indices {
        try Interruption.check()
        let row = rows[index]
        Output.writeError(
          "\(round == 0 ? "warming up" : "round \(round) of \(rounds)"): \(row.command), \(row.way.rawValue)\n")
        let sample: RedisSample =
          switch row.way {
          case .peer: try peer(row.command, socket: socket, folder: folder)
          case .bare: try bare(row.command, socket: socket)
          case .client: try await single(row.command, client)
          case .pipeline: try await pipeline(row.command, client)
          }
        if round > 0 { rows[index].samples.append(sample) }
      }
    }
    return "\(commands) commands, \(rounds) rounds, one connection, Unix socket\n" + RedisRow.table(rows)
  }

  private static func words(_ command: String) -> [[UInt8]] {
    // The key and the value that redis-benchmark uses.
    (command == "SET" ? ["SET", "key:__rand_int__", "xxx"] : ["GET", "key:__rand_int__"]).map { Array($0.utf8) }
  }

  private func peer(_ command: String, socket: String, folder: String) throws -> RedisSample {
    var program = Program(
      name: "redis-benchmark",
      arguments: [
        "-s", socket, "-c", "1", "-n", String(commands), "-t", command.lowercased(), "--csv", "--precision", "3",
      ], environment: ["PATH": Stage.variable("PATH") ?? "/usr/bin:/bin"])
    program.output = "\(folder)/peer"
    try program.run(scratch: folder)
    let lines = TextFile.contents(of: program.output).split(separator: "\n")
    let cells = lines.last?.split(separator: ",").map { Double($0.filter { $0.isNumber || $0 == "." }) ?? 0 } ?? []
    guard cells.count >= 7, cells[1] > 0 else { throw BenchmarkError("redis-benchmark said nothing that can be read") }
    return RedisSample(mean: 1e6 / cells[1], p50: cells[4] * 1_000, p99: cells[6] * 1_000)
  }

  /// Each command awaited alone, from the task that runs this.
  private func single(_ command: String, _ client: RedisClient) async throws -> RedisSample {
    let words = Self.words(command)
    let clock = ContinuousClock()
    var latencies: [Double] = []
    latencies.reserveCapacity(commands)
    let start = clock.now
    for _ in 0..<commands {
      let begin = clock.now
      try await client.command(words)
      latencies.append((clock.now - begin).inSeconds * 1e6)
    }
    return RedisSample(wall: clock.now - start, commands: latencies.count, latencies: latencies)
  }

  private func pipeline(_ command: String, _ client: RedisClient) async throws -> RedisSample {
    let batch = Array(repeating: Self.words(command).map { String(decoding: $0, as: UTF8.self) }, count: 100)
    let clock = ContinuousClock()
    var latencies: [Double] = []
    let start = clock.now
    for _ in 0..<commands / 100 {
      let begin = clock.now
      _ = try await client.pipeline(batch)
      latencies.append((clock.now - begin).inSeconds * 1e4)
    }
    return RedisSample(wall: clock.now - start, commands: latencies.count * 100, latencies: latencies)
  }

  /// What the kernel and the server cost without any client: the bytes are ready, and the answer is not looked at.
  private func bare(_ command: String, socket path: String) throws -> RedisSample {
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard descriptor >= 0, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw BenchmarkError("\(path) cannot be connected to")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else { throw BenchmarkError("\(path) cannot be connected to") }
    let words = Self.words(command).map { String(decoding: $0, as: UTF8.self) }
    let request = Array(
      ("*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()).utf8)
    var answer = [UInt8](repeating: 0, count: 512)
    let clock = ContinuousClock()
    var latencies: [Double] = []
    latencies.reserveCapacity(commands)
    let start = clock.now
    for _ in 0..<commands {
      let begin = clock.now
      guard send(descriptor, request, request.count, 0) == request.count, recv(descriptor, &answer, answer.count, 0) > 0
      else { throw BenchmarkError("the server hung up") }
      latencies.append((clock.now - begin).inSeconds * 1e6)
    }
    return RedisSample(wall: clock.now - start, commands: latencies.count, latencies: latencies)
  }
}

/// One round, in microseconds for each command.
private struct RedisSample {
  let mean: Double
  let p50: Double
  let p99: Double
}

extension RedisSample {
  init(wall: Duration, commands: Int, latencies: [Double]) {
    let sorted = latencies.sorted()
    self.init(
      mean: wall.inSeconds * 1e6 / Double(commands), p50: sorted[(sorted.count - 1) / 2],
      p99: sorted[min(sorted.count - 1, sorted.count * 99 / 100)])
  }
}

/// One command in one way, over all rounds.
private struct RedisRow {
  enum Way: String, CaseIterable {
    case peer = "redis-benchmark -c 1"
    case bare = "bare send and recv"
    case client = "RedisClient, one by one"
    case pipeline = "RedisClient, 100 in a pipeline"
  }

  let command: String
  let way: Way
  var samples: [RedisSample] = []

  /// Medians over the rounds; ratios round by round.
  static func table(_ rows: [RedisRow]) -> String {
    let heading = ["", "", "mean µs", "p50 µs", "p99 µs", "mean × redis-benchmark", "p50 × bare"]
    let cells = rows.map { row in
      func other(_ way: Way) -> [RedisSample] {
        rows.first { $0.command == row.command && $0.way == way }?.samples ?? []
      }
      return [
        row.command, row.way.rawValue, text(row.samples.map(\.mean)), text(row.samples.map(\.p50)),
        text(row.samples.map(\.p99)), text(zip(row.samples, other(.peer)).map { $0.mean / $1.mean }),
        row.way == .peer ? "" : text(zip(row.samples, other(.bare)).map { $0.p50 / $1.p50 }),
      ]
    }
    let all = [heading] + cells
    return all.map { line in
      zip(line, heading.indices).map { cell, column in
        let space = String(repeating: " ", count: (all.map { $0[column].count }.max() ?? 0) - cell.count)
        return column < 2 ? cell + space : space + cell
      }.joined(separator: "  ")
    }.joined(separator: "\n") + "\n"
  }

  private static func text(_ values: [Double]) -> String { Comparison.text(Spread(values).median, digits: 2) }
}
