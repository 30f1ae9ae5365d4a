/// Where the files of an agent lie, and how new ones are named.
package enum TreeLayout {
  /// Returns what the file at `path` is for `agent`.
  ///
  /// Decisions and milestones are `*.md`, in any case, directly in their folder or in folders below it whose names are all
  /// digits (`decisions/2026/01/14/`), and so are portfolio snapshots, `snapshot_*.json`. A name that begins with a dot, or
  /// with `readme`, is never a record. A decision that is not named `decision_*.md` is one by what it holds, see
  /// `RecordFile.decode`.
  package static func role(of path: RecordPath, agent: Agent) -> FileRole {
    path.bytes.withView { view in
      var components: [Range<Int>] = []
      var start = 0
      while true {
        let slash = view.index(of: 0x2F, from: start, to: view.count)
        components.append(start..<slash)
        if slash >= view.count { break }
        start = slash + 1
      }
      guard components.count >= 3,
        view.equals(".moha", from: components[0].lowerBound, to: components[0].upperBound),
        view.slice(components[1].lowerBound, components[1].upperBound).elementsEqual(agent.name.utf8)
      else { return .other }
      return role(in: view, below: components[2...])
    }
  }

  private static func role(in view: ByteView, below components: ArraySlice<Range<Int>>) -> FileRole {
    guard let first = components.first, let name = components.last else { return .other }
    func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
      view.equals(text, from: range.lowerBound, to: range.upperBound)
    }
    if components.count == 1 {
      if equals(name, "identity.json") { return .identity }
      if equals(name, "session_log.md") { return .sessionLog }
      if equals(name, "infrastructure.json") { return .infrastructure }
      return .other
    }
    let folders = components.dropFirst().dropLast()
    let areDated = folders.allSatisfy { folder in
      !folder.isEmpty && view.slice(folder.lowerBound, folder.upperBound).allSatisfy(isDigit)
    }
    if equals(first, "portfolio") {
      let isSnapshot =
        name.count > 14 && view.hasPrefix("snapshot_", from: name.lowerBound, to: name.upperBound)
        && view.equals(".json", from: name.upperBound - 5, to: name.upperBound)
      return areDated && isSnapshot ? .snapshot : .other
    }
    let isDecision = equals(first, "decisions")
    if isDecision || equals(first, "milestones") {
      // Without a copy: this is asked of every file of a tree, several times a run.
      func isLower(_ byte: UInt8, _ other: UInt8) -> Bool { ((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) == other }
      let text = view.slice(name.lowerBound, name.upperBound)
      let isRecord =
        text.count > 3 && text.suffix(3).elementsEqual(".md".utf8, by: isLower) && view[name.lowerBound] != 0x2E
        && !text.prefix(6).elementsEqual("readme".utf8, by: isLower)
      guard areDated, isRecord else { return .other }
      return isDecision ? .decision : .milestone
    }
    let isMarkdown =
      name.count > 3 && view.equals(".md", from: name.upperBound - 3, to: name.upperBound)
      && view[name.lowerBound] != 0x2E
    guard isMarkdown, folders.isEmpty else { return .other }
    if equals(first, "personas") { return .persona }
    if equals(first, "session_log") { return isMonth(view, name) ? .rotatedLog : .other }
    return .other
  }

  /// Whether the file of a decision has a name as this program gives it, `decision_*.md`, and so is meant to be one even
  /// where it cannot be read.
  package static func isNamedDecision(_ path: RecordPath) -> Bool {
    let name = path.fileName
    return name.starts(with: "decision_".utf8) && name.suffix(3).elementsEqual(".md".utf8)
  }

  /// `YYYY-MM.md` with a month from 01 to 12.
  private static func isMonth(_ view: ByteView, _ name: Range<Int>) -> Bool {
    guard name.count == 10, view[name.lowerBound + 4] == 0x2D else { return false }
    for offset in [0, 1, 2, 3, 5, 6] where !isDigit(view[name.lowerBound + offset]) { return false }
    let month = Int(view[name.lowerBound + 5] & 15) * 10 + Int(view[name.lowerBound + 6] & 15)
    return (1...12).contains(month)
  }

  package static func identity(of agent: Agent) -> RecordPath { agent.root.appending("identity.json") }
  package static func sessionLog(of agent: Agent) -> RecordPath { agent.root.appending("session_log.md") }
  package static func infrastructure(of agent: Agent) -> RecordPath { agent.root.appending("infrastructure.json") }
  package static func decisions(of agent: Agent) -> RecordPath { agent.root.appending("decisions") }
  package static func milestones(of agent: Agent) -> RecordPath { agent.root.appending("milestones") }
  package static func snapshots(of agent: Agent) -> RecordPath { agent.root.appending("portfolio") }

  /// The folder that holds a kind's files; nil for events, which share the session log.
  package static func folder(of kind: RecordKind, agent: Agent) -> RecordPath? {
    switch kind {
    case .decision: decisions(of: agent)
    case .milestone: milestones(of: agent)
    case .snapshot: snapshots(of: agent)
    case .event: nil
    }
  }

  /// The file that takes the rotated entries of the month (UTC) that holds `time`.
  package static func rotatedLog(of agent: Agent, at time: Instant) -> RecordPath {
    let calendar = time.calendar
    var name: [UInt8] = []
    name.append(decimal: calendar.year, width: 4)
    name.append(0x2D)
    name.append(decimal: calendar.month, width: 2)
    name.append(".md")
    return agent.root.appending("session_log").appending(name)
  }

  /// The folder below decisions/ or milestones/ in the dated layout: `YYYY/MM/DD` of `time` in UTC.
  package static func datedFolder(at time: Instant) -> String {
    let calendar = time.calendar
    var name: [UInt8] = []
    name.append(decimal: calendar.year, width: 4)
    name.append(0x2F)
    name.append(decimal: calendar.month, width: 2)
    name.append(0x2F)
    name.append(decimal: calendar.day, width: 2)
    return String(decoding: name, as: UTF8.self)
  }

  /// The name of a new decision file: `decision_YYYYMMDD_HHMMSS.md`, with `_2`, `_3` … for an `ordinal` above 1.
  package static func decisionFileName(at time: Instant, ordinal: Int) -> String {
    fileName(prefix: "decision_", time: time, slug: nil, ordinal: ordinal)
  }

  /// The name of a new milestone file: `milestone_YYYYMMDD_HHMMSS_<slug>.md`, with `_2`, `_3` … for an `ordinal` above 1.
  ///
  /// The slug is the title in lower case, cut to 30 characters as the files in use are; every character outside
  /// `[a-z0-9+._-]` becomes `_`, so that a title cannot name a folder or hide a look-alike.
  package static func milestoneFileName(at time: Instant, title: String, ordinal: Int) -> String {
    var slug: [UInt8] = []
    for scalar in title.unicodeScalars.prefix(30) {
      switch scalar {
      case "a"..."z", "0"..."9", "+", ".", "_", "-": slug.append(UInt8(truncatingIfNeeded: scalar.value))
      case "A"..."Z": slug.append(UInt8(truncatingIfNeeded: scalar.value) | 0x20)
      default: slug.append(0x5F)
      }
    }
    return fileName(prefix: "milestone_", time: time, slug: slug.isEmpty ? nil : slug, ordinal: ordinal)
  }

  /// The name of a new snapshot file: `snapshot_YYYYMMDD_HHMMSS.json`, with `_2`, `_3` … for an `ordinal` above 1.
  package static func snapshotFileName(at time: Instant, ordinal: Int) -> String {
    fileName(prefix: "snapshot_", time: time, slug: nil, ordinal: ordinal, suffix: ".json")
  }

  private static func fileName(
    prefix: StaticString, time: Instant, slug: [UInt8]?, ordinal: Int, suffix: StaticString = ".md"
  ) -> String {
    var name: [UInt8] = []
    name.append(prefix)
    let calendar = time.calendar
    name.append(decimal: calendar.year, width: 4)
    name.append(decimal: calendar.month, width: 2)
    name.append(decimal: calendar.day, width: 2)
    name.append(0x5F)
    name.append(decimal: calendar.hour, width: 2)
    name.append(decimal: calendar.minute, width: 2)
    name.append(decimal: calendar.second, width: 2)
    if let slug {
      name.append(0x5F)
      name.append(contentsOf: slug)
    }
    if ordinal > 1 {
      name.append(0x5F)
      name.append(decimal: ordinal)
    }
    name.append(suffix)
    return String(decoding: name, as: UTF8.self)
  }
}
