/// Every keyword with its trigger, and the automaton that finds them.
struct TriggerTable: Sendable {
  private let triggers: [Trigger]
  private let lengths: [Int]
  private let automaton: KeywordAutomaton
  private let forms = TokenForm.all
  private let commands = CommandMatcher.commands
  private let named: [[NamedForm]]

  /// Built once: it depends on nothing.
  static let shared = TriggerTable()

  private init() {
    var keywords: [([UInt8], Trigger)] = forms.enumerated().map { (Self.bytes($0.element.anchor), .form($0.offset)) }
    for (words, trigger) in Self.fixed { keywords += words.map { (Array($0.utf8), trigger) } }
    keywords += ExchangeMatcher.names.map { (Self.bytes($0), .exchange) }
    var byName: [[UInt8]: [NamedForm]] = [:]
    for form in NamedForm.all {
      for name in form.names { byName[Self.bytes(name), default: []].append(form) }
    }
    let names = byName.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    named = names.map(\.value)
    keywords += names.enumerated().map { ($0.element.key, .named($0.offset)) }
    for (index, command) in commands.enumerated() {
      keywords += command.names.map { (Self.bytes($0), .command(index)) }
    }
    self.triggers = keywords.map(\.1)
    self.lengths = keywords.map(\.0.count)
    self.automaton = KeywordAutomaton(keywords.map(\.0))
  }

  private static func bytes(_ word: StaticString) -> [UInt8] {
    word.withUTF8Buffer { unsafe $0.map(\.folded) }
  }

  /// All in lower case: the automaton ignores the case, and each matcher looks again where it matters.
  private static let fixed: [([String], Trigger)] = [
    // `{"`, `{ `, `{\n`, `{\r` and `{\t` in base64.
    (["eyj", "eya", "ewo", "ew0", "ewk"], .jsonWebToken),
    (["-----begin ", "---- begin "], .privateKeyBlock),
    (["private-lines:"], .puttyKey),
    (["sg."], .sendGrid),
    (["q~"], .azureClientSecret),
    (["accountkey=", "sharedaccesskey="], .azureAccountKey),
    (["sig="], .azureSignature),
    (
      [
        "hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/",
        "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", "webhook.office.com/webhookb2/",
        "hooks.zapier.com/hooks/catch/", ".tines.com/webhook/", "environment.api.powerplatform.com",
      ], .webhook
    ),
    (["twilio", "account_sid", "accountsid", "account sid"], .twilioAccount),
    ([":"], .telegram),
    (["."], .discord),
    (["://"], .url),
    ([":5432:", ":5433:", ":5434:", ":6432:", ":*:"], .passwordFile),
    (["machine ", "default login "], .netrc),
    (["bearer "], .bearer),
    (["basic "], .basic),
    (["cookie:"], .cookie),
    (["password", "passwd", "passphrase", "passcode", "pwd", "requirepass", "rediscli_auth"], .assignment(.password)),
    (["pass"], .assignment(.pass)),
    (["secret", "credential"], .assignment(.secret)),
    (["token"], .assignment(.token)),
    (["key"], .assignment(.key)),
    (["seed", "_pk", "mnemonic"], .hexKey),
    (
      [
        "seed phrase", "seed_phrase", "seedphrase", "seed words", "mnemonic", "recovery phrase", "recovery_phrase",
        "recoveryphrase", "secret phrase", "secret_phrase", "backup phrase", "seed-phrase", "recovery words",
        "wallet phrase", "seed",
      ], .seedPhrase
    ),
    (["["], .keyArray),
    (["kind: secret", "\"kind\": \"secret\"", "\"kind\":\"secret\"", "kind: \"secret\""], .kubernetesSecret),
  ]

