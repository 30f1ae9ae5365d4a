internal import DedicatedThread
internal import Glibc
internal import Records

/// Waits for changes of an agent's tree on a thread of its own, which sleeps in poll(2) while nothing happens.
actor TreeWatcher {
  private let thread: DedicatedThread
  private var folders: WatchedFolders
  /// Readable once `stop` was called.
  private let stopEnd: Int32
  private nonisolated let wakeEnd: Int32

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// What happens within this time of the last event is told with it: a write touches several files.
  private static let quiet: Int64 = 10
  /// And no change waits longer.
  private static let patience: Int64 = 40

  /// Watches from now on. Nil where the system gives no watches.
  init?(workTree: String, gitDirectory: String, commonDirectory: String, agent: Agent) {
    guard
      let folders = WatchedFolders(
        workTree: workTree, agent: agent, git: (directory: gitDirectory, common: commonDirectory))
    else { return nil }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      close(folders.descriptor)
      return nil
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    self.folders = folders
    (stopEnd, wakeEnd) = (ends[0], ends[1])
    thread = DedicatedThread(name: "tree-watch")
  }

  deinit {
    close(folders.descriptor)
    close(stopEnd)
    close(wakeEnd)
  }

  /// Ends `run`.
  nonisolated func stop() {
    var byte: UInt8 = 1
    _ = write(wakeEnd, &byte, 1)
  }

  /// Reports until `stop` is called.
  func run(_ report: (WatchedFolders.Events) -> Void) {
    var pending = WatchedFolders.Events()
    var first: Int64 = 0
    var last: Int64 = 0
    while true {
      let now = TreeWatcher.milliseconds()
      var timeout: Int32 = -1
      if !pending.isEmpty {
        let due = min(last + TreeWatcher.quiet, first + TreeWatcher.patience)
        if due <= now {
          report(pending)
          pending = WatchedFolders.Events()
          continue
        }
        timeout = Int32(due - now)
      }
      var descriptors = [
        pollfd(fd: folders.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: stopEnd, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&descriptors, 2, timeout) >= 0 || errno == EINTR else { return }
      if descriptors[1].revents != 0 { return }
      let events = folders.take()
      guard !events.isEmpty else { continue }
      last = TreeWatcher.milliseconds()
      if pending.isEmpty { first = last }
      pending.add(events)
    }
  }

  private static func milliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}
