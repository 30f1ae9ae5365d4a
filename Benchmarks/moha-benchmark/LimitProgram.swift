/// A C program that does the bare work and nothing else, compiled for this run.
///
/// It prints the wall time of that work in milliseconds behind the word `wall`; the checks before and behind do not
/// count.
struct LimitProgram {
  private let executable: String
  private let stage: Stage
  private var output: String { "\(executable).out" }

  /// Compiles `name`.c of the folder that the options name; nil where they name none.
  init?(_ name: String, on stage: Stage) throws {
    guard let folder = stage.options.limitsFolder else { return nil }
    self.stage = stage
    executable = "\(stage.folder)/\(name)"
    let source = "\(folder)/\(name).c"
    let libraries = ["-lgit2", "-lpq", "-lcrypto", "-lpthread"]
    try stage.external("cc", ["-O2", "-w", "-I/usr/include/postgresql", "-o", executable, source] + libraries)
      .run(scratch: stage.folder)
  }

  /// Its run over the repository.
  func program(_ arguments: String...) -> Program {
    let gitFolder = stage.options.checkout ? "\(stage.repository)/.git" : stage.repository
    var program = stage.external(executable, [gitFolder] + arguments)
    program.output = output
    return program
  }

  /// What the last run printed.
  func measuredWall() throws -> Duration {
    let words = TextFile.contents(of: output).split(separator: " ")
    guard let index = words.firstIndex(of: "wall"), index + 1 < words.count, let milliseconds = Double(words[index + 1])
    else { throw BenchmarkError("\(executable) printed no time") }
    return .microseconds(Int64(milliseconds * 1_000))
  }

  /// Fails where the last run says that the database differs from the repository.
  func checkAgreement() throws {
    guard TextFile.contents(of: output).contains(" diff=0 ") else {
      throw BenchmarkError("\(executable) found differences: \(TextFile.contents(of: output))")
    }
  }
}
