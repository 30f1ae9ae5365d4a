internal import Git
internal import Records
internal import SecretScan

/// Keeps secrets out of git: bytes pass before a blob of them exists.
struct SecretGate: Sendable {
  /// Fingerprints of what looks like a secret and is none, one a line, at the top of the working tree.
  static let allowListName = ".moha-secrets-allow"

  private let scanner = SecretScanner()
  private let allowList: SecretAllowList

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
    let place = path.map { "\($0), line \(finding.line)" } ?? "the text, line \(finding.line) of its file,"
    throw PersistenceError(
      .secret,
      "\(place) holds what looks like a secret (\(finding.rule.rawValue): \(finding.masked)): nothing of it was committed",
      hint: "take it out; if it is none, add \(finding.fingerprint) to \(SecretGate.allowListName)")
  }

  func findings(_ bytes: [UInt8], against old: [UInt8] = []) -> [SecretFinding] {
    let found = scanner.scan(bytes, allowing: allowList)
    guard !found.isEmpty, !old.isEmpty else { return found }
    let known = Set(scanner.scan(old).map(\.fingerprint))
    return found.filter { !known.contains($0.fingerprint) }
  }
}
