internal import Persistence
internal import Records

extension MavenOffering {
  package func changes() -> AsyncStream<OfferingChange> {
    let changes = records.changes()
    let everything = uris(of: .everything)
    let mailbox = Mailbox<Waiting, OfferingChange>(Waiting()) { waiting, change in
      waiting.add(change, orInstead: everything)
    } take: {
      $0.take()
    }
    let work = Task { [weak self] in
      var list = (try? await self?.resources().map(\.uri)) ?? []
      // A change may have come before the list was looked at: the first one that can concern it is told in any case.
      var isCertain = false
      for await change in changes {
        guard let self else { break }
        let uris = uris(of: change)
        if !uris.isEmpty { mailbox.put(.updated(uris: uris)) }
        let now = (try? await resources().map(\.uri)) ?? list
        if now != list || (!isCertain && concernsList(change)) { mailbox.put(.resourceListChanged) }
        isCertain = true
        list = now
      }
      mailbox.finish()
    }
    return mailbox.elements { work.cancel() }
  }

  /// What a client that is slow to listen has still to be told.
  private struct Waiting: Sendable {
    private var uris: Set<String> = []
    private var isListChanged = false

    private static let limit = 1_000

    /// - Parameter everything: what is told in place of too many resources.
    mutating func add(_ change: OfferingChange, orInstead everything: [String]) {
      switch change {
      case .updated(let uris): self.uris.formUnion(uris)
      case .resourceListChanged: isListChanged = true
      }
      guard uris.count > Self.limit else { return }
      uris = Set(everything)
      isListChanged = true
    }

    mutating func take() -> OfferingChange? {
      if !uris.isEmpty {
        defer { uris = [] }
        return .updated(uris: uris.sorted())
      }
      guard isListChanged else { return nil }
      isListChanged = false
      return .resourceListChanged
    }
  }

  /// Whether a resource may have come or gone: the files that are resources of their own.
  private func concernsList(_ change: RecordChanges.Change) -> Bool {
    guard case .files(let paths) = change else { return true }
    return paths.contains { path in
      switch TreeLayout.role(of: path, agent: records.agent) {
      case .identity, .infrastructure, .persona: true
      default: false
      }
    }
  }

  /// The resources that read otherwise after a change, sorted.
  private func uris(of change: RecordChanges.Change) -> [String] {
    var places: Set<MavenPlace> = []
    switch change {
    case .everything:
      places = [.identity, .memory, .personality, .persona, .infrastructure, .decisions, .milestones, .health]
    case .files(let paths):
      for path in paths {
        switch TreeLayout.role(of: path, agent: records.agent) {
        case .decision: places.formUnion([.decisions, .record(.decision, name: path.fileName)])
        case .milestone: places.formUnion([.milestones, .record(.milestone, name: path.fileName)])
        case .snapshot: break
        case .identity: places.insert(.identity)
        case .infrastructure: places.insert(.infrastructure)
        case .persona: places.formUnion([.personality, .persona])
        case .sessionLog:
          // What is appended is of today; who rewrites older days is told of by the log as a whole.
          let now = Instant.now().description
          places.formUnion([
            .memory, .memoryOf(date: String(now.prefix(10)), page: 1), .memoryOf(date: String(now.prefix(7)), page: 1),
          ])
        case .rotatedLog:
          places.insert(.memory)
          if let month = address.place(of: "\(address.agent)://memory/\(path.month)") { places.insert(month) }
        case .other: break
        }
      }
    }
    let spellings = places.flatMap { [address.uri(of: $0), address.plainURI(of: $0)].compactMap { $0 } }
    return spellings.sorted()
  }
}

extension RecordPath {
  /// The name without `.md`: a rotated log's is its month.
  fileprivate var month: String { String(decoding: fileName.dropLast(3), as: UTF8.self) }
}
