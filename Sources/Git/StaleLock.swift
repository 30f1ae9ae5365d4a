/// A lock of git's whose holder is gone, and which was removed.
package struct StaleLock: Hashable, Sendable {
  package enum Reason: Hashable, Sendable {
    /// A commit of this program made it and was killed: proven, so its age does not matter.
    case deadWriter
    /// Nobody holds it and it is old: presumed.
    case abandoned
  }

  /// For instance `refs/heads/main.lock`.
  package let name: String
  /// Seconds since it was last written.
  package let age: Int64
  package let reason: Reason

  package init(name: String, age: Int64, reason: Reason) {
    self.name = name
    self.age = age
    self.reason = reason
  }
}
