/// Where HEAD stands.
package enum Head: Hashable, Sendable {
  /// HEAD names a branch that has no commit yet: the state of a new repository.
  case unborn(reference: String)
  /// HEAD is at this commit; `reference` is nil when it is detached.
  case commit(ObjectID, reference: String?)

  /// The commit, if there is one.
  package var commit: ObjectID? {
    switch self {
    case .unborn: nil
    case .commit(let id, _): id
    }
  }
}
