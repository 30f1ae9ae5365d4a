import Git
import Persistence

extension Examination {
  /// Secrets that HEAD holds, as far as a second and 64 MiB reach; with `--deep` those of all of its history.
  func secrets() async -> [Diagnosis] {
    guard let shared = try? outlook.repository.get() else { return [] }
    do {
      // A handle of its own: the other checks do not wait for it.
      let survey = try SecretSurvey(try Repository(at: shared.workTree ?? shared.gitDirectory))
      let head = try await survey.head(within: isDeep ? .seconds(3_600) : .seconds(1))
      let past = isDeep ? try await survey.history() : nil
      return diagnoses(head, past)
    } catch {
      return [
        Diagnosis(
          area: "secrets", code: "not-looked-through", severity: .warning,
          found: "git was not looked through for secrets: \(Examination.words(error))", hint: "moha-sync doctor --deep")
      ]
    }
  }

  /// How many of each kind are told one by one.
  private static let secretLimit = 10

  private func diagnoses(_ head: SecretSurvey.Look, _ past: SecretSurvey.Look?) -> [Diagnosis] {
    let origins = Dictionary((past?.secrets ?? []).map { ($0.key, $0.commit) }) { first, _ in first }
    let present = head.secrets.map { secret in
      var secret = secret
      secret.commit = secret.commit ?? origins[secret.key] ?? nil
      return secret
    }
    let keys = Set(present.map(\.key))
    let gone = (past?.secrets ?? []).filter { !keys.contains($0.key) }
    var found = list(present, "secret-in-head", "whoever can read the repository, or a clone of it, can read this")
    found += list(gone, "secret-in-history", "it is not in HEAD's files, and every clone still has it")
    if head.leftOut > 0 {
      found.append(
        .info(
          "secrets", "secrets-not-all",
          "\(head.leftOut) of HEAD's \(head.fileCount + head.leftOut) files were not looked at for secrets",
          hint: isDeep ? nil : "moha-sync doctor --deep looks at all of them, and at history"))
    }
    if let past, past.leftOut > 0 {
      found.append(
        .info("secrets", "secrets-unreadable", "\(past.leftOut) versions of files are too large, or not in this clone"))
    }
    if present.isEmpty && gone.isEmpty {
      let reach = past == nil ? "" : ", and none in history"
      found.append(.ok("secrets", "secrets-none", "no secret is in \(head.fileCount) files of HEAD\(reach)"))
    }
    return found
  }

  private func list(_ secrets: [StoredSecret], _ code: String, _ cause: String) -> [Diagnosis] {
    var found = secrets.prefix(Examination.secretLimit).map { secret in
      let since = secret.commit.map { ", since commit \($0.description.prefix(10))" } ?? ""
      let place =
        switch secret.place {
        case .file(let path, let line): "\(path), line \(line)\(since)"
        case .name(let path): "the name \(path)\(since)"
        case .message(let line):
          "the message of commit \(secret.commit.map { String($0.description.prefix(10)) } ?? "?"), line \(line)"
        }
      return Diagnosis(
        area: "secrets", code: code, severity: .warning,
        found: printable("\(place): looks like a secret (\(secret.rule): \(secret.masked))"), cause: cause,
        hint: "rotate the credential first; whether history is rewritten is a person's decision. Rotated, or none: add "
          + "\(secret.fingerprint) to .moha-secrets-allow", status: .refused)
    }
    if secrets.count > found.count {
      found.append(
        Diagnosis(
          area: "secrets", code: code, severity: .warning,
          found: "\(secrets.count - found.count) more look like secrets", cause: cause,
          hint: "deal with these first, then moha-sync doctor again", status: .refused))
    }
    return found
  }
}
