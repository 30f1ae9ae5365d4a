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
    left.text.utf8.elementsEqual(right.text.utf8)
  }

  package static func < (left: RecordKey, right: RecordKey) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    let isContiguous: Void? = text.utf8.withContiguousStorageIfAvailable { bytes in
      hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    }
    if isContiguous == nil { Array(text.utf8).withUnsafeBytes { hasher.combine(bytes: $0) } }
  }

  package var description: String { text }
}
