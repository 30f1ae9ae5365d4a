import Records

/// The measurements of one benchmark, as a table and as JSON.
struct Comparison {
  /// Such as `restore`.
  let benchmark: String
  let options: BenchmarkOptions
  let contestants: [Contestant]
  /// For each contestant one measurement a round.
  let measurements: [[Measurement]]
  /// The contestant that ratios are taken to, round by round.
  let reference: Int

  /// A row for each contestant.
  var table: String {
    let heading = [
      benchmark, "wall s", "min–max", "records/s", "user+sys s", "server s", "peak MiB",
      "× \(contestants[reference].name)", "min–max",
    ]
    let rows = zip(contestants, measurements).map { contestant, runs in
      let wall = Spread(runs.map(\.wall.inSeconds))
      let ratio = Spread(ratios(runs))
      return [
        contestant.name, Self.text(wall.median, digits: 3),
        "\(Self.text(wall.least, digits: 3))–\(Self.text(wall.most, digits: 3))",
        Self.text(Double(options.records) / wall.median, digits: 0),
        Self.text(Spread(runs.map { ($0.user + $0.system).inSeconds }).median, digits: 2),
        Self.text(Spread(runs.map(\.server.inSeconds)).median, digits: 2),
        Self.text(Double(runs.map(\.peakMemory).max() ?? 0) / 1_048_576, digits: 0),
        Self.text(ratio.median, digits: 2), "\(Self.text(ratio.least, digits: 2))–\(Self.text(ratio.most, digits: 2))",
      ]
    }
    let lines = ([heading] + rows).map { cells in
      zip(cells, heading.indices).map { cell, column in
        let width = ([heading] + rows).map { $0[column].count }.max() ?? 0
        let space = String(repeating: " ", count: width - cell.count)
        return column == 0 ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    return "\(options.description); \(options.rounds) rounds\n" + lines.joined(separator: "\n") + "\n"
  }

  /// The same with every measurement, as `--json` prints it. Times are in seconds, sizes in bytes.
  var json: JSONValue {
    .object([
      .init("schema", 1), .init("benchmark", .string(benchmark)), .init("records", .integer(options.records)),
      .init("events", .integer(options.events)), .init("layout", .string(options.layout.rawValue)),
      .init("checkout", .bool(options.checkout)), .init("reference", .string(contestants[reference].name)),
      .init(
        "programs",
        .array(
          zip(contestants, measurements).map { contestant, runs in
            .object([
              .init("name", .string(contestant.name)), .init("ratio", Self.json(Spread(ratios(runs)))),
              .init("wall", Self.json(Spread(runs.map(\.wall.inSeconds)))),
              .init("rounds", .array(runs.map { Self.json($0) })),
            ])
          })),
    ])
  }

  /// Each round's wall time over the reference's in the same round.
  private func ratios(_ runs: [Measurement]) -> [Double] {
    zip(runs, measurements[reference]).map { $0.wall.inSeconds / $1.wall.inSeconds }
  }

  private static func json(_ spread: Spread) -> JSONValue {
    .object([.init("median", json(spread.median)), .init("min", json(spread.least)), .init("max", json(spread.most))])
  }

  private static func json(_ run: Measurement) -> JSONValue {
    .object([
      .init("wall", json(run.wall.inSeconds)), .init("user", json(run.user.inSeconds)),
      .init("system", json(run.system.inSeconds)), .init("server", json(run.server.inSeconds)),
      .init("peak_memory", .integer(run.peakMemory)),
    ])
  }

  private static func json(_ value: Double) -> JSONValue {
    JSONNumber(text(value, digits: 4)).map { .number($0) } ?? .null
  }

  /// A number that is not negative, with exactly this many digits behind the point.
  static func text(_ value: Double, digits: Int) -> String {
    let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
    guard let scaled = Int(exactly: (value * Double(scale)).rounded()) else { return "–" }
    guard digits > 0 else { return String(scaled) }
    let fraction = String(scaled % scale)
    return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }
}
