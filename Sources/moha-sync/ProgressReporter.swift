import Glibc
import Persistence
import Synchronization

/// Says on stderr how far long work has come: a bar on a terminal, else a line every ten seconds at most.
final class ProgressReporter: Sendable {
  private struct State {
    var done = 0
    var start = ContinuousClock.now
    var lastShown: ContinuousClock.Instant?
    var hasBar = false
  }

  private let state = Mutex(State())
  private let isTerminal: Bool
  private let isSilent: Bool

  init(_ options: GlobalOptions) {
    isTerminal = Output.isTerminal(STDERR_FILENO)
    isSilent = options.quiet || options.json && !Output.isTerminal(STDERR_FILENO)
  }

  func advance(_ count: Int, of total: Int) {
    guard !isSilent, total > 0 else { return }
    let line: String? = state.withLock { state in
      if state.done == 0 { state.start = .now }
      state.done += count
      let now = ContinuousClock.now
      let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(10)
      guard now - (state.lastShown ?? state.start) >= interval else { return nil }
      state.lastShown = now
      state.hasBar = isTerminal
      let seconds = max((now - state.start).seconds, 0.001)
      let rate = Double(state.done) / seconds
      let left = Int((Double(total - state.done) / max(rate, 1)).rounded(.up))
      let figures = "\(state.done) of \(total) records, \(Int(rate))/s, \(left) s left"
      guard isTerminal else { return "moha-sync: \(figures)\n" }
      let filled = min(24, 24 * state.done / total)
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
      return "\r\u{1b}[K\(bar) \(figures)"
    }
    if let line { Output.writeError(line) }
  }

  /// Takes the bar away.
  func finish() {
    if state.withLock({ $0.hasBar }) { Output.writeError("\r\u{1b}[K") }
  }
}
