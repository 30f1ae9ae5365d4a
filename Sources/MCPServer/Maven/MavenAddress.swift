internal import Records

/// What a URI of an agent names. Whether it exists is another question.
enum MavenPlace: Hashable {
  case identity
  case memory
  case personality
  /// The older name of the personality.
  case persona
  case infrastructure
  case decisions
  case milestones
  case health
  /// A file of decisions/ or milestones/, by the bytes of its name.
  case record(RecordKind, name: [UInt8])
  /// The part of a list that comes after this file.
  case listAfter(RecordKind, name: [UInt8])
  /// Log entries of a day (YYYY-MM-DD) or a month (YYYY-MM); pages count from 1.
  case memoryOf(date: String, page: Int)
}

/// The URIs of one agent: `<agent>://…`, compared byte by byte.
struct MavenAddress {
  let agent: Agent

  private static let fixed: [(name: String, place: MavenPlace)] = [
    ("identity", .identity), ("memory", .memory), ("personality", .personality), ("persona", .persona),
    ("infrastructure", .infrastructure), ("decisions", .decisions), ("milestones", .milestones), ("health", .health),
  ]

  private static let listPrefix = Array("before-".utf8)

  /// Nil for what is no URI of this agent. A name has one spelling, besides the one without any `%`.
  func place(of uri: String) -> MavenPlace? {
    let bytes = Array(uri.utf8)
    let scheme = Array("\(agent.name)://".utf8)
    guard bytes.starts(with: scheme) else { return nil }
    let rest = Array(bytes.dropFirst(scheme.count))
    guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else {
      return MavenAddress.fixed.first { $0.name.utf8.elementsEqual(rest) }?.place
    }
    let value = Array(rest[(slash + 1)...])
    switch String(decoding: rest[..<slash], as: UTF8.self) {
    case "decisions": return record(.decision, value)
    case "milestones": return record(.milestone, value)
    case "memory": return MavenAddress.memory(value)
    default: return nil
    }
  }

  func uri(of place: MavenPlace) -> String {
    let path =
      switch place {
      case .record(let kind, let name): "\(kind.name)/\(MavenAddress.encoded(name))"
      case .listAfter(let kind, let name): "\(kind.name)/\(MavenAddress.encoded(MavenAddress.listPrefix + name))"
      case .memoryOf(let date, 1): "memory/\(date)"
      case .memoryOf(let date, let page): "memory/\(date).\(page)"
      default: MavenAddress.fixed.first { $0.place == place }?.name ?? ""
      }
    return "\(agent.name)://\(path)"
  }

  private func record(_ kind: RecordKind, _ value: [UInt8]) -> MavenPlace? {
    guard let name = MavenAddress.decoded(value) else { return nil }
    func isRecord(_ name: [UInt8]) -> Bool {
      guard !name.contains(UInt8(ascii: "/")), !name.contains(0) else { return false }
      let folder = kind == .decision ? TreeLayout.decisions(of: agent) : TreeLayout.milestones(of: agent)
      return TreeLayout.role(of: folder.appending(name), agent: agent).kind == kind
    }
    if name.starts(with: MavenAddress.listPrefix) {
      let mark = Array(name.dropFirst(MavenAddress.listPrefix.count))
      if isRecord(mark) { return .listAfter(kind, name: mark) }
    }
    return isRecord(name) ? .record(kind, name: name) : nil
  }

  private static func memory(_ value: [UInt8]) -> MavenPlace? {
    let parts = value.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard let date = parts.first, parts.count <= 2 else { return nil }
    var page = 1
    if parts.count == 2 {
      let digits = String(decoding: parts[1], as: UTF8.self)
      guard let number = Int(digits), number > 1, String(number) == digits else { return nil }
      page = number
    }
    guard isDate(Array(date)) else { return nil }
    return .memoryOf(date: String(decoding: date, as: UTF8.self), page: page)
  }

  /// `YYYY-MM` or `YYYY-MM-DD` with a month and a day that can be.
  private static func isDate(_ date: [UInt8]) -> Bool {
    guard date.count == 7 || date.count == 10 else { return false }
    for (index, byte) in date.enumerated() {
      guard index == 4 || index == 7 ? byte == UInt8(ascii: "-") : (0x30...0x39).contains(byte) else { return false }
    }
    func number(_ range: Range<Int>) -> UInt8 { date[range].reduce(0) { $0 * 10 + ($1 & 15) } }
    return (1...12).contains(number(5..<7)) && (date.count == 7 || (1...31).contains(number(8..<10)))
  }

  // MARK: RFC 6570, simple expansion

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
    default: false
    }
  }

  private static func encoded(_ name: [UInt8]) -> String {
    var output: [UInt8] = []
    for byte in name {
      if isUnreserved(byte) {
        output.append(byte)
      } else {
        output +=
          [UInt8(ascii: "%")] + Array((byte < 16 ? "0" : "").utf8)
          + Array(String(byte, radix: 16, uppercase: true).utf8)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// The name that expands to `value`; nil where none does: another spelling names nothing.
  private static func decoded(_ value: [UInt8]) -> [UInt8]? {
    var name: [UInt8] = []
    var position = 0
    while position < value.count {
      if value[position] == UInt8(ascii: "%") {
        guard position + 2 < value.count,
          let byte = UInt8(String(decoding: value[(position + 1)...(position + 2)], as: UTF8.self), radix: 16)
        else { return nil }
        name.append(byte)
        position += 3
      } else {
        name.append(value[position])
        position += 1
      }
    }
    // A client that pastes a name into the template leaves `+` and the like as they are, which RFC 3986 allows too.
    return encoded(name).utf8.elementsEqual(value) || value.allSatisfy(isPlain) ? name : nil
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    isUnreserved(byte) || "!$&'()*+,;=:@".utf8.contains(byte)
  }

  /// The URI of a record as a client may also have spelled it; nil where there is no other spelling.
  func plainURI(of place: MavenPlace) -> String? {
    guard case .record(let kind, let name) = place, name.allSatisfy(MavenAddress.isPlain),
      !name.allSatisfy(MavenAddress.isUnreserved)
    else { return nil }
    return "\(agent.name)://\(kind.name)/\(String(decoding: name, as: UTF8.self))"
  }
}
