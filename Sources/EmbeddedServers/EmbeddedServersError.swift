/// Why an embedded server could not be found, made, started or stopped.
///
/// `message` says what failed and where, `reason` why, `hint` what to do next. `logTail` holds the last lines of
/// the server's own log, when the server had a say. Nothing here is secret: the servers know no password.
package struct EmbeddedServersError: Error, Sendable {
  /// What went wrong, for callers that decide by kind.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: String, Hashable, Sendable {
      case notInstalled, unsafeStateDirectory, noUnprivilegedUser, versionMismatch, damaged
      case initialisationFailed, startFailed, startTimedOut, stopFailed, busy, fileSystem, cancelled
    }

    private let kind: Kind

    /// A program of the server is not on this machine.
    package static let notInstalled = Code(kind: .notInstalled)
    /// The state folder, or one above it, could be read or replaced by someone else, or is not ours.
    package static let unsafeStateDirectory = Code(kind: .unsafeStateDirectory)
    /// Run by root, and no unprivileged account exists that the servers could run as.
    package static let noUnprivilegedUser = Code(kind: .noUnprivilegedUser)
    /// The cluster was made by another major version of Postgres than any that is installed.
    package static let versionMismatch = Code(kind: .versionMismatch)
    /// The data folder lacks a part that the server needs.
    package static let damaged = Code(kind: .damaged)
    /// `initdb` failed.
    package static let initialisationFailed = Code(kind: .initialisationFailed)
    /// The server refused to start.
    package static let startFailed = Code(kind: .startFailed)
    /// The server is still starting, as after a long crash recovery.
    package static let startTimedOut = Code(kind: .startTimedOut)
    /// The server did not end when told to.
    package static let stopFailed = Code(kind: .stopFailed)
    /// Another run holds the state folder's lock.
    package static let busy = Code(kind: .busy)
    /// A system call on the state folder failed.
    package static let fileSystem = Code(kind: .fileSystem)
    /// The calling task was cancelled.
    package static let cancelled = Code(kind: .cancelled)

    package var description: String { kind.rawValue }
  }

  package let code: Code
  package let message: String
  package let reason: String?
  package let hint: String?
  package let logTail: String?

  init(_ code: Code, _ message: String, reason: String? = nil, hint: String? = nil, logTail: String? = nil) {
    self.code = code
    self.message = message
    self.reason = reason
    self.hint = hint
    self.logTail = logTail
  }

  /// A server's program that is neither in its usual folders nor in `PATH`.
  static func notInstalled(_ program: String, hint: String) -> EmbeddedServersError {
    EmbeddedServersError(.notInstalled, "\(program) is not installed.", hint: hint)
  }
}

extension EmbeddedServersError: CustomStringConvertible {
  package var description: String {
    var text = message
    if let reason { text += " \(reason)" }
    if let hint { text += "\nHint: \(hint)" }
    if let logTail, !logTail.isEmpty { text += "\nServer log:\n\(logTail)" }
    return text
  }
}
