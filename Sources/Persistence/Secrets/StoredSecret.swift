package import Git
internal import Records
internal import SecretScan

/// A secret that git holds already, in words that do not give it away.
package struct StoredSecret: Hashable, Sendable {
  package enum Place: Hashable, Sendable {
    /// A file by its path, in which what is a secret itself is masked, and the line, from 1.
    case file(String, line: Int)
    /// A file whose name is, or holds, the secret; masked.
    case name(String)
    /// A line of a commit's message, from 1.
    case message(line: Int)
  }

  package let place: Place
  package let rule: String
  package let masked: String
  package let fingerprint: String
  /// The commit that brought it; nil where that was not looked for.
  package var commit: ObjectID?

  init(_ finding: SecretFinding, _ place: Place, commit: ObjectID?) {
    self.place = place
    rule = finding.rule.rawValue
    masked = finding.masked
    fingerprint = finding.fingerprint.description
    self.commit = commit
  }

  /// Says of two findings that they are the same secret in the same file, on whatever line.
  package struct Key: Hashable, Sendable {
    private let path: String?
    private let isName: Bool
    private let fingerprint: String

    fileprivate init(_ secret: StoredSecret) {
      (path, isName) =
        switch secret.place {
        case .file(let path, _): (path, false)
        case .name(let path): (path, true)
        case .message: (nil, false)
        }
      fingerprint = secret.fingerprint
    }
  }

  package var key: Key { Key(self) }
}

extension StoredSecret {
  /// Nil for what is no finding.
  init?(json: JSONValue) {
    guard let rule = json["rule"]?.text, let masked = json["masked"]?.text,
      let fingerprint = json["fingerprint"]?.text, let line = json["line"]?.integer
    else { return nil }
    if let path = json["path"]?.text {
      place = line == 0 ? .name(path) : .file(path, line: line)
    } else {
      place = .message(line: line)
    }
    (self.rule, self.masked, self.fingerprint) = (rule, masked, fingerprint)
    commit = json["commit"]?.text.flatMap { ObjectID(hex: $0) }
  }

  var json: JSONValue {
    let (path, line): (String?, Int) =
      switch place {
      case .file(let path, let line): (path, line)
      case .name(let path): (path, 0)
      case .message(let line): (nil, line)
      }
    return Report.object([
      "path": Report.string(path), "line": .integer(line), "rule": .string(rule), "masked": .string(masked),
      "fingerprint": .string(fingerprint), "commit": Report.string(commit?.description),
    ])
  }
}
