import ArgumentParser
import Records

/// From an empty server to all rows.
struct RestoreBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Measure `moha-sync sync` into a dropped database, beside `restore full` of the limits and COPY.")

  @OptionGroup var options: BenchmarkOptions

  func run() async throws {
    try await Stage.withStage(options) { stage in
      let rows = try await CopiedRows(stage)
      var contestants = [try sync(stage), rows.copy(rebuildingIndexes: true), rows.copy(rebuildingIndexes: false)]
      if let limit = try LimitProgram("restore", on: stage) { contestants.insert(full(limit, stage), at: 1) }
      let comparison = Comparison(
        benchmark: "restore", options: options, contestants: contestants,
        measurements: try await stage.measure(contestants), reference: 1)
      Output.write(options.json ? comparison.json.text(.pretty) + "\n" : comparison.table)
    }
  }

  /// The whole process: it makes the database, migrates it, reads the tree and history, copies, indexes and reports.
  private func sync(_ stage: Stage) throws -> Contestant {
    let url = try stage.url(database: Stage.ours)
    return Contestant(
      name: "moha-sync sync",
      prepare: { try await stage.execute("DROP DATABASE IF EXISTS \(Stage.ours) WITH (FORCE)") },
      program: { try stage.program("moha-sync", ["sync", "--quiet", "--root", stage.repository, "--database", url]) },
      check: { try await stage.checkCount(of: "maven_decisions", database: Stage.ours) })
  }

  private func full(_ limit: LimitProgram, _ stage: Stage) -> Contestant {
    Contestant(
      name: "restore full", prepare: {}, program: { limit.program("full") }, measuredWall: limit.measuredWall,
      check: { try await stage.checkCount(of: "d", database: Stage.peers) })
  }
}
