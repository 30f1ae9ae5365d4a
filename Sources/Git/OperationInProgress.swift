internal import CLibGit2

/// A multi-step git command that a person has begun and not ended. While there is one, nothing is committed.
package enum OperationInProgress: String, Hashable, Sendable {
  case merge
  case revert
  case cherryPick = "cherry-pick"
  case bisect
  case rebase
  case applyMailbox = "am"

  /// From `git_repository_state_t`; nil when nothing is in progress.
  init?(state: Int32) {
    switch git_repository_state_t(rawValue: UInt32(truncatingIfNeeded: state)) {
    case GIT_REPOSITORY_STATE_NONE: return nil
    case GIT_REPOSITORY_STATE_MERGE: self = .merge
    case GIT_REPOSITORY_STATE_REVERT, GIT_REPOSITORY_STATE_REVERT_SEQUENCE: self = .revert
    case GIT_REPOSITORY_STATE_CHERRYPICK, GIT_REPOSITORY_STATE_CHERRYPICK_SEQUENCE: self = .cherryPick
    case GIT_REPOSITORY_STATE_BISECT: self = .bisect
    case GIT_REPOSITORY_STATE_APPLY_MAILBOX: self = .applyMailbox
    // The library cannot tell a plain rebase from `git am` by its folder alone; both stop a commit.
    default: self = .rebase
    }
  }
}
