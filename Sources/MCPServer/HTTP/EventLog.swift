internal import Synchronization

/// The messages of one event stream, kept so that a client that lost its connection goes on after the last one it saw.
///
/// One consumer at a time reads it: a new one takes over, since the old one's connection may be dead without a sign.
/// Messages are numbered from 1. What is kept is bounded; the oldest go first.
final class EventLog: Sendable {
  enum Item: Sendable {
    case message(number: Int, [UInt8])
    case keepAlive
  }

  private struct State {
    var messages: [(number: Int, bytes: [UInt8])] = []
    var byteCount = 0
    var last = 0
    /// The last message that a consumer was given.
    var given = 0
    var isFinished = false
    var answer: Answer?
    var consumer: AsyncStream<Item>.Continuation?
    var onFirst: AsyncStream<Void>.Continuation?
  }

  private let maximumMessages: Int
  private static let maximumBytes = 8 << 20

  private let state = Mutex(State())

  /// - Parameter maximumMessages: how many are kept for a client that comes back, or is behind.
  init(maximumMessages: Int = 1_024) {
    self.maximumMessages = maximumMessages
  }

  /// Bytes that are kept.
  var byteCount: Int { state.withLock { $0.byteCount } }

  func append(_ bytes: [UInt8]) {
    state.withLock { append(bytes, &$0) }
  }

  private func append(_ bytes: [UInt8], _ state: inout State) {
    guard !state.isFinished else { return }
    state.last += 1
    state.messages.append((state.last, bytes))
    state.byteCount += bytes.count
    while state.messages.count > maximumMessages || (state.byteCount > Self.maximumBytes && state.messages.count > 1) {
      state.byteCount -= state.messages.removeFirst().bytes.count
    }
    Self.send(.message(number: state.last, bytes), &state)
    state.onFirst?.yield()
  }

  private static func send(_ item: Item, _ state: inout State) {
    guard let consumer = state.consumer else { return }
    if case .dropped = consumer.yield(item) {
      // The client is too far behind: it has to come again and say where it stands.
      consumer.finish()
      state.consumer = nil
    } else if case .message(let number, _) = item {
      state.given = number
    }
  }

  /// Ends the stream. With an answer, that is its last message.
  func finish(_ id: RequestID? = nil, _ answer: Answer? = nil) {
    state.withLock { state in
      guard !state.isFinished else { return }
      if let id, let answer {
        append(Outgoing.reply(id, answer), &state)
        state.answer = answer
      }
      state.isFinished = true
      state.consumer?.finish()
      state.consumer = nil
      state.onFirst?.yield()
    }
  }

  var isFinished: Bool { state.withLock { $0.isFinished } }
  var hasConsumer: Bool { state.withLock { $0.consumer != nil } }

  /// What the stream came to, where that is all it holds: no stream is needed for it.
  enum Outcome {
    case answer(Answer)
    /// It ended without an answer: the request was cancelled.
    case nothing
    case stream
  }

  /// Waits for the first message or the end, or until the timer's time is over; without a timer, however long it takes.
  func firstOutcome(within timer: PatienceTimer?) async -> Outcome {
    let (signal, kick) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let isEarly = state.withLock { state -> Bool in
      if state.last > 0 || state.isFinished { return true }
      state.onFirst = kick
      return false
    }
    if !isEarly {
      timer?.add(kick)
      for await _ in signal { break }
    }
    return state.withLock { state in
      state.onFirst = nil
      guard state.isFinished else { return .stream }
      if state.last == 0 { return .nothing }
      if let answer = state.answer, state.last == 1 { return .answer(answer) }
      return .stream
    }
  }

  /// The messages after a number, or after the last one that any consumer was given, and those that come.
  ///
  /// It ends when the stream does, or when another consumer comes.
  func attach(after number: Int?) -> AsyncStream<Item> {
    let (stream, continuation) = AsyncStream<Item>.makeStream(
      bufferingPolicy: .bufferingOldest(maximumMessages + 64))
    state.withLock { state in
      state.consumer?.finish()
      for message in state.messages where message.number > number ?? state.given {
        continuation.yield(.message(number: message.number, message.bytes))
        state.given = max(state.given, message.number)
      }
      if state.isFinished {
        continuation.finish()
      } else {
        state.consumer = continuation
      }
    }
    return stream
  }

  /// Has the consumer say that the stream is alive.
  func keepAlive() {
    state.withLock { Self.send(.keepAlive, &$0) }
  }

  /// Ends the consumer and leaves the stream as it is.
  func detach() {
    state.withLock { state in
      state.consumer?.finish()
      state.consumer = nil
    }
  }
}