  /// Passes on every candidate of `range`, in the order of their keywords, until `found` returns false.
  ///
  /// In a text whose lines were joined only what is distinctive is looked for.
  ///
  /// - Parameter state: 0 at the beginning of a text, then what the call for the range before left in it.
  /// - Returns: whether the whole of `range` was read.
  func scan(_ text: ByteText, _ range: Range<Int>, state: inout Int, found: (Candidate) -> Bool) -> Bool {
    automaton.scan(text, range, state: &state) { keyword, end in
      let trigger = triggers[keyword]
      if text.isJoined && !isDistinctive(trigger) { return true }
      return candidates(trigger, text, (end - lengths[keyword])..<end).allSatisfy(found)
    }
  }

  /// Is what a trigger finds told from ordinary text by itself, also where a line end was taken out of it?
  private func isDistinctive(_ trigger: Trigger) -> Bool {
    switch trigger {
    case .form(let index): forms[index].isDistinctive
    case .jsonWebToken, .sendGrid, .azureClientSecret, .azureAccountKey, .webhook, .telegram, .discord, .url: true
    default: false
    }
  }

  /// What is found around `keyword`; most keywords are none of a secret's.
  private func candidates(_ trigger: Trigger, _ text: ByteText, _ keyword: Range<Int>) -> [Candidate] {
    let start = keyword.lowerBound
    let end = keyword.upperBound
    switch trigger {
    case .form(let index):
      guard let found = forms[index].match(text, at: start) else { return [] }
      guard found.rule == .awsAccessKeyID else { return [found] }
      return [found] + Self.list(TokenMatchers.awsSecret(text, after: found.range.upperBound))
    case .named(let index): return Self.list(NamedForm.match(text, keyword, named[index]))
    case .jsonWebToken: return Self.list(TokenMatchers.jsonWebToken(text, at: start))
    case .privateKeyBlock: return Self.list(TokenMatchers.privateKeyBlock(text, afterBegin: end))
    case .puttyKey: return Self.list(TokenMatchers.puttyKey(text, afterName: end))
    case .sendGrid: return Self.list(TokenMatchers.sendGridKey(text, at: start))
    case .azureClientSecret: return Self.list(TokenMatchers.azureClientSecret(text, at: start))
    case .azureAccountKey: return Self.list(TokenMatchers.azureAccountKey(text, from: end))
    case .azureSignature: return Self.list(TokenMatchers.azureSignature(text, from: end))
    case .webhook: return Self.list(TokenMatchers.webhook(text, from: end))
    case .twilioAccount: return Self.list(TokenMatchers.twilioAccount(text, after: end))
    case .telegram: return Self.list(TokenMatchers.telegramBotToken(text, colon: start))
    case .discord: return Self.list(TokenMatchers.discordToken(text, dot: start))
    case .url: return Self.list(ConnectionStringMatcher.url(text, scheme: start))
    case .passwordFile: return Self.list(ConnectionStringMatcher.passwordFile(text, port: start))
    case .netrc: return Self.list(ConnectionStringMatcher.netrc(text, from: end))
    case .bearer: return Self.list(HeaderMatchers.bearer(text, from: end))
    case .basic: return Self.list(HeaderMatchers.basic(text, from: end))
    case .cookie: return Self.list(HeaderMatchers.cookie(text, from: end))
    case .assignment(let name): return AssignmentMatcher.match(text, keyword, name)
    case .hexKey:
      let nameEnd = text.end(from: end, limit: 16, where: \.isWord)
      return Self.list(AssignmentMatcher.hexKey(text, lead: start..<end, from: nameEnd))
    case .exchange: return Self.list(ExchangeMatcher.match(text, after: end))
    case .seedPhrase: return Self.list(SeedPhraseMatcher.match(text, after: end))
    case .keyArray: return Self.list(KeyArrayMatcher.match(text, at: start))
    case .command(let index):
      if text[start - 1].isAlphanumeric { return [] }
      return Self.list(CommandMatcher.match(text, from: end, commands[index]))
    case .kubernetesSecret: return Self.list(KubernetesMatcher.match(text, kind: keyword))
    }
  }

  private static func list(_ candidate: Candidate?) -> [Candidate] {
    candidate.map { [$0] } ?? []
  }
}
