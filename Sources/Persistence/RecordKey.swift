internal import Records

/// The key of a record within its agent and kind, as the database spells it: a file's name, or an event's hash.
///
/// Compared by bytes: Swift's `String` takes an NFC and an NFD name for one, and git holds two files.
package struct RecordKey: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String

  package init(_ text: String) {
    self.text = text
  }

  /// The key of a record file: its name in the printable form of `RecordPath`. Agents other than the default
  /// one carry their name before it, since `git_filename` is unique in the tables that bots insert into.
  init(fileName: [UInt8], agent: Agent) {
    let name = RecordPath(fileName).text
    text = agent == .default ? name : "\(agent.name)/\(name)"
  }

  package static func == (left: RecordKey, right: RecordKey) -> Bool {
    left.withBytes { left in right.withBytes { left.elementsEqual($0) } }
  }

  package static func < (left: RecordKey, right: RecordKey) -> Bool {
    left.withBytes { left in right.withBytes { left.lexicographicallyPrecedes($0) } }
  }

  package func hash(into hasher: inout Hasher) {
    withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }

  /// Native strings lend their bytes; going through `utf8` one by one costs a tenth of a large comparison.
  private func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    text.utf8.withContiguousStorageIfAvailable(body) ?? Array(text.utf8).withUnsafeBufferPointer(body)
  }

  package var description: String { text }
}
