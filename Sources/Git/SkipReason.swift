/// Why a path of the working tree is not compared or committed as it is.
///
/// The one list of such reasons: a snapshot names those that it sees, a commit those that depend on its parent, and a
/// caller's judgement the rest. None of them means that a file was deleted: a path with a reason stays as the parent
/// commit has it, because "cannot tell" is never "gone".
package enum SkipReason: Hashable, Sendable {
  /// The bytes hold something that must not enter git.
  case refused
  /// A name that must not come into a tree: see `GitPath.isCommittable(below:)`.
  case name
  /// The system does not let this user read it.
  case unreadable
  /// New, and ignored by git.
  case ignored
  /// Left out of the checkout: a sparse one, or one whose index cannot be read whole.
  case sparse
  /// It is as a commit before HEAD has it, and so is the index: a command put both back, or HEAD was moved without them.
  case olderCheckout
  /// Git stores it through a filter of this name, which is never run here: other bytes than those on disk.
  case filter(String)
  /// Git stores it in UTF-8, and the file is not in the encoding that the attributes name.
  case encoding(String)
  /// Something other than a file stands where the parent commit has one, or it is none at all.
  case special(Special)
  /// It belongs to a repository of its own: a submodule, or a clone inside the working tree.
  case otherRepository
  /// A merge of its versions has not been resolved: the index has several, or the file has conflict markers.
  case conflict
  /// Nothing is left of a file that held a record.
  case emptied
  /// It lacks entries that HEAD holds, and no commit of a person has removed them.
  case removedEntries(Int)
  /// It is gone, and it is none of the files that a run without a person may take out.
  case missing
  /// It cannot be read as what it is by its place, while HEAD's version can.
  case malformed
  /// An editor's or a file system's own: a lock, a swap file, a folder of lost files.
  case litter

  package enum Special: String, Hashable, Sendable {
    case link = "a symbolic link"
    case folder = "a folder"
    case file = "a file"
    case pipe = "a named pipe"
    case socket = "a socket"
    case device = "a device"
  }

  /// In kebab case: stable, for scripts.
  package var code: String {
    switch self {
    case .refused: "secret"
    case .name: "name"
    case .unreadable: "unreadable"
    case .ignored: "ignored"
    case .sparse: "sparse"
    case .olderCheckout: "older-checkout"
    case .filter: "filter"
    case .encoding: "encoding"
    case .special: "special"
    case .otherRepository: "other-repository"
    case .conflict: "conflict"
    case .emptied: "emptied"
    case .removedEntries: "removed-entries"
    case .missing: "missing"
    case .malformed: "malformed"
    case .litter: "litter"
    }
  }

  /// What follows the path in a sentence for people.
  package var detail: String {
    switch self {
    case .refused: "holds what looks like a secret"
    case .name: "has a name that must not come into a tree"
    case .unreadable: "cannot be read"
    case .ignored: "is ignored by git; `git add -f` takes it, or a change of the rule that ignores it"
    case .sparse: "is left out of this checkout"
    case .olderCheckout:
      "is as it was before HEAD's last change of it, and staged like that; a commit of your own takes it if it is meant"
    case .filter(let name):
      "is stored through the filter \"\(name)\", which is never run here; `git add` and `git commit` take it"
    case .encoding(let name): "is not in the encoding \(name) that its attributes name"
    case .special(let kind): "is \(kind.rawValue) where a record file belongs"
    case .otherRepository: "belongs to a repository of its own"
    case .conflict: "holds a merge conflict that nobody has resolved"
    case .emptied: "is empty, and HEAD's version is not"
    case .removedEntries(let count):
      "lacks \(count) entr\(count == 1 ? "y" : "ies") that HEAD holds; a removal that is meant needs a commit of your own"
    case .missing: "is gone; HEAD keeps it until a commit of your own removes it"
    case .malformed: "cannot be read, and HEAD's version can"
    case .litter: "is an editor's or the file system's own"
    }
  }
}

extension SkipReason.Special {
  /// From the type bits of a file's mode; nil for a regular file.
  init?(mode: UInt32) {
    switch mode & 0o170000 {
    case 0o120000: self = .link
    case 0o040000: self = .folder
    case 0o010000: self = .pipe
    case 0o140000: self = .socket
    case 0o100000: return nil
    default: self = .device
    }
  }
}
