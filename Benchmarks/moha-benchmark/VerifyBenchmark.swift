import ArgumentParser
import Records

/// Proving that nothing differs.
struct VerifyBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Measure `moha-sync verify` of a database in sync, beside the full compares of the limits.")

  @OptionGroup var options: BenchmarkOptions

  func run() async throws {
    try await Stage.withStage(options) { stage in
      let url = try stage.url(database: Stage.ours)
      let global = ["--quiet", "--root", stage.repository, "--database", url]
      try stage.program("moha-sync", ["sync"] + global).run(scratch: stage.folder)
      // The state of every table after its autovacuum, so that none runs meanwhile.
      try await stage.execute("VACUUM ANALYZE", database: Stage.ours)
      var contestants = [
        Contestant(
          name: "moha-sync verify", prepare: {}, program: { try stage.program("moha-sync", ["verify"] + global) },
          check: {})
      ]
      if let limit = try LimitProgram("recon", on: stage) {
        try await stage.execute("CREATE DATABASE \(Stage.peers)")
        try limit.program("load", "main").run(scratch: stage.folder)
        contestants += ["fullsha", "fulloid"].map { mode in
          Contestant(
            name: "recon \(mode)", prepare: {}, program: { limit.program(mode, "main") },
            measuredWall: limit.measuredWall, check: { try limit.checkAgreement() })
        }
      }
      let comparison = Comparison(
        benchmark: "verify", options: options, contestants: contestants,
        measurements: try await stage.measure(contestants), reference: contestants.count > 1 ? 1 : 0)
      Output.write(options.json ? comparison.json.text(.pretty) + "\n" : comparison.table)
    }
  }
}
