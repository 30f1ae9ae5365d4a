/// Values beside a name that says what they are.
enum AssignmentMatcher {
  /// What the keyword alone says of the value.
  enum Name {
    /// `password`, `passphrase`: what follows need not be long to be one.
    case password
    /// `pass`, a password's name only as a whole word: `DB_PASS=…`.
    case pass
    /// `secret`, `credential`.
    case secret
    /// `token`, which also names coins, pages and counts.
    case token
    /// `key`, which is a secret's name only with another word before it.
    case key
  }

  static func match(_ text: ByteText, _ keyword: Range<Int>, _ name: Name) -> [Candidate] {
    // The name with the words before it, on its line: `Kraken API key`, `AWS_SECRET_ACCESS_KEY`.
    let lead = text.start(before: keyword.lowerBound, limit: 32) { $0 != 0x0A }..<keyword.upperBound
    let nameStart = text.start(before: keyword.lowerBound, limit: 40, where: \.isBase64URL)
    let nameEnd = text.end(from: keyword.upperBound, limit: 24, where: \.isWord)
    if name == .pass && (nameEnd > keyword.upperBound || text[keyword.lowerBound - 1].isLower) { return [] }
    if name == .key && !isSecretKey(text, lead, suffix: keyword.upperBound..<nameEnd) { return [] }
    if text.contains(anyOf: publicNames, in: (keyword.lowerBound - 12)..<nameEnd) { return [] }
    if name != .key, nameEnd > keyword.upperBound, namesSomethingElse(text, keyword.upperBound..<nameEnd) { return [] }
    var found: [Candidate] = []
    if name != .token, let key = hexKey(text, lead: lead, from: nameEnd) { found.append(key) }
    guard let assigned = AssignedValue(text, after: nameEnd) else { return found }
    // `API key rotation, digest: …`: another name came between.
    if !assigned.isDirect && text.contains(anyOf: otherNames, in: nameEnd..<assigned.range.lowerBound) {
      return found
    }
    let value = text[assigned.range]
    let isNamedSecret = name != .token || text.contains(anyOf: tokenNames, in: nameStart..<nameEnd)
    if SecretShape.looksRandom(value, isNamedSecret: isNamedSecret) {
      found.append(Candidate(rule(text, lead.lowerBound..<nameEnd, value), assigned.range, value: value))
    } else if isPassword(text, value, assigned, name: nameStart..<nameEnd, kind: name) {
      found.append(Candidate(.assignedPassword, assigned.range, value: value))
    }
    return found
  }

  /// Is `key` part of a name of a secret?
  private static func isSecretKey(_ text: ByteText, _ lead: Range<Int>, suffix: Range<Int>) -> Bool {
    let isWhole = suffix.isEmpty || text.contains(anyOf: keySuffixes, in: suffix)
    let near = max(lead.lowerBound, lead.upperBound - 16)..<lead.upperBound
    return isWhole && suffix.count <= 8
      && (text.contains(anyOf: keyNames, in: near) || text.contains(anyOf: ExchangeMatcher.nameSet, in: lead))
  }

  private static let keySuffixes: WordSet = ["s", "value", "_", "2"]
  private static let keyNames: WordSet = [
    "api", "access", "secret", "private", "priv", "auth", "master", "encryption", "signing", "signer", "wallet",
    "session", "deploy", "service", "account", "admin", "agent_key", "trading",
  ]
  private static let tokenNames: WordSet = [
    "access", "auth", "api", "refresh", "bearer", "bot", "session", "secret",
  ]
  private static let otherNames = publicNames + hashNames
  private static let publicNames: WordSet = ["public", "pubkey", "idempotency", "primary key", "foreign key"]

  /// Is the value about the secret, not the secret: `token_count`, `secret_name`, `passwordHash`?
  private static func namesSomethingElse(_ text: ByteText, _ suffix: Range<Int>) -> Bool {
    text.contains(anyOf: aspects, in: suffix)
  }

  private static let aspects: WordSet = [
    "id", "hash", "name", "count", "address", "path", "file", "type", "url", "uri", "symbol", "pair", "limit", "usage",
    "used", "manager", "ttl", "expir", "length", "mint", "price", "supply", "version", "scope", "digest",
  ]

  private static func rule(_ text: ByteText, _ name: Range<Int>, _ value: [UInt8]) -> SecretRule {
    if value.count == 40, text.contains("aws", in: name) || text.contains("secret_access", in: name)
      || text.contains("secretaccess", in: name)
    {
      return .awsSecretAccessKey
    }
    return text.contains(anyOf: ExchangeMatcher.nameSet, in: name) ? .exchangeKey : .assignedSecret
  }

  /// A 32-byte key in hexadecimal within 48 bytes after a name that says private key, secret or seed.
  ///
  /// Hashes of transactions, blocks and files have the same form: a word that says so between name and value, or the
  /// end of a sentence, separates them.
  static func hexKey(_ text: ByteText, lead: Range<Int>, from nameEnd: Int) -> Candidate? {
    guard text.contains(anyOf: hexKeyNames, in: max(lead.lowerBound, nameEnd - 32)..<nameEnd) else { return nil }
    var offset = nameEnd
    while offset < nameEnd + 48 {
      if text[offset] == UInt8(ascii: ";") || text[offset] == UInt8(ascii: "/") { return nil }
      if text[offset] == UInt8(ascii: "."), text[offset + 1].isSpace { return nil }
      if text[offset] == 0x0A, beginsBlock(text, at: offset + 1) { return nil }
      if text[offset].isHexadecimal, text.isTokenStart(offset) || text[offset - 1] | 0x20 == UInt8(ascii: "x") {
        let end = text.end(from: offset, limit: 65, where: \.isHexadecimal)
        if end - offset == 64, !text[end].isAlphanumeric {
          if text.contains(anyOf: hashNames, in: nameEnd..<offset) || !isGiven(text, offset, from: nameEnd) { return nil }
          let value = text[offset..<end].map(\.folded)
          guard Randomness.distinctCount(value) >= 4 else { return nil }
          let isPrefixed = text[offset - 1] | 0x20 == UInt8(ascii: "x") && text[offset - 2] == UInt8(ascii: "0")
          return Candidate(.hexPrivateKey, (isPrefixed ? offset - 2 : offset)..<end, value: value)
        }
        offset = max(end, offset + 1)
      } else {
        offset += 1
      }
    }
    return nil
  }

