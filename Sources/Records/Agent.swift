/// The name of an agent: `[a-z0-9][a-z0-9_-]{0,62}`, which is safe as a folder name and as a database value.
package struct Agent: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let name: String

  /// Fails where `name` is not a valid agent name.
  package init?(_ name: String) {
    let bytes = Array(name.utf8)
    guard (1...63).contains(bytes.count) else { return nil }
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case 0x61...0x7A, 0x30...0x39: continue
      case 0x5F where index > 0, 0x2D where index > 0: continue
      default: return nil
      }
    }
    self.name = name
  }

  private init(validated name: String) {
    self.name = name
  }

  /// The first agent, and the one used where none is named.
  package static let `default` = Agent(validated: "maven")

  /// The name with a capital, as files say who recorded them.
  package var displayName: String { name.prefix(1).uppercased() + name.dropFirst() }

  /// The agent's folder: `.moha/<name>`, without a slash at the end.
  package var root: RecordPath { RecordPath(".moha/" + name) }

  package var description: String { name }

  package static func < (left: Agent, right: Agent) -> Bool {
    left.name < right.name
  }
}
