internal import DedicatedThread
internal import Glibc
internal import Synchronization

/// Writes whole lines to a descriptor, in the order of the calls, without making the caller wait.
///
/// What the descriptor takes at once is written by the caller, which saves a change of threads for each answer; what
/// it does not is left to a thread that may block.
final class LineWriter: Sendable {
  private struct State {
    var waiting: [UInt8] = []
    /// Whether the thread has the descriptor; everyone else then only adds to `waiting`.
    var isDraining = false
    var isBroken = false
    /// Whether there is nothing left to serve, so that a reader that takes nothing is given up.
    var isClosing = false
  }

  /// How much may wait before the client is asked for no more, and before notices are dropped.
  static let backlog = 8 << 20
  /// A pipe that polls writable takes this much at once.
  private static let portion = 4096

  private let output: Int32
  private let state = Mutex(State())
  private let drain: Drain
  private let readerIsGone: @Sendable () -> Void

  /// - Parameter readerIsGone: called once when a write finds out, on the thread of that write. Who waits for input
  ///   has to hear of it: it may be an answer that was written late which found out.
  init(_ output: Int32, readerIsGone: @escaping @Sendable () -> Void) {
    self.output = output
    self.readerIsGone = readerIsGone
    drain = Drain()
  }

  /// Whether the reader is gone.
  var isBroken: Bool { state.withLock { $0.isBroken } }

  var isBackedUp: Bool { state.withLock { $0.waiting.count > Self.backlog } }

  /// Adds a message, which has no line feed; this adds it.
  ///
  /// - Parameter isDispensable: the message is dropped where the client is far behind.
  func write(_ message: [UInt8], isDispensable: Bool = false) {
    let mustDrain = state.withLock { state -> Bool in
      guard !state.isBroken, !(isDispensable && state.waiting.count > Self.backlog) else { return false }
      if state.isDraining {
        state.waiting.append(contentsOf: message)
        state.waiting.append(0x0A)
        return false
      }
      var line = message
      line.append(0x0A)
      let written = writeReady(line, &state)
      guard written < line.count, !state.isBroken else { return false }
      state.waiting = Array(line[written...])
      state.isDraining = true
      return true
    }
    if mustDrain { Task { await drain.run(self) } }
  }

  /// From now on a reader that takes nothing for a second is given up.
  func beginClosing() {
    state.withLock { $0.isClosing = true }
  }

  /// Waits until everything is written or the reader is given up.
  func close() async {
    beginClosing()
    await drain.run(self)
  }

  /// Writes as much as goes without waiting; returns how much.
  private func writeReady(_ line: [UInt8], _ state: inout State) -> Int {
    var offset = 0
    while offset < line.count {
      guard isReady(within: 0) else { break }
      let count = writeOnce(line, from: offset)
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN { giveUp(&state) }
        break
      }
      offset += count
    }
    return offset
  }

  private func isReady(within milliseconds: Int32) -> Bool {
    var descriptor = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
    // An error shows as ready: the write then says which.
    return poll(&descriptor, 1, milliseconds) > 0
  }

  private func writeOnce(_ bytes: [UInt8], from offset: Int) -> Int {
    bytes.withUnsafeBytes { bytes in
      Glibc.write(output, bytes.baseAddress.map { $0 + offset }, min(Self.portion, bytes.count - offset))
    }
  }

  /// The thread that waits for the descriptor.
  private actor Drain {
    private nonisolated let thread = DedicatedThread(name: "mcp-output")

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    func run(_ writer: LineWriter) {
      while let batch = writer.nextBatch() { writer.writeWaiting(batch) }
    }
  }

  private func nextBatch() -> [UInt8]? {
    state.withLock { state in
      guard !state.waiting.isEmpty, !state.isBroken else {
        state.waiting = []
        state.isDraining = false
        return nil
      }
      state.isDraining = true
      let batch = state.waiting
      state.waiting = []
      return batch
    }
  }

  private func writeWaiting(_ batch: [UInt8]) {
    var offset = 0
    while offset < batch.count {
      if !isReady(within: 1_000) {
        if state.withLock({ $0.isClosing }) { break }
        continue
      }
      let count = writeOnce(batch, from: offset)
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      if count < 0 { break }
      offset += count
    }
    if offset < batch.count { state.withLock { giveUp(&$0) } }
  }

  private func giveUp(_ state: inout State) {
    guard !state.isBroken else { return }
    state.isBroken = true
    readerIsGone()
  }
}
