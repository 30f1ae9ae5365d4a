import ArgumentParser

/// Measures moha-sync beside what the machine can do and beside what a user would run instead.
@main
struct Benchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moha-benchmark",
    abstract: "Measures moha-sync beside the limits of the machine and a plain COPY.",
    discussion: """
      Each command makes a repository and a private PostgreSQL with default durability in a temporary folder, runs \
      the programs in turn, one round after another, and takes everything away at the end. The first round warms up \
      and does not count. See Benchmarks/README.md for the columns.
      """,
    subcommands: [RestoreBenchmark.self, VerifyBenchmark.self, WriteBenchmark.self, RedisBenchmark.self])
}
