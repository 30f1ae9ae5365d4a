/// The requests that a connection is working on, by id.
///
/// A value: its owner guards it. An entry goes when its request is answered or gives up, so a cancellation that comes
/// late finds nothing.
struct InFlight {
  private struct Entry {
    var task: Task<Void, Never>
    var isCancelled = false
  }

  private var entries: [RequestID: Entry] = [:]

  /// More requests at once than a client has use for.
  static let maximum = 128

  var isEmpty: Bool { entries.isEmpty }
  var count: Int { entries.count }

  func contains(_ id: RequestID) -> Bool { entries[id] != nil }

  /// - Throws: where the id is in use or there are too many requests.
  func admit(_ id: RequestID) throws(RPCMessage.Refusal) {
    // The id would name two requests, so the answer to the second must not carry it.
    guard entries[id] == nil else {
      throw RPCMessage.Refusal(id: nil, error: .invalidRequest("the id of a request in flight is used again"))
    }
    guard entries.count < Self.maximum else {
      throw RPCMessage.Refusal(id: id, error: .busy("\(Self.maximum) requests of this client are in flight"))
    }
  }

  mutating func insert(_ id: RequestID, _ task: Task<Void, Never>) {
    entries[id] = Entry(task: task)
  }

  /// Stops the work of a request, which is then not answered. An id that is not in flight is ignored.
  mutating func cancel(_ id: RequestID) {
    guard entries[id] != nil else { return }
    entries[id]?.isCancelled = true
    entries[id]?.task.cancel()
  }

  mutating func cancelAll() {
    for id in entries.keys { cancel(id) }
  }

  /// Stops the work of all requests; whatever it comes to is still answered.
  func giveUp() {
    for entry in entries.values { entry.task.cancel() }
  }

  /// Ends an entry; returns whether its answer is to be sent.
  mutating func finish(_ id: RequestID) -> Bool {
    entries.removeValue(forKey: id)?.isCancelled == false
  }
}
