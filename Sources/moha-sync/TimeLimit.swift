import ArgumentParser
import Persistence
import Postgres
import Telemetry

/// A command that ends by itself, in a limited time.
protocol TimedCommand: AsyncParsableCommand {
  var options: GlobalOptions { get }
  /// What a user who says nothing waits for at most.
  static var timeLimit: Duration { get }
}

/// How long commands may take, unless `--timeout` says otherwise.
enum TimeLimit {
  /// Those that look at something.
  static let look = Duration.seconds(60)
  /// Those that compare or change everything.
  static let work = Duration.seconds(600)

  /// Runs the command of these arguments within its limit. One that is not done then is cancelled, and given up if that
  /// does not end it.
  ///
  /// Throws `CommandFailure` with `time-limit`: 1, or 69 where it waited for a database that does not answer others either.
  static func run(_ command: some TimedCommand, _ arguments: [String]) async throws {
    let limit = command.options.timeout.map { Duration.seconds($0) } ?? type(of: command).timeLimit
    guard limit > .zero else { return try await MohaSync.run(arguments) }
    let phase = Phase()
    let ending = await Phase.$current.withValue(phase) {
      // A command is no value that may go from task to task.
      await Deadline.run(limit, grace: .seconds(3)) { try await MohaSync.run(arguments) }
    }
    switch ending {
    case .returned: return
    case .threw(let error): throw error
    case .late:
      try Task.checkCancellation()
      throw await failure(type(of: command)._commandName, limit, phase, try? await Workspace(command.options))
    }
  }

  /// What to say of work that was given up at its limit.
  static func failure(_ name: String, _ limit: Duration, _ phase: Phase, _ workspace: Workspace?) async -> CommandFailure {
    let service = phase.awaitedService
    var isSilent = false
    if service != nil, let workspace { isSilent = await !databaseAnswers(workspace) }
    let place = phase.name.map { " while \($0)" } ?? ""
    let wait = service.map { isSilent ? "; \($0) does not answer" : "; it waited for \($0)" } ?? ""
    return CommandFailure(
      code: "time-limit",
      message: "\(name) did not end within \(limit.components.seconds) s and was given up\(place)\(wait)",
      hint: isSilent
        ? "check the server; `moha-sync status` shows where it is"
        : "what it changes in the database is whole or absent; --timeout SECONDS raises the limit, 0 takes it away",
      status: isSilent ? .serviceDown : .failed)
  }

  /// Whether the database answers somebody who begins anew.
  private static func databaseAnswers(_ workspace: Workspace) async -> Bool {
    await answer(within: .seconds(2), orElse: false) {
      guard let database = try? await workspace.databaseIfUp(), let open = try? await database.connect() else {
        return false
      }
      await open.connection.close()
      return true
    }
  }
}

extension TimedCommand {
  static var timeLimit: Duration { TimeLimit.look }
}

extension Adopt: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension CacheCounter: TimedCommand {}
extension CacheLimit: TimedCommand {}
extension CachePosition.Get: TimedCommand {}
extension CachePosition.Set: TimedCommand {}
extension CachePosition.List: TimedCommand {}
extension CachePosition.Remove: TimedCommand {}
extension CachePrice.Get: TimedCommand {}
extension CachePrice.Set: TimedCommand {}
extension CachePrice.List: TimedCommand {}
extension CommitCommand: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension ConfigShow: TimedCommand {}
extension Decisions: TimedCommand {}
extension Doctor: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension Down: TimedCommand {}
extension Health: TimedCommand {}
extension History: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension Init: TimedCommand {}
extension Lock.State: TimedCommand {}
extension Log.Rotate: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension Migrate: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension Performance: TimedCommand {}
extension Reconcile: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension RecordCommand: TimedCommand {}
extension ReportCommand: TimedCommand {}
extension Search: TimedCommand {}
extension SnapshotCommand.Take: TimedCommand {}
extension SnapshotCommand.Restore: TimedCommand {}
extension Status: TimedCommand {}
extension Sync: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension Up: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
extension Verify: TimedCommand { static var timeLimit: Duration { TimeLimit.work } }
