internal import Synchronization

/// What a process did for its clients since it started: counts and durations, by method and by kind of record.
///
/// Recording takes one uncontended lock and two hash lookups, well under a microsecond. The methods and kinds are
/// given at the start, and whatever else is asked for counts as `other`, so that no client can grow the tables.
package final class Activity: Sendable {
  package enum RequestOutcome: String, CaseIterable, Sendable {
    case ok
    /// The client was told of an error.
    case error
  }

  package enum WriteOutcome: String, CaseIterable, Sendable {
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

  private struct Key: Hashable {
    let subject: String
    let outcome: String
  }

  private struct Requests {
    var counts: [Key: UInt64] = [:]
    var durations: [String: Distribution] = [:]
  }

  private struct Writes {
    var counts: [Key: UInt64] = [:]
    var durations = Distribution(bounds: MetricFamily.writeDuration.buckets)
  }

  package static let other = "other"
  private let methods: Set<String>
  private let kinds: Set<String>
  private let requests: Mutex<Requests>
  private let writes: Mutex<Writes>

  /// - Parameters:
  ///   - methods: of the protocol, those that are counted by name.
  ///   - kinds: of records.
  package init(methods: [String], kinds: [String]) {
    self.methods = Set(methods)
    self.kinds = Set(kinds)
    // Everything starts at 0: a counter that appears with its first event has no rate for it.
    var requests = Requests()
    for method in methods + [Activity.other] {
      for outcome in RequestOutcome.allCases { requests.counts[Key(subject: method, outcome: outcome.rawValue)] = 0 }
      requests.durations[method] = Distribution(bounds: MetricFamily.requestDuration.buckets)
    }
    var writes = Writes()
    for kind in kinds {
      for outcome in WriteOutcome.allCases { writes.counts[Key(subject: kind, outcome: outcome.rawValue)] = 0 }
    }
    self.requests = Mutex(requests)
    self.writes = Mutex(writes)
  }

  package func request(_ method: String, _ outcome: RequestOutcome, _ duration: Duration) {
    let method = methods.contains(method) ? method : Activity.other
    let seconds = Activity.seconds(duration)
    requests.withLock { requests in
      requests.counts[Key(subject: method, outcome: outcome.rawValue), default: 0] &+= 1
      requests.durations[method]?.observe(seconds)
    }
  }

  package func write(_ kind: String, _ outcome: WriteOutcome, _ duration: Duration) {
    let kind = kinds.contains(kind) ? kind : Activity.other
    let seconds = Activity.seconds(duration)
    writes.withLock { writes in
      writes.counts[Key(subject: kind, outcome: outcome.rawValue), default: 0] &+= 1
      writes.durations.observe(seconds)
    }
  }

  /// Adds all of it, sorted by labels.
  package func add(to exposition: inout Exposition) {
    let requests = requests.withLock { $0 }
    let writes = writes.withLock { $0 }
    func counts(_ family: MetricFamily, _ counts: [Key: UInt64]) {
      for (key, count) in counts.sorted(by: { ($0.key.subject, $0.key.outcome) < ($1.key.subject, $1.key.outcome) }) {
        exposition.add(family, key.subject, key.outcome, value: Double(count))
      }
    }
    counts(.writes, writes.counts)
    exposition.add(.writeDuration, [], writes.durations)
    counts(.requests, requests.counts)
    for (method, distribution) in requests.durations.sorted(by: { $0.key < $1.key }) {
      exposition.add(.requestDuration, [method], distribution)
    }
  }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }
}
