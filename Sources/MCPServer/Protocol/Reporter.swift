internal import Records
internal import Synchronization

/// Sends what a running request has to say before its answer: progress, where the client gave a token, and log
/// messages of the level it asked for. Once the request is finished nothing more is sent.
final class Reporter: Sendable {
  private struct State {
    var last = -Double.infinity
    var isFinished = false
  }

  private let scope: RequestScope
  private let send: @Sendable ([UInt8]) -> Void
  private let state = Mutex(State())

  /// `send` is called under a lock and must neither block nor call back.
  init(_ scope: RequestScope, send: @escaping @Sendable ([UInt8]) -> Void) {
    self.scope = scope
    self.send = send
  }

  var context: CallContext {
    CallContext(
      progress: { self.progress($0, total: $1, message: $2) },
      log: { self.log($0, logger: $1, data: $2) })
  }

  /// Call it before the answer is sent.
  func finish() {
    state.withLock { $0.isFinished = true }
  }

  private func progress(_ done: Double, total: Double?, message: String?) {
    guard let token = scope.progressToken, let number = Rendering.number(done) else { return }
    var members = [JSONValue.Member("progressToken", token), JSONValue.Member("progress", number)]
    if let total = total.flatMap(Rendering.number) { members.append(JSONValue.Member("total", total)) }
    if let message { members.append(JSONValue.Member("message", .string(message))) }
    let notification = Outgoing.notification("notifications/progress", members)
    state.withLock { state in
      guard !state.isFinished, done > state.last else { return }
      state.last = done
      send(notification)
    }
  }

  private func log(_ level: CallContext.LogLevel, logger: String?, data: JSONValue) {
    guard let threshold = scope.logLevel, level >= threshold else { return }
    var members = [JSONValue.Member("level", .string(level.rawValue))]
    if let logger { members.append(JSONValue.Member("logger", .string(logger))) }
    members.append(JSONValue.Member("data", data))
    let notification = Outgoing.notification("notifications/message", members)
    state.withLock { state in
      guard !state.isFinished else { return }
      send(notification)
    }
  }
}

extension CallContext.LogLevel: Comparable {
  private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  package static func < (left: Self, right: Self) -> Bool { left.order < right.order }
}
