import Records

/// Reads every generated file back, as proof that the tree holds what its numbers say.
struct TreeCheck {
  let tree: RecordTree

  /// Something that does not read back as it was made.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// The number of bytes of all files.
  ///
  /// - Throws: `Failure` at the first file with a finding, with another record than it was made of, or with a name
  ///   that is not above the one before it, so that no two are equal.
  func run() throws -> Int {
    var bytes = 0
    var previous: RecordPath?
    try tree.forEachFile { path, content, decision in
      bytes += content.count
      if let decision {
        try check(path, content, decision)
        if let previous, previous >= path { throw Failure(description: "\(path) comes after \(previous)") }
        previous = path
      } else {
        try check(path, content)
      }
    }
    return bytes
  }

  private func check(_ path: RecordPath, _ content: [UInt8], _ decision: Decision) throws {
    guard TreeLayout.role(of: path, agent: .default) == .decision else {
      throw Failure(description: "\(path) is no place for a decision")
    }
    let file = RecordFile.decode(content, role: .decision, path: path)
    if let finding = file.diagnostics.first { throw Failure(description: "\(finding)") }
    guard file.record == .decision(decision) else {
      throw Failure(description: "\(path) reads back as another record than it was made of")
    }
  }

  private func check(_ path: RecordPath, _ content: [UInt8]) throws {
    switch TreeLayout.role(of: path, agent: .default) {
    case .identity:
      let identity = IdentityFile.parse(content, path: path)
      if let finding = identity.diagnostics.first { throw Failure(description: "\(finding)") }
      guard identity.totalDecisions == tree.decisions else { throw Failure(description: "\(path) counts otherwise") }
    case .sessionLog:
      let log = SessionLog.parse(content, path: path)
      if let finding = log.diagnostics.first { throw Failure(description: "\(finding)") }
      guard log.distinctEntries.count == tree.events else {
        throw Failure(description: "\(path) holds \(log.distinctEntries.count) events instead of \(tree.events)")
      }
    default: throw Failure(description: "\(path) is no file of an agent")
    }
  }
}
