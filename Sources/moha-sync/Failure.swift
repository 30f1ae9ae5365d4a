import ArgumentParser
import EmbeddedServers
import FoundationEssentials
import Git
import Persistence
import Postgres
import Records
import Redis

/// An error as the user meets it: a code for scripts, what failed, the next safe step, and an exit code.
struct Failure {
  let code: String
  let message: String
  let hint: String?
  let status: ExitStatus
  /// Set where the argument parser has a text and a code of its own: help, version, usage errors.
  private let parserError: (any Error)?

  init(_ error: any Error) {
    parserError = Failure.isParserError(error) ? error : nil
    switch error {
    case let error as CommandFailure:
      (code, message, hint, status) = (error.code, error.message, error.hint, error.status)
    case let error as PersistenceError:
      (code, message, hint) = (error.code.description, error.message, error.hint)
      status =
        switch error.code {
        case .treeMissing, .treeUnreadable: .noTree
        case .locked: .locked
        case .massRemoval, .secret, .conflict, .notStorable, .rowsHidden, .unsuitableDatabase, .dependentObject,
          .foreignTable:
          .refused
        case .invalidName, .invalidRequest, .keyConflict: .usage
        case .timedOut: .serviceDown
        default: .failed
        }
    case let error as GitError:
      (code, message) = ("git-\(error.code)", error.description)
      hint =
        switch error.code {
        case .notARepository:
          "run inside the repository, or name it with --root; `git init` makes one, and `moha-sync init` a tree in it"
        case .notFound, .invalidSpec, .ambiguous: "name a commit, a branch or a tag that `git log` knows"
        case .changedWhileReading: "nothing was changed; run again"
        case .missingObject, .corrupt: "nothing was changed; look at the repository with `git fsck`"
        default: nil
        }
      status =
        switch error.code {
        case .notARepository, .ownership, .bareRepository, .unbornBranch: .noTree
        case .notFound, .invalidSpec, .ambiguous: .usage
        // Somebody else writes all the time: the next run finds another moment.
        case .locked, .changedWhileReading: .locked
        default: .failed
        }
    case let error as PostgresError:
      (code, message) = ("postgres-\(error.code)", error.description)
      hint =
        switch error.code {
        case .connectionFailed, .serverStarting:
          "nothing was changed; check that the server runs, and the URL that `moha-sync status` shows"
        case .authenticationFailed:
          "nothing was changed; check the role and its password (DATABASE_URL, PGPASSWORD, ~/.pgpass)"
        case .connectionLost, .commitOutcomeUnknown: "run again: a run is one transaction, so it is whole or absent"
        case .timedOut:
          error.hint.map { "nothing of this statement was changed; \($0)" }
        case .lockNotAvailable:
          "another session keeps a table locked, and nothing was changed; SELECT pid, state, query FROM pg_stat_activity "
            + "shows whose; run again when it has ended"
        case .readOnly:
          "nothing was changed; the server is a standby, or default_transaction_read_only is on: name the primary"
        case .insufficientPrivilege: "nothing was changed; the role must own the tables, or be granted what it lacks"
        default: error.hint
        }
      status =
        switch error.code {
        case .connectionFailed, .connectionLost, .authenticationFailed, .serverStarting, .databaseMissing, .closed,
          .commitOutcomeUnknown, .timedOut, .lockNotAvailable, .readOnly:
          .serviceDown
        case .cancelled: .interrupted
        case .invalidParameter: .usage
        default: .failed
        }
    case let error as RedisError:
      (code, message) = ("redis-\(error.code)", error.description)
      hint =
        switch error.code {
        case .connectionFailed, .timeout, .connectionLost:
          "check that the server runs, and the URL that `moha-sync status` shows"
        case .authenticationFailed: "check the password and the user's rights (REDIS_URL)"
        case .outOfMemory: "nothing was changed; raise maxmemory, or remove keys that nobody needs"
        default: nil
        }
      status =
        switch error.code {
        case .invalidParameter, .unsupported: .usage
        case .server, .protocolViolation: .failed
        default: .serviceDown
        }
    case let error as EmbeddedServersError:
      (code, message, hint) = ("embedded-\(error.code)", error.description, error.hint)
      status = error.code == .busy ? .locked : .serviceDown
    case is CancellationError:
      (code, message, hint, status) = ("interrupted", "interrupted", nil, .interrupted)
    default:
      (code, message, hint) = ("failed", MohaSync.message(for: error), nil)
      status = MohaSync.exitCode(for: error) == .validationFailure ? .usage : .failed
    }
  }

