package import Git
internal import Glibc
internal import Synchronization

/// An exclusive lock between processes and tasks: flock(2) on a file, and a queue for the tasks of this process.
///
/// Tasks of one process get the lock in the order in which they asked, so that none starves in a crowd; only the first
/// of them waits for other processes, by trying again. The kernel frees the lock when its holder dies.
package final class FileLock: Sendable {
  /// What is locked. A file of its own each, in `moha-sync` in the git folder.
  package enum Purpose: String, Sendable {
    /// The record files of the working tree.
    case tree
    /// Commits: whoever has it commits for all who wait. Taken before that of the tree.
    case commit
    /// The periodic run, so that there is one at a time. Writers run beside it and wait for its steps only.
    case tick
  }

  private let descriptor: Int32
  private let turn: WaitingLine.Turn

  private init(descriptor: Int32, turn: WaitingLine.Turn) {
    self.descriptor = descriptor
    self.turn = turn
  }

  deinit {
    release()
    close(descriptor)
  }

  /// Lets others have the lock while references to it are still held. A second call does nothing.
  package func release() {
    // A child between fork and exec has the descriptor too, and closing ours alone would leave it the lock.
    turn.end { flock(descriptor, LOCK_UN) }
  }

  /// Waits for its turn in this process, then up to `patience` for other processes, then throws `.locked`.
  package static func acquire(
    _ purpose: Purpose, of repository: Repository, patience: Duration
  ) async throws -> FileLock {
    let folder = "\(repository.gitDirectory)/moha-sync"
    let files = PrivateFiles(of: repository)
    try files.makeFolder(folder)
    // Not named .lock: a person who looks for git's stale locks should not find one that is none.
    let path = "\(folder)/\(purpose.rawValue).flock"
    let turn = try await WaitingLine.line(at: path).turn()
    do {
      return try await acquire(path, files, patience: patience, turn: turn)
    } catch {
      turn.end {}
      throw error
    }
  }

  private static func acquire(
    _ path: String, _ files: PrivateFiles, patience: Duration, turn: WaitingLine.Turn
  ) async throws -> FileLock {
    let descriptor = files.open(path, O_RDWR | O_CREAT)
    guard descriptor >= 0 else {
      throw PersistenceError(
        .writeFailed, "cannot open \(path): \(String(cString: strerror(errno))). Nothing was written",
        hint: "run as a user who may write the repository's git folder")
    }
    let deadline = ContinuousClock.now + patience
    var pause = Duration.microseconds(200)
    do {
      while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        guard errno == EWOULDBLOCK || errno == EINTR else {
          throw PersistenceError(.writeFailed, "cannot lock \(path): \(String(cString: strerror(errno)))")
        }
        guard ContinuousClock.now < deadline else {
          throw PersistenceError(
            .locked, "another process holds \(path): nothing was written", hint: "run again when it has ended")
        }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .milliseconds(5))
      }
    } catch {
      close(descriptor)
      throw error
    }
    return FileLock(descriptor: descriptor, turn: turn)
  }
}

/// The tasks of this process that want the same lock, in order of arrival.
private final class WaitingLine: Sendable {
  private struct State {
    var isTaken = false
    var waiters: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
    var nextID: UInt64 = 0
  }

  private let state = Mutex(State())

  /// One for each path that was ever locked, which are three a repository.
  private static let lines = Mutex<[String: WaitingLine]>([:])

  static func line(at path: String) -> WaitingLine {
    lines.withLock { lines in
      if let line = lines[path] { return line }
      let line = WaitingLine()
      lines[path] = line
      return line
    }
  }

  /// Leave to lock, until `end`.
  final class Turn: Sendable {
    private let line: WaitingLine
    private let hasEnded = Atomic(false)

    init(_ line: WaitingLine) {
      self.line = line
    }

    /// Runs `body` and lets the next one have the turn; nothing where the turn has ended.
    func end(_ body: () -> Void) {
      guard !hasEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
      body()
      line.passOn()
    }
  }

  /// Waits for the turn; throws `CancellationError` where the task is cancelled meanwhile.
  func turn() async throws -> Turn {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    let isGranted = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer: Bool? = state.withLock { state in
          if Task.isCancelled { return false }
          if !state.isTaken {
            state.isTaken = true
            return true
          }
          state.waiters.append((id, continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
      }
      waiter?.continuation.resume(returning: false)
    }
    guard isGranted else { throw CancellationError() }
    return Turn(self)
  }

  private func passOn() {
    let next = state.withLock { state in
      if state.waiters.isEmpty {
        state.isTaken = false
        return nil as CheckedContinuation<Bool, Never>?
      }
      return state.waiters.removeFirst().continuation
    }
    next?.resume(returning: true)
  }
}
