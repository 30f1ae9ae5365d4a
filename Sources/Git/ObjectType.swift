internal import CLibGit2

/// The four kinds of object.
enum ObjectType: String, CustomStringConvertible {
  case commit
  case tree
  case blob
  case tag

  init?(_ type: git_object_t) {
    switch type {
    case GIT_OBJECT_COMMIT: self = .commit
    case GIT_OBJECT_TREE: self = .tree
    case GIT_OBJECT_BLOB: self = .blob
    case GIT_OBJECT_TAG: self = .tag
    default: return nil
    }
  }

  var description: String { rawValue }
}
