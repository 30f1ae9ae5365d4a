internal import Git
internal import Postgres

/// An error in words that may leave the machine: no path outside the repository, and no address, role or password of
/// a server.
package struct ErrorOutline: Sendable {
  package let code: String
  package let message: String
  /// The next safe step.
  package let hint: String?

  init(code: String, message: String, hint: String?) {
    (self.code, self.message, self.hint) = (code, message, hint)
  }

  /// - Parameter roots: folders whose absolute paths are cut off, longest first.
  init(_ error: any Error, roots: [String]) {
    func relative(_ text: String) -> String {
      roots.reduce(text) { text, root in
        root.isEmpty || root == "/"
          ? text : text.replacing("\(root)/", with: "").replacing(root, with: "the repository")
      }
    }
    switch error {
    case let error as PersistenceError:
      (code, message) = (error.code.description, relative(error.message))
      // Whoever was refused shall not be told how to get it past: the reader may be a model.
      hint =
        error.code == .secret
        ? "take it out; if it is none, a person can allow it: the same on the command line says how"
        : error.hint.map(relative)
    case let error as GitError:
      (code, message) = ("git-\(error.code)", relative(error.description))
      hint = "nothing was changed; try again, and look at the repository with `git status` if it stays"
    case let error as PostgresError:
      code = "postgres-\(error.code)"
      (message, hint) = ErrorOutline.words(for: error)
    case is CancellationError:
      (code, message, hint) = ("cancelled", "cancelled before anything was written", nil)
    default:
      (code, message, hint) = ("failed", "the request failed", "try again; the server's log has the details")
    }
  }

  /// The server's own text can name hosts, sockets, roles and data, so it is not repeated.
  private static func words(for error: PostgresError) -> (String, String) {
    let later = "git holds every record; `moha-sync reconcile` brings the rows up to date once the database is back"
    switch error.code {
    case .connectionFailed, .connectionLost, .serverStarting, .closed:
      return ("the database cannot be reached (\(error.code))", later)
    case .authenticationFailed, .insufficientPrivilege:
      return ("the database refused the role that is configured (\(error.code))", later)
    case .readOnly:
      return ("the database takes no writes (\(error.code))", later)
    case .databaseMissing, .undefinedTable:
      return ("the database has no tables yet (\(error.code))", "run `moha-sync sync`, which makes and fills them")
    case .cancelled, .timedOut, .lockNotAvailable:
      return ("the database did not answer in time", later)
    default:
      let state = error.sqlState.map { ", SQLSTATE \($0)" } ?? ""
      return ("the database failed (\(error.code)\(state))", later)
    }
  }
}
