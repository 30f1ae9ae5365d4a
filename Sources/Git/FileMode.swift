/// What a tree entry is. Git keeps no other permission than "executable".
package enum FileMode: Hashable, Sendable {
  case regular
  case executable
  case symlink
  case tree
  /// A commit of another repository; its id names no object of this one.
  case submodule

  /// From the octal mode of a tree or index entry; nil for a type that git does not have.
  ///
  /// Old repositories hold 100664 and the like: only the owner's execute bit counts.
  package init?(rawMode: UInt32) {
    switch rawMode & 0o170000 {
    case 0o100000: self = rawMode & 0o100 != 0 ? .executable : .regular
    case 0o120000: self = .symlink
    case 0o040000: self = .tree
    case 0o160000: self = .submodule
    default: return nil
    }
  }

  /// The mode as git writes it, for instance 0o100644.
  package var rawMode: UInt32 {
    switch self {
    case .regular: 0o100644
    case .executable: 0o100755
    case .symlink: 0o120000
    case .tree: 0o040000
    case .submodule: 0o160000
    }
  }

  /// True for the entries whose id names a blob.
  package var isBlob: Bool {
    switch self {
    case .regular, .executable, .symlink: true
    case .tree, .submodule: false
    }
  }
}
