internal import Git
package import Records
internal import Synchronization

/// Tells everybody who listens which files of an agent's tree have changed, whoever changed them.
///
/// One watcher serves all listeners; it starts with the first and ends with the last. A file counts when it is
/// written and once more when it is committed, since the records then stand at another commit.
package final class RecordChanges: Sendable {
  package enum Change: Hashable, Sendable {
    /// These files, from the repository's root.
    case files(Set<RecordPath>)
    /// More than could be followed, or than waits for a slow listener: read again what is of interest.
    case everything

    /// The most files that are named.
    static let fileLimit = 1_000

    /// This change and a later one.
    func merged(with later: Change) -> Change {
      guard case .files(let files) = self, case .files(let others) = later else { return .everything }
      let both = files.union(others)
      return both.count > Change.fileLimit ? .everything : .files(both)
    }
  }

  private typealias Listener = Mailbox<Change?, Change>

  private struct State {
    var listeners: [Int: Listener] = [:]
    var nextListener = 0
    var watcher: TreeWatcher?
  }

  private let repository: Repository
  private let agent: Agent
  private let lookout: Lookout
  private let state = Mutex(State())

  init(repository: Repository, agent: Agent, lookout: Lookout) {
    self.repository = repository
    self.agent = agent
    self.lookout = lookout
  }

  deinit {
    state.withLock { $0.watcher?.stop() }
  }

  /// Changes from now on.
  package func changes() -> AsyncStream<Change> {
    let mailbox = Listener(nil) { waiting, change in
      waiting = waiting?.merged(with: change) ?? Change.files([]).merged(with: change)
    } take: { waiting in
      defer { waiting = nil }
      return waiting
    }
    let listener = state.withLock { state in
      state.nextListener += 1
      state.listeners[state.nextListener] = mailbox
      if state.watcher == nil { state.watcher = startWatcher() }
      return state.nextListener
    }
    return mailbox.elements { [weak self] in self?.leave(listener) }
  }

  private func leave(_ listener: Int) {
    state.withLock { state in
      state.listeners[listener] = nil
      guard state.listeners.isEmpty else { return }
      state.watcher?.stop()
      state.watcher = nil
    }
  }

  /// Tells of a write of this process, where nothing watches.
  func tellUnwatched(_ path: RecordPath) {
    if state.withLock({ $0.watcher == nil }) { tell(.files([path])) }
  }

  func tell(_ change: Change) {
    let listeners = state.withLock { Array($0.listeners.values) }
    for listener in listeners { listener.put(change) }
  }

  // MARK: Watching

  private func startWatcher() -> TreeWatcher? {
    guard let workTree = repository.workTree,
      let watcher = TreeWatcher(
        workTree: workTree, gitDirectory: repository.gitDirectory, commonDirectory: repository.commonDirectory,
        agent: agent)
    else { return nil }
    let events = Mailbox<WatchedFolders.Events, WatchedFolders.Events>(WatchedFolders.Events()) { waiting, events in
      waiting.add(events)
    } take: { waiting in
      defer { waiting = WatchedFolders.Events() }
      return waiting.isEmpty ? nil : waiting
    }
    Task {
      await watcher.run { events.put($0) }
      events.finish()
    }
    let (agent, lookout) = (agent, lookout)
    Task { [weak self] in
      var head = HeadTrace(agent: agent, lookout: lookout)
      await head.begin()
      for await event in events.elements(onEnd: {}) {
        var files = event.files
        if event.hasMovedHead { files.formUnion(await head.changes()) }
        if event.isOverrun {
          self?.tell(.everything)
        } else if !files.isEmpty {
          self?.tell(.files(files))
        }
      }
    }
    return watcher
  }
}

/// Where HEAD was last, to tell what a new commit changed.
private struct HeadTrace {
  let agent: Agent
  let lookout: Lookout
  private var commit: ObjectID?
  private var isFirst = true

  init(agent: Agent, lookout: Lookout) {
    self.agent = agent
    self.lookout = lookout
  }

  mutating func begin() async {
    commit = try? await lookout.repository().head().commit
  }

  /// The agent's files that HEAD has otherwise than the last time.
  mutating func changes() async -> Set<RecordPath> {
    defer { isFirst = false }
    guard let repository = try? lookout.repository(), let now = try? await repository.head().commit else { return [] }
    // Nothing moved since the watch began, and yet it did: the commit came before HEAD was looked at.
    let old = now == commit && isFirst ? try? await repository.commit(now).parents.first : commit
    commit = now
    guard old != now else { return [] }
    do {
      let tree = try await repository.commit(now).tree
      let oldTree = try await old.asyncMap { try await repository.commit($0).tree }
      let changes = try await repository.difference(from: oldTree, to: tree, under: GitPath(agent.root.bytes))
      return Set(changes.map { RecordPath($0.path.bytes) })
    } catch {
      return []
    }
  }
}
