import UnixSignals

/// Turns SIGINT and SIGTERM into cancellation, so that a transaction in hand rolls back and temporary files go.
enum Interruption {
  /// How long a cancelled command may take before the process ends all the same.
  private static let patience = Duration.seconds(3)

  /// Runs `body` and cancels it at the first signal; throws `CancellationError` when it ended because of one.
  static func cancelling(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    let work = Task { try await body() }
    let watch = Task {
      for await _ in signals {
        work.cancel()
        // A call into a C library may be slow to notice: the sources of truth are safe whenever the process ends.
        try await Task.sleep(for: patience)
        endProcess(ExitStatus.interrupted.rawValue)
      }
    }
    defer { watch.cancel() }
    do {
      try await work.value
    } catch {
      throw work.isCancelled ? CancellationError() : error
    }
  }
}
