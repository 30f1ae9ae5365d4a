package import Records

/// The portfolio snapshots of an agent's working tree.
package struct SnapshotHistory: Sendable {
  private let files: AgentFiles

  package init(_ files: AgentFiles) {
    self.files = files
  }

  /// A snapshot and the name of its file.
  package struct Entry: Sendable {
    package let name: String
    package let snapshot: Snapshot
  }

  /// The newest one that can be read; nil without any.
  package func newest() async -> Entry? {
    for path in await files.listing(of: .snapshot).paths {
      if let snapshot = await read(path) { return Entry(name: RecordPath(path.fileName).text, snapshot: snapshot) }
    }
    return nil
  }

  /// What the portfolio was worth at the times that a snapshot of `now` is compared with.
  package func past(_ now: Instant) async -> Portfolio.PastValues {
    // Sorted by the time in their names, so one search a span; only the files that are wanted are read.
    let listing = await files.listing(of: .snapshot)
    var values = Portfolio.PastValues()
    values.first = await value(in: listing.paths.suffix(16).reversed())
    values.day = await value(in: older(listing, than: 24, before: now))
    values.week = await value(in: older(listing, than: 7 * 24, before: now))
    values.month = await value(in: older(listing, than: 30 * 24, before: now))
    return values
  }

  /// Those that are at least `hours` old, newest first.
  private func older(_ listing: RecordListing, than hours: Int64, before now: Instant) -> ArraySlice<RecordPath> {
    guard let limit = Instant(microseconds: now.microseconds - hours * 3_600_000_000) else { return [] }
    // A name that comes after all names of its second, whatever their ordinal.
    let mark = TreeLayout.snapshotFileName(at: limit, ordinal: 1).utf8.dropLast(".json".count) + [0x7F]
    return listing.paths[listing.position(after: Array(mark))...]
  }

  /// The total value of the first that can be read.
  private func value(in paths: some Sequence<RecordPath>) async -> ExactDecimal? {
    for path in paths.prefix(16) {
      if let snapshot = await read(path) { return snapshot.totalValue }
    }
    return nil
  }

  private func read(_ path: RecordPath) async -> Snapshot? {
    guard let content = await files.read(path, limit: GitRecordReader.fileLimit),
      case .snapshot(let snapshot)? = RecordFile.decode(content.bytes, role: .snapshot, path: path).record
    else { return nil }
    return snapshot
  }
}
