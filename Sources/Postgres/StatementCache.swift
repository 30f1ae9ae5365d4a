/// Which statements are prepared on one connection, by SQL text, least recently used first to go.
struct StatementCache {
  private var entries: [String: Entry] = [:]
  private var clock: UInt64 = 0
  private var nextName: UInt64 = 0
  private let capacity: Int

  private struct Entry {
    let name: String
    var lastUse: UInt64
  }

  init(capacity: Int) {
    self.capacity = capacity
  }

  /// The name under which `sql` is prepared, counted as a use.
  mutating func name(of sql: String) -> String? {
    guard entries[sql] != nil else { return nil }
    clock += 1
    entries[sql]?.lastUse = clock
    return entries[sql]?.name
  }

  /// A name never used before on this connection.
  mutating func makeName() -> String {
    nextName += 1
    return "moha_\(nextName)"
  }

  /// Remembers that `sql` has been prepared as `name`.
  mutating func insert(_ sql: String, name: String) {
    clock += 1
    entries[sql] = Entry(name: name, lastUse: clock)
  }

  /// Takes out, and names, the statement to deallocate before another one fits.
  mutating func evict() -> String? {
    guard entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else {
      return nil
    }
    entries[oldest.key] = nil
    return oldest.value.name
  }

  mutating func remove(_ sql: String) { entries[sql] = nil }
}
