internal import Synchronization

/// What a process did for its clients since it started: counts and durations, by method and by kind of record.
///
/// Recording takes one hash lookup and one uncontended lock: a few hundred nanoseconds. The methods and kinds are given
/// at the start, and whatever else is asked for counts as `other`, so that no client can grow the tables.
package final class Activity: Sendable {
  package enum RequestOutcome: Int, CaseIterable, Sendable {
    case ok
    /// The client was told of an error.
    case error
  }

  package enum WriteOutcome: Int, CaseIterable, Sendable {
    /// HEAD holds the record.
    case committed
    /// The file is durable, and the next commit takes it.
    case pending
    /// It had been written before under the same idempotency key.
    case repeated
    /// The request was at fault, or held a secret; nothing was written.
    case refused
    case failed
  }

  private struct Requests {
    /// By method, then by outcome.
    var counts: [UInt64]
    var durations: [Distribution]
  }

  private struct Writes {
    /// By kind, then by outcome.
    var counts: [UInt64]
    var durations = Distribution(bounds: MetricFamily.writeDuration.buckets)
  }

  /// The names, the last of which is `other`, and where each is.
  private struct Names {
    let all: [String]
    private let positions: [String: Int]

    init(_ names: [String]) {
      let sorted = Set(names).subtracting(["other"]).sorted()
      all = sorted + ["other"]
      positions = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1, $0) })
    }

    subscript(name: String) -> Int { positions[name] ?? all.count - 1 }
  }

  private let methods: Names
  private let kinds: Names
  private let requests: Mutex<Requests>
  private let writes: Mutex<Writes>

  /// - Parameters:
  ///   - methods: of the protocol, those that are counted by name.
  ///   - kinds: of records.
  package init(methods: [String], kinds: [String]) {
    self.methods = Names(methods)
    self.kinds = Names(kinds)
    // Everything starts at 0: a counter that appears with its first event has no rate for it.
    let empty = Distribution(bounds: MetricFamily.requestDuration.buckets)
    requests = Mutex(
      Requests(
        counts: Array(repeating: 0, count: self.methods.all.count * RequestOutcome.allCases.count),
        durations: Array(repeating: empty, count: self.methods.all.count)))
    writes = Mutex(Writes(counts: Array(repeating: 0, count: self.kinds.all.count * WriteOutcome.allCases.count)))
  }

  package func request(_ method: String, _ outcome: RequestOutcome, _ duration: Duration) {
    let position = methods[method]
    let seconds = Activity.seconds(duration)
    requests.withLock { requests in
      requests.counts[position * RequestOutcome.allCases.count + outcome.rawValue] &+= 1
      requests.durations[position].observe(seconds)
    }
  }

  package func write(_ kind: String, _ outcome: WriteOutcome, _ duration: Duration) {
    let position = kinds[kind]
    let seconds = Activity.seconds(duration)
    writes.withLock { writes in
      writes.counts[position * WriteOutcome.allCases.count + outcome.rawValue] &+= 1
      writes.durations.observe(seconds)
    }
  }

  /// Adds all of it, sorted by name.
  package func add(to exposition: inout Exposition) {
    let requests = requests.withLock { $0 }
    let writes = writes.withLock { $0 }
    var counts = writes.counts[...]
    for kind in kinds.all {
      for outcome in WriteOutcome.allCases {
        exposition.add(.writes, kind, "\(outcome)", value: Double(counts.popFirst() ?? 0))
      }
    }
    exposition.add(.writeDuration, [], writes.durations)
    counts = requests.counts[...]
    for (method, distribution) in zip(methods.all, requests.durations) {
      for outcome in RequestOutcome.allCases {
        exposition.add(.requests, method, "\(outcome)", value: Double(counts.popFirst() ?? 0))
      }
      exposition.add(.requestDuration, [method], distribution)
    }
  }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }
}
