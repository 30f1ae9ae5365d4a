import ArgumentParser
import Glibc

/// What both benchmarks take.
struct BenchmarkOptions: ParsableArguments {
  @Option(help: "How many decisions the repository holds.")
  var records = 100_000
  @Option(help: "Where their files lie: flat or dated.")
  var layout = Layout.dated
  @Option(help: "How many events the session log holds.")
  var events = 100
  @Option(help: "How many rounds count.")
  var rounds = 5
  @Flag(help: "Read a checked-out working tree instead of a bare repository's HEAD.")
  var checkout = false
  @Option(
    help: ArgumentHelp(
      "The folder of the C programs that show the machine's limits; they are compiled with cc.",
      discussion: "Default: ../shared/limits beside the current folder, if it is there.", valueName: "dir"))
  var limits: String?
  @Flag(help: "Print one JSON document instead of the table.")
  var json = false

  enum Layout: String, CaseIterable, ExpressibleByArgument {
    case flat, dated
  }

  func validate() throws {
    guard records > 0, events >= 0, rounds > 0 else { throw ValidationError("there must be something to measure") }
  }

  /// The folder of the limit programs; nil where there is none and none was asked for.
  var limitsFolder: String? {
    if let limits { return limits }
    let usual = "../shared/limits"
    return access("\(usual)/restore.c", R_OK) == 0 ? usual : nil
  }

  /// Such as `100000 decisions, 100 events, dated, HEAD of a bare repository packed by git repack -adq`.
  var description: String {
    let source = checkout ? "a checked-out working tree" : "HEAD of a bare repository"
    return "\(records) decisions, \(events) events, \(layout.rawValue), \(source) packed by git repack -adq"
  }
}
