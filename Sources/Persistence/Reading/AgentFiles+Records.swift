package import Records

extension AgentFiles {
  /// The files of one kind, newest first, as they are now. Events have a log and no files of their own.
  package func listing(of kind: RecordKind) -> RecordListing {
    if let known = listings[kind], stamps(known.folders) == known.stamps { return known }
    let root = TreeLayout.folder(of: kind, agent: agent) ?? agent.root
    let role = kind.fileRole
    var folders: [RecordPath] = []
    var folderStamps: [FileStamp?] = []
    var found: [(order: RecordListing.Order, path: RecordPath)] = []
    var waiting = [root]
    while let folder = waiting.popLast() {
      let listing = list(folder)
      folders.append(folder)
      folderStamps.append(listing?.stamp)
      for name in listing?.files ?? [] {
        let path = folder.appending(name)
        if TreeLayout.role(of: path, agent: agent) == role { found.append((RecordListing.order(name), path)) }
      }
      // `decisions/2026/01/14/`: the reader accepts dated folders at any depth that can be meant.
      for name in listing?.folders ?? [] where name.allSatisfy({ (0x30...0x39).contains($0) }) && folder.depth < 8 {
        waiting.append(folder.appending(name))
      }
    }
    found.sort { RecordListing.isNewer($0.order, $1.order) }
    let listing = RecordListing(
      paths: found.map(\.path), folders: folders, stamps: folderStamps, exists: folderStamps.first != .some(nil))
    listings[kind] = listing
    return listing
  }

  /// Where a record of this name is; nil where there is none.
  package func path(of kind: RecordKind, named name: [UInt8]) -> RecordPath? {
    guard let root = TreeLayout.folder(of: kind, agent: agent) else { return nil }
    let flat = root.appending(name)
    guard TreeLayout.role(of: flat, agent: agent).kind == kind else { return nil }
    if stamps([flat])[0]?.isFolder == false { return flat }
    return listing(of: kind).paths.first { $0.fileName == name }
  }

  /// What the files are about, in the given order; nil for one that is gone.
  package func headers(_ paths: some Sequence<RecordPath>) -> [RecordHeader?] {
    let paths = Array(paths)
    return zip(paths, stamps(paths)).map { path, stamp in
      if let stamp, let known = headers[path], known.stamp == stamp { return known.header }
      guard let content = read(path) else { return nil }
      let header = RecordHeader(content.bytes, path: path, agent: agent)
      // Lists show the newest records and statistics all: a bound keeps a huge tree from filling the memory.
      if headers.count >= AgentFiles.headerLimit { headers.removeAll(keepingCapacity: true) }
      headers[path] = (content.stamp, header)
      return header
    }
  }

  private static let headerLimit = 20_000

  /// The name of the current personality's file: the highest `<agent>-vN.md`, else the last name; nil without any.
  package func currentPersona() -> RecordPath? {
    let folder = agent.root.appending("personas")
    let names = (list(folder)?.files ?? []).filter {
      TreeLayout.role(of: folder.appending($0), agent: agent) == .persona
    }
    let newest = names.max { left, right in
      let (old, new) = (PersonaFile.version(of: left) ?? -1, PersonaFile.version(of: right) ?? -1)
      return old == new ? left.lexicographicallyPrecedes(right) : old < new
    }
    return newest.map { folder.appending($0) }
  }
}

extension RecordHeader {
  init(_ bytes: [UInt8], path: RecordPath, agent: Agent) {
    let decoded = RecordFile.decode(bytes, role: TreeLayout.role(of: path, agent: agent), path: path)
    switch decoded.record {
    case .decision(let decision):
      let subject = decision.asset.map { "\(decision.decisionType) \($0)" } ?? decision.decisionType
      title = "\(subject): \(decision.action.firstLine)"
      (time, category) = (decision.decidedAt, decision.decisionType)
    case .milestone(let milestone):
      (title, time, category) = (milestone.title, milestone.achievedAt, milestone.category)
    case .snapshot(let snapshot):
      (title, time) = ("\(snapshot.totalValue.text) USD", snapshot.takenAt)
      category = snapshot.cause.rawValue
    case .event, nil:
      (title, time, category) = (RecordPath(path.fileName).text, nil, nil)
    }
    problem =
      decoded.record == nil
      ? decoded.diagnostics.first { $0.severity == .error }?.message ?? "the file cannot be read as a record" : nil
  }
}

extension RecordPath {
  fileprivate var depth: Int { bytes.count { $0 == UInt8(ascii: "/") } }
}

extension String {
  /// Up to the first line break, and not longer than a line of a list.
  fileprivate var firstLine: String {
    let line = unicodeScalars.prefix { $0 != "\n" && $0 != "\r" }
    let short = line.prefix(120)
    return String(String.UnicodeScalarView(short)) + (short.endIndex < line.endIndex ? "…" : "")
  }
}
