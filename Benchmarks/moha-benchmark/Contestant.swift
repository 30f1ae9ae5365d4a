/// One of the programs that are measured in turn.
struct Contestant {
  let name: String
  /// Brings the stage to where the program starts; not measured.
  let prepare: () async throws -> Void
  let program: () throws -> Program
  /// The part of the wall time that counts, where the program does other things too; nil for all of it.
  var measuredWall: (() throws -> Duration)?
  /// Fails unless the program did its work; not measured.
  let check: () async throws -> Void
}

/// What one run of a program cost.
struct Measurement {
  let wall: Duration
  /// Of the program itself.
  let user: Duration
  let system: Duration
  /// Of the backends that worked for it.
  let server: Duration
  /// In bytes.
  let peakMemory: Int
}

extension Stage {
  /// Runs the contestants in turn for one round more than are counted, and returns each one's measurements.
  func measure(_ contestants: [Contestant]) async throws -> [[Measurement]] {
    var measurements = contestants.map { _ in [Measurement]() }
    for round in 0...options.rounds {
      for (index, contestant) in contestants.enumerated() {
        let name = round == 0 ? "warming up" : "round \(round) of \(options.rounds)"
        Output.writeError("\(name): \(contestant.name)\n")
        let measurement = try await measure(contestant)
        if round > 0 { measurements[index].append(measurement) }
      }
    }
    return measurements
  }

  private func measure(_ contestant: Contestant) async throws -> Measurement {
    try await contestant.prepare()
    // What the preparation left to write must not be written during the run.
    try await execute("CHECKPOINT")
    let program = try contestant.program()
    let before = try await serverTime()
    let usage = try program.run(scratch: folder)
    let after = try await serverTime()
    try await contestant.check()
    return Measurement(
      wall: try contestant.measuredWall?() ?? usage.wall, user: usage.user, system: usage.system,
      server: after - before, peakMemory: usage.peakMemory)
  }
}
