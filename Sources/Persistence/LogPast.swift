internal import Git
internal import Glibc
internal import Records

/// What the logs of an agent held in the commits up to one, and no longer hold in it.
///
/// It is made commit range by commit range: the past up to a commit and what came since give the past up to a later one,
/// whatever the order in which branches were merged, so that a run reads only the versions that are new. An entry belongs
/// to the newest version that held it, by the committer's time.
///
/// A version that another one only appended to has lost nothing and is not parsed. What its last entry was before it was
/// continued is then no entry of its own.
struct LogPast: Equatable, Sendable {
  struct Entry: Equatable, Sendable {
    let event: Event
    let contentHash: ContentHash
    let path: GitPath
    /// The newest version that held it.
    let version: FilePast.Version
    /// The newest commit in which the file was that version.
    var holder: FilePast.Version
    /// Whether it was the last entry of its version.
    let isLast: Bool
  }

  /// Everything that this commit reaches was looked at.
  private(set) var commit: ObjectID
  /// The logs of that commit.
  private(set) var current: [GitPath: FilePast.Version] = [:]
  /// What they lack.
  private(set) var lost: [RecordKey: Entry] = [:]
  /// Versions that could not be read: then this says too little, and is not to be kept.
  private(set) var missing: Set<ObjectID> = []

  init(upTo commit: ObjectID) { self.commit = commit }

  init(upTo commit: ObjectID, current: [GitPath: FilePast.Version], lost: [RecordKey: Entry]) {
    (self.commit, self.current, self.lost) = (commit, current, lost)
  }

  /// Whether the logs are and lack the same, at whatever commit.
  func saysTheSame(as other: LogPast?) -> Bool {
    other.map { $0.current == current && $0.lost == lost } ?? false
  }

  /// Whether the past can be continued: not where somebody went on from a version other than the one that is known whole.
  func canContinue(with past: [GitPath: FilePast]) -> Bool {
    guard !lost.isEmpty else { return true }
    let continued = Set(past.values.flatMap { $0.changes.lazy.filter { $0.new != nil }.map(\.last.blob) })
    guard !continued.isEmpty else { return true }
    return !lost.values.contains { $0.isLast && continued.contains($0.version.blob) }
  }

  /// Takes up what came since.
  ///
  /// - Parameters:
  ///   - past: what the commits from this one, exclusive, to `head` held, and what `head` holds.
  ///   - head: the commit that the past is known up to from now on.
  ///   - read: the bytes of a version; nil where they are not there.
  mutating func advance(
    over past: [GitPath: FilePast], to head: Commit, read: @escaping (ObjectID) async throws -> [UInt8]?
  ) async throws {
    var reader = VersionReader(read: read)
    for (path, past) in past.sorted(by: { $0.key < $1.key }) {
      let prior = current[path]
      guard !past.versions.isEmpty || !past.changes.isEmpty || past.current != prior?.blob else { continue }
      try await take(past, of: path, head, &reader)
    }
    missing.formUnion(reader.missing)
    commit = head.id
  }

  private mutating func take(
    _ past: FilePast, of path: GitPath, _ head: Commit, _ reader: inout VersionReader
  ) async throws {
    var versions: [ObjectID: FilePast.Version] = [:]
    for version in past.versions + (current[path].map { [$0] } ?? []) {
      versions[version.blob] = versions[version.blob].map { max($0, version) } ?? version
    }
    var successors: [ObjectID: Set<ObjectID>] = [:]
    var holders: [ObjectID: FilePast.Version] = [:]
    for change in past.changes {
      holders[change.last.blob] = holders[change.last.blob].map { max($0, change.last) } ?? change.last
      if let new = change.new { successors[change.last.blob, default: []].insert(new) }
    }
    for (key, entry) in lost where entry.path == path {
      if let holder = holders[entry.version.blob], entry.holder < holder { lost[key]?.holder = holder }
    }
    current[path] = past.current.map {
      versions[$0] ?? FilePast.Version(time: head.committer.time, commit: head.id, blob: $0)
    }
    var present: Set<RecordKey>?
    for version in versions.values.sorted(by: >) where version.blob != past.current {
      try Task.checkCancellation()
      guard let bytes = try await reader.bytes(of: version.blob),
        try await !reader.isContinued(bytes, by: successors[version.blob] ?? [])
      else { continue }
      let log = SessionLog.parse(bytes, path: RecordPath(path.bytes))
      if present == nil { present = try await keys(of: past.current, at: path, &reader) }
      for (index, entry) in log.entries.enumerated() {
        let key = RecordKey(entry.recordKey)
        if present?.contains(key) == true { continue }
        add(
          Entry(
            event: entry.event, contentHash: entry.contentHash, path: path, version: version,
            holder: holders[version.blob] ?? version, isLast: index == log.entries.count - 1),
          for: key)
      }
    }
  }

  private mutating func add(_ entry: Entry, for key: RecordKey) {
    if let other = lost[key], !entry.isNewer(than: other) { return }
    lost[key] = entry
  }

  private func keys(
    of blob: ObjectID?, at path: GitPath, _ reader: inout VersionReader
  ) async throws -> Set<RecordKey> {
    guard let blob, let bytes = try await reader.bytes(of: blob) else { return [] }
    return Set(SessionLog.parse(bytes, path: RecordPath(path.bytes)).entries.map { RecordKey($0.recordKey) })
  }
}

extension LogPast.Entry {
  /// Whether it stands in a newer version than the other; of one commit the first path counts.
  func isNewer(than other: LogPast.Entry) -> Bool {
    version.commit == other.version.commit ? path < other.path : other.version < version
  }
}

/// Reads versions of logs. The last few are kept, since a version is compared with the one that followed it.
private struct VersionReader {
  private let read: (ObjectID) async throws -> [UInt8]?
  private var kept: [(blob: ObjectID, bytes: [UInt8])] = []
  private(set) var missing: Set<ObjectID> = []

  private static let keptCount = 3

  init(read: @escaping (ObjectID) async throws -> [UInt8]?) { self.read = read }

  mutating func bytes(of blob: ObjectID) async throws -> [UInt8]? {
    if let index = kept.lastIndex(where: { $0.blob == blob }) { return kept[index].bytes }
    guard !missing.contains(blob), let bytes = try await read(blob) else {
      missing.insert(blob)
      return nil
    }
    if kept.count >= Self.keptCount { kept.removeFirst() }
    kept.append((blob, bytes))
    return bytes
  }

  /// Whether one of the versions that followed begins with all of these bytes.
  mutating func isContinued(_ bytes: [UInt8], by successors: Set<ObjectID>) async throws -> Bool {
    for successor in successors.sorted() {
      if let next = try await self.bytes(of: successor), next.count > bytes.count, next.begins(with: bytes) {
        return true
      }
    }
    return false
  }
}

extension [UInt8] {
  /// As `starts(with:)`, at the speed of memory.
  func begins(with prefix: [UInt8]) -> Bool {
    guard prefix.count <= count else { return false }
    return withUnsafeBytes { whole in
      prefix.withUnsafeBytes { part in
        guard let whole = whole.baseAddress, let start = part.baseAddress else { return true }
        return memcmp(whole, start, part.count) == 0
      }
    }
  }
}