  /// Is the value at `start` given to the name before it: by a sign or `is` where other words stand between?
  private static func isGiven(_ text: ByteText, _ start: Int, from nameEnd: Int) -> Bool {
    var end = text.has("0x", at: start - 2) || text.has("0X", at: start - 2) ? start - 2 : start
    guard (nameEnd..<end).contains(where: { text[$0].isLetter }) else { return true }
    end = text.start(before: end, limit: 8) { $0.isSpace || $0.isQuote || $0 == UInt8(ascii: "*") }
    let sign = text[end - 1]
    let isSign =
      sign == UInt8(ascii: ":") || sign == UInt8(ascii: "=") || sign == UInt8(ascii: "|") || sign == UInt8(ascii: "(")
      || sign == UInt8(ascii: ">") || sign == UInt8(ascii: "-")
    return isSign || text[end].isQuote || text.has(" is", at: end - 3) || text.has(" was", at: end - 4)
  }

  /// Does another item of a list, a heading, a row or a paragraph begin here, with words of its own?
  private static func beginsBlock(_ text: ByteText, at start: Int) -> Bool {
    let first = text.end(from: start, limit: 8, where: \.isSpace)
    let isBlock =
      [UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "#"), UInt8(ascii: "|")].contains(text[first])
      || text[start] == 0x0A
    let word = text.end(from: first, limit: 8) { !$0.isAlphanumeric && $0 != 0x0A }
    let isValue = text.has("0x", at: word) || text.end(from: word, limit: 32, where: \.isHexadecimal) == word + 32
    return isBlock && text[word].isLetter && !isValue
  }

  private static let hexKeyNames: WordSet = [
    "private", "priv", "secret", "seed", "wallet", "signer", "signing", "deploy", "mnemonic", "master", "_pk", "agent",
    "trading", "hyperliquid",
  ]
  private static let hashNames: WordSet = [
    "hash", "tx", "transaction", "digest", "sha", "commit", "block", "checksum", "order", "public", "fingerprint",
    "merkle", "root", "address",
  ]

  /// Is the value a password: not a word of a sentence, not a reference to where the password is?
  private static func isPassword(
    _ text: ByteText, _ value: [UInt8], _ assigned: AssignedValue, name: Range<Int>, kind: Name
  ) -> Bool {
    guard value.count >= 4, !SecretShape.isPlaceholder(value), !SecretShape.isNamedDigest(value) else { return false }
    guard !SecretShape.isUUID(value), !SecretShape.holdsScheme(value), !isReference(value) else { return false }
    guard assigned.isDirect || kind == .secret || assigned.isQuoted else { return false }
    let hasDigit = value.contains(where: \.isDigit)
    let hasLetter = value.contains(where: \.isLetter)
    let hasSymbol = value.contains { $0.isGraphic && !$0.isBase64URL && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "/") }
    // `DB_PASSWORD=…` in capitals is a line of an .env file or of a command.
    let isVariable = assigned.isShell && text[name].allSatisfy { !$0.isLower }
    switch kind {
    case .password, .pass:
      if isVariable || isOfConnection(text, name) { return true }
      if assigned.isQuoted || assigned.isShell {
        let isMixed = value.contains(where: \.isUpper) && value.contains(where: \.isLower)
        return value.count >= 6 && hasLetter
          && (hasDigit || hasSymbol || (kind == .password && value.count >= 8 && isMixed && !Randomness.isWordLike(value)))
      }
      return value.count >= 6 && hasLetter && hasDigit
    case .secret:
      guard value.count >= 8, hasLetter, hasDigit else { return false }
      return isVariable || (value.count >= 12 && assigned.isQuoted && !Randomness.isWordLike(value))
    case .token, .key: return false
    }
  }

  /// Is it code that fetches the value, or a path: `os.environ[…]`, `config.get(…)`, `/run/secrets/db`?
  private static func isReference(_ value: [UInt8]) -> Bool {
    if value.contains(UInt8(ascii: "(")) || value.contains(UInt8(ascii: "[")) { return true }
    if value.starts(with: Array("/".utf8)) || value.starts(with: Array("~/".utf8)) || value.starts(with: Array("./".utf8)) {
      return true
    }
    let isName = value.allSatisfy { $0.isWord || $0 == UInt8(ascii: ".") }
    return isName && value.contains(UInt8(ascii: ".")) && Randomness.isWordLike(value)
  }

  /// Are there other parts of a libpq or ADO connection string within 128 bytes on the same line?
  private static func isOfConnection(_ text: ByteText, _ name: Range<Int>) -> Bool {
    guard text[text.end(from: name.upperBound, limit: 2, where: \.isBlank)] == UInt8(ascii: "=") else { return false }
    let lineStart = text.start(before: name.lowerBound, limit: 128) { $0 != 0x0A }
    let lineEnd = text.end(from: name.upperBound, limit: 128) { $0 != 0x0A }
    return text.contains(anyOf: connectionParts, in: lineStart..<lineEnd)
  }

  private static let connectionParts: WordSet = [
    "host=", "user=", "dbname=", "server=", "uid=", "user id=", "hostaddr=", "data source=",
  ]
}
