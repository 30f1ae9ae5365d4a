internal import Git
internal import Records
internal import SecretScan

/// Keeps secrets out of git: bytes, names and messages pass before an object of them exists.
///
/// A refusal names the place, the rule and the masked value. How to allow a false alarm, with its fingerprint, is in the
/// hint alone, which is for people: see `ErrorOutline`, which tells models that a person can.
struct SecretGate: Sendable {
  /// Fingerprints of what looks like a secret and is none, one a line, at the top of the working tree.
  static let allowListName = ".moha-secrets-allow"

  private let scanner = SecretScanner()
  private let allowList: SecretAllowList

  /// Allows nothing.
  init() {
    allowList = SecretAllowList()
  }

  /// Reads the allow-list of a working tree. Throws `.invalidRequest` naming the line that cannot be read.
  init(workTree: String) throws {
    let file = WorkTreeFile(workTree: workTree, path: GitPath(SecretGate.allowListName))
    guard try file.exists() else {
      allowList = SecretAllowList()
      return
    }
    let text = String(decoding: try file.read(limit: 1 << 20), as: UTF8.self)
    do throws(SecretAllowListError) {
      allowList = try SecretAllowList(parsing: text)
    } catch {
      throw PersistenceError(.invalidRequest, "\(SecretGate.allowListName): \(error.description). Nothing was written")
    }
  }

  /// Throws `.secret` naming place and rule, with the value masked.
  ///
  /// - Parameters:
  ///   - path: the file, or nil for the arguments of a request.
  ///   - old: what the file held before. Secrets that git has already are no news, and a refusal would not help.
  func check(_ bytes: [UInt8], path: GitPath?, against old: [UInt8] = []) throws {
    guard let finding = findings(bytes, against: old).first else { return }
    let place = path.map { "\($0), line \(finding.line)," } ?? "the text, line \(finding.line) of its file,"
    throw refusal(place, finding)
  }

  /// Throws `.secret` where a commit's message holds one.
  func check(message: String) throws {
    guard let finding = findings(Array(message.utf8)).first else { return }
    throw refusal("the commit message, line \(finding.line),", finding)
  }

  /// Throws `.secret` where the path of a file that is to be made gives one away, in whatever form names have.
  func check(name: GitPath) throws {
    guard let finding = findings(inName: name).first else { return }
    throw refusal("the name \(maskedName(name))", finding)
  }

  /// Throws `.secret` where a word that becomes part of a heading or a key holds one, as it is or as a part of a name.
  func check(label: String) throws {
    let bytes = Array(label.utf8)
    guard let finding = findings(bytes).first ?? findings(inName: GitPath(bytes)).first else { return }
    throw refusal("the word for it", finding)
  }

  func findings(_ bytes: [UInt8], against old: [UInt8] = []) -> [SecretFinding] {
    let found = scanner.scan(bytes, allowing: allowList)
    guard !found.isEmpty, !old.isEmpty else { return found }
    let known = Set(scanner.scan(old).map(\.fingerprint))
    return found.filter { !known.contains($0.fingerprint) }
  }

  func findings(inName path: GitPath) -> [SecretFinding] {
    scanner.scan(path: path.bytes, allowing: allowList)
  }

  /// Whether a person has allowed what has this fingerprint.
  func allows(_ fingerprint: String) -> Bool {
    SecretFingerprint(hex: fingerprint).map(allowList.allows) ?? false
  }

  /// The path in words, each part from where a secret begins to its end masked; as it is where there is none.
  func maskedName(_ path: GitPath) -> String {
    let bytes = path.bytes
    var text: [UInt8] = []
    var position = 0
    for finding in scanner.scan(path: bytes) {
      let start = min(max(finding.columns.lowerBound - 1, 0), bytes.count)
      let last = min(max(finding.columns.upperBound - 1, start), bytes.count)
      guard start >= position else { continue }
      text += bytes[position..<start] + Array(finding.masked.utf8)
      // What follows in the same part may be a piece of it.
      position = bytes[last...].firstIndex(of: GitPath.separator) ?? bytes.count
    }
    return RecordPath(text + bytes[position...]).text
  }

  /// A file that a commit leaves out. The line is 0 where it is the name that tells.
  func refused(_ path: GitPath, _ finding: SecretFinding, isName: Bool = false) -> AutomaticCommit.Refused {
    AutomaticCommit.Refused(
      path: maskedName(path), line: isName ? 0 : finding.line, rule: finding.rule.rawValue, masked: finding.masked,
      fingerprint: finding.fingerprint.description)
  }

  private func refusal(_ place: String, _ finding: SecretFinding) -> PersistenceError {
    PersistenceError(
      .secret,
      "\(place) holds what looks like a secret (\(finding.rule.rawValue): \(finding.masked)): nothing of it was committed",
      hint: "take it out; if it is none, add \(finding.fingerprint) to \(SecretGate.allowListName)")
  }
}
