internal import MCPServer
internal import Records
internal import Synchronization

/// What the public conformance suite asks of a server under test: one tool, resource or prompt for each feature.
///
/// Beside the suite's own there are tools that tests of the transport need: one that waits, one that changes a
/// watched resource, one that fails, and one that writes where no tool should.
final class FixtureOffering: Offering {
  let server = ServerIdentity(name: "mcp-fixture", title: "Fixture", version: "1.0.0")
  let instructions: String? = "A server for tests of clients and transports."
  let state = Mutex(State())

  struct State {
    var watched = 0
    var added: [String] = []
    /// What the waiting tool has seen: calls that began, ended and were cancelled.
    var began = 0
    var cancelled = 0
    var held: [AsyncStream<Void>.Continuation] = []
    var listeners: [Int: AsyncStream<OfferingChange>.Continuation] = [:]
    var nextListener = 0
  }

  static let pixel: [UInt8] = [
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6,
    0, 0, 0, 0x1F, 0x15, 0xC4, 0x89, 0, 0, 0, 0x0D, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9C, 0x63, 0xF8, 0xCF, 0xC0, 0xF0,
    0x1F, 0, 5, 0, 1, 0xFF, 0x56, 0xC7, 0x2F, 0x0D, 0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
  ]
  /// A WAVE file of no samples.
  static let sound: [UInt8] =
    Array("RIFF".utf8) + [36, 0, 0, 0] + Array("WAVEfmt ".utf8)
    + [16, 0, 0, 0, 1, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0, 1, 0, 8, 0] + Array("data".utf8) + [0, 0, 0, 0]

  func changes() -> AsyncStream<OfferingChange> {
    let (stream, continuation) = AsyncStream<OfferingChange>.makeStream()
    let number = state.withLock { state in
      let number = state.nextListener
      state.nextListener += 1
      state.listeners[number] = continuation
      return number
    }
    continuation.onTermination = { [weak self] _ in
      _ = self?.state.withLock { $0.listeners.removeValue(forKey: number) }
    }
    return stream
  }

  func publish(_ change: OfferingChange) {
    let listeners = state.withLock { Array($0.listeners.values) }
    for listener in listeners { listener.yield(change) }
  }
}