  /// Prints the error where it belongs and ends the process.
  ///
  /// An overlapping run of a cron job is no news: with `--quiet` its exit code alone says so.
  func exit(asJSON: Bool, isQuiet: Bool) -> Never {
    if let parserError {
      let isUsageError = MohaSync.exitCode(for: parserError) == .validationFailure
      if let status = parserError as? ExitCode { endProcess(status.rawValue) }
      let message = Failure.withoutValues(MohaSync.message(for: parserError))
      let hint = "\(Failure.helpCommand(in: MohaSync.fullMessage(for: parserError))) says what there is"
      if isUsageError && asJSON {
        Failure.printJSON(code: "usage", message: message, hint: hint)
      } else if isUsageError {
        Output.writeError("moha-sync: \(message)\nhint: \(hint)\n")
      } else {
        Output.write(MohaSync.fullMessage(for: parserError) + "\n")
      }
      endProcess(isUsageError ? ExitStatus.usage.rawValue : MohaSync.exitCode(for: parserError).rawValue)
    }
    if asJSON {
      Failure.printJSON(code: code, message: message, hint: hint)
    } else if !(isQuiet && status == .locked) {
      let hint = hint.map { message.contains($0) ? "" : "\nhint: \($0)" } ?? ""
      Output.writeError("moha-sync: \(message)\(hint)\n")
    }
    endProcess(status.rawValue)
  }

  /// A message of the argument parser without the long arguments that it repeats: text, and perhaps a secret.
  private static func withoutValues(_ message: String) -> String {
    var message = message
    for argument in ProcessInfo.processInfo.arguments.dropFirst() {
      let value = argument.firstIndex(of: "=").map { String(argument[argument.index(after: $0)...]) }
      for text in [argument, value].compactMap({ $0 }) where text.utf8.count > 32 {
        message = message.replacing(text, with: "(\(text.utf8.count) bytes)")
      }
    }
    return message
  }

  /// The command that the parser names for help: `See 'moha-sync verify --help' for more information.`
  private static func helpCommand(in message: String) -> String {
    let words = message.split(separator: "'", omittingEmptySubsequences: false)
    let command = words.last { $0.hasPrefix("moha-sync ") && $0.hasSuffix("--help") }
    return "`\(command.map { String($0) } ?? "moha-sync --help")`"
  }

  private static func isParserError(_ error: any Error) -> Bool {
    switch error {
    case is CommandFailure, is PersistenceError, is GitError, is PostgresError, is RedisError, is EmbeddedServersError,
      is CancellationError:
      false
    default: true
    }
  }

  private static func printJSON(code: String, message: String, hint: String?) {
    var members: [JSONValue.Member] = [.init("code", .string(code)), .init("message", .string(message))]
    members.append(.init("hint", hint.map { .string($0) } ?? .null))
    Output.writeJSON(.object([.init("schema", 1), .init("error", .object(members))]))
  }
}

extension Failure {
  /// The message on one line: those of libpq have several, indented.
  var singleLine: String {
    message.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }.joined(separator: "; ")
  }
}

/// An error of a command itself.
struct CommandFailure: Error {
  let code: String
  let message: String
  var hint: String?
  let status: ExitStatus
}
