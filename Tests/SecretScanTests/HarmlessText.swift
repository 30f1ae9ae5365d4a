import TestSupport

/// Short texts of every kind that records, code and logs hold, without a secret in any.
struct HarmlessText {
  var random: SeededGenerator

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  mutating func next() -> String {
    let text = (0..<(1 + random.below(3))).map { _ in piece() }.joined(separator: random.pick([" ", "\n", "\n\n", ", ", "\n- "]))
    return random.below(6) == 0 ? "{\"note\": \"" + escaped(text) + "\"}" : text
  }

  mutating func fileName() -> String {
    let folder = ".moha/maven/" + random.pick(["decisions/", "milestones/", "notes/2026/01/", "portfolio/", "session_log/", ""])
    let name =
      switch random.below(10) {
      case 0: "decision_2026\(random.digits(4))_\(random.digits(6))"
      case 1: "milestone_2026\(random.digits(4))_\(random.digits(6))_\(slug())"
      case 2: "snapshot_2026\(random.digits(4))_\(random.digits(6))_\(2 + random.below(8))"
      case 3: "tx_0x\(random.hex(64))"
      case 4: random.uuid()
      case 5: random.hex(40)
      case 6: "password_reset_\(slug())"
      case 7: "\(slug())-\(random.digits(8))T\(random.digits(6))Z"
      case 8: "api_key_rotation_\(random.digits(4))_\(slug())"
      default: "chart-\(random.pick(["btc", "eth"]))-\(random.digits(2))h.\(random.hex(8))"
      }
    return folder + name + random.pick([".md", ".json", ".png", ".csv", ""])
  }

  private mutating func slug() -> String {
    (0..<(2 + random.below(5))).map { _ in random.pick(HarmlessText.common) }.joined(separator: random.pick(["_", "-"]))
  }

  private mutating func words(_ count: Int, of list: [String] = HarmlessText.common) -> String {
    (0..<count).map { _ in random.pick(list) }.joined(separator: " ")
  }

  private mutating func price() -> String { "\(random.below(99_999)).\(random.digits(2))" }
  private mutating func time() -> String { "2026-0\(1 + random.below(9))-1\(random.below(9))T0\(random.below(9)):\(10 + random.below(49)):00Z" }

  private mutating func piece() -> String {
    switch random.below(6) {
    case 0: chain()
    case 1: web()
    case 2: code()
    case 3: log()
    case 4: prose()
    default: data()
    }
  }

  /// Hashes and addresses of chains.
  private mutating func chain() -> String {
    switch random.below(18) {
    case 0: "tx 0x\(random.hex(64)) in block \(random.digits(8))"
    case 1: "wallet 0x\(random.hex(40)) and contract 0x\(random.hex(40).uppercased())"
    case 2: "BTC to bc1q\(random.text(38, of: bech32)) or 1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
    case 3: "SOL to \(random.pick(["4", "7", "9"]))\(random.text(43, of: Alphabet.base58)), signature \(random.text(88, of: Alphabet.base58))"
    case 4: "TRON T\(random.text(33, of: Alphabet.base58)), XRP r\(random.text(32, of: Alphabet.base58))"
    case 5: "cosmos1\(random.text(38, of: bech32)), osmo1\(random.text(38, of: bech32)), inj1\(random.text(38, of: bech32))"
    case 6: "stellar G\(random.text(55, of: Alphabet.upper + "234567"))"
    case 7: "xpub6\(random.text(106, of: Alphabet.base58)) is public"
    case 8: "npub1\(random.text(58, of: bech32)), note1\(random.text(58, of: bech32))"
    case 9: "order \(random.digits(12)), fill \(price()) at \(price()), fee \(price()) USDC"
    case 10: "commit \(random.hex(40)) (was \(random.hex(7)))"
    case 11: "polkadot 1\(random.text(46, of: Alphabet.base58)), addr1q\(random.text(98, of: bech32))"
    case 12: "ipfs://Qm\(random.text(44, of: Alphabet.base58)) and bafy\(random.text(55, of: Alphabet.lower + "234567"))"
    case 13: "merkle root \(random.hex(64)), state \(random.hex(64)), nonce \(random.digits(6))"
    case 14: "[\((0..<64).map { _ in "\(random.below(256))" }.joined(separator: ","))]"
    case 15: "pool 0x\(random.hex(64)) token USDC key stop_loss secret sauce none"
    case 16: "near: \(random.pick(HarmlessText.common)).near, sui 0x\(random.hex(64)), aptos 0x\(random.hex(64))"
    default: "signature 0x\(random.hex(130)), calldata 0x\(random.hex(8))\(random.hex(192))"
    }
  }

  private mutating func web() -> String {
    switch random.below(14) {
    case 0: "https://example.org/a/\(random.pick(HarmlessText.common))?utm_source=mail&utm_id=\(random.digits(10))&gclid=\(random.base64URL(60))"
    case 1: "https://s3.example.com/bucket-\(random.hex(6))/path/to/\(random.uuid()).parquet"
    case 2: "https://github.com/example/maven/commit/\(random.hex(40))#diff-\(random.hex(64))"
    case 3: "https://www.youtube.com/watch?v=\(random.base64URL(11))&list=PL\(random.base64URL(32))"
    case 4: "![chart](data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA\(random.base64(300))==)"
    case 5: "{\"keys\": [{\"kty\": \"RSA\", \"use\": \"sig\", \"kid\": \"\(random.hex(40))\", \"n\": \"\(random.base64URL(342))\", \"e\": \"AQAB\"}]}"
    case 6: "-----BEGIN PUBLIC KEY-----\n\(random.base64(64))\n\(random.base64(64))\n-----END PUBLIC KEY-----"
    case 7: "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ\(random.base64(300)) maven@host"
    case 8: "integrity=\"sha384-\(random.base64(64))\" crossorigin"
    case 9: "ETag: W/\"\(random.hex(32))\", X-Request-Id: \(random.uuid()), trace \(random.hex(32))-\(random.hex(16))-01"
    case 10: "https://hooks.example.org/services/\(random.pick(HarmlessText.common))/\(random.digits(6))"
    case 11: "cursor=\(random.base64URL(40)), page_token_count=3, next page 4"
    case 12: "http://127.0.0.1:\(random.digits(4))/status, postgres://moha@localhost:5432/maven, redis://cache:6379/0"
    default: "-----BEGIN CERTIFICATE-----\n\((0..<4).map { _ in random.base64(64) }.joined(separator: "\n"))\n-----END CERTIFICATE-----"
    }
  }

  private mutating func code() -> String {
    switch random.below(16) {
    case 0: "func authenticate(token: String, secretName: String) throws -> Session { try login(token) }"
    case 1: "const key=e=>e.id,token=t.map(n=>n.key),secret=void 0;function pass(e,t){return e.password===t.password}"
    case 2: "if password == nil || password.isEmpty { throw LoginError.missingPassword }"
    case 3: "let accessToken = try await provider.accessToken(for: account, refreshing: true)"
    case 4: "API_KEY=${\(random.pick(HarmlessText.common).uppercased())_API_KEY} ./run --token-file /run/secrets/token"
    case 5: "password_hash = hashlib.sha256(password.encode()).hexdigest()  # \(random.hex(64))"
    case 6: "curl -sS -u \"$USER:$TOKEN\" https://example.org/v1/\(random.pick(HarmlessText.common))"
    case 7: "docker login -u moha --password-stdin <token.txt && mysql -p maven <dump.sql"
    case 8: "secrets:\n  db_password:\n    file: ./\(random.pick(HarmlessText.common))_password.txt\n  api_key:\n    external: true"
    case 9: "openssl rand -hex 32 >~/.token; openssl pkcs12 -passin env:KEYPASS -in a.pfx"
    case 10: "#define \(random.pick(HarmlessText.common).uppercased())_KEY_LENGTH \(random.digits(2)) /* ptr_\(random.pick(HarmlessText.common)) */"
    case 11: "\(random.pick(HarmlessText.common))_\(random.pick(HarmlessText.common))_\(random.pick(HarmlessText.common))_key_value_store_v\(random.digits(1))"
    case 12: "var a=[\((0..<20).map { _ in random.digits(3) }.joined(separator: ","))],b={key:\"\(random.pick(HarmlessText.common))\"}"
    case 13: "Sources/\(random.pick(HarmlessText.common))/Parser.swift:\(random.digits(3)):17: error: cannot find 'x' in scope"
    case 14: "export PATH=$PATH:/opt/\(random.pick(HarmlessText.common))/bin LANG=C.UTF-8 PGPASSFILE=/home/moha/.pgpass"
    default: "test_\(random.pick(HarmlessText.common))_live_\(random.pick(HarmlessText.common)) sk_buff sk-learn hf_model key-value pat_match"
    }
  }

  private mutating func log() -> String {
    switch random.below(12) {
    case 0: "\(time()) INFO [worker-\(random.digits(2))] request \(random.uuid()) took \(random.digits(3)) ms"
    case 1: "\(time()) WARN token bucket empty, tokens_used=\(random.digits(5)), key=\(random.pick(HarmlessText.common))"
    case 2: "password authentication failed for user \"\(random.pick(HarmlessText.common))\""
    case 3: "pid \(random.digits(5)) mem 0x\(random.hex(12)) rip 0x\(random.hex(16)) rsp 0x\(random.hex(16))"
    case 4: "\(random.digits(10)):\(random.digits(6)):\(random.digits(3)) 10.0.\(random.below(250)).\(random.below(250)):\(random.digits(4))"
    case 5: "rotated API key of \(random.pick(HarmlessText.common)); secret stored in vault, token revoked"
    case 6: "container \(random.hex(64)) image sha256:\(random.hex(64))"
    case 7: "MAC \((0..<6).map { _ in random.hex(2) }.joined(separator: ":")), ipv6 2001:db8:\(random.hex(4)):\(random.hex(4))::1"
    case 8: "SHA256:\(random.base64(43)) (ED25519), MD5:\((0..<16).map { _ in random.hex(2) }.joined(separator: ":"))"
    case 9: "Bearer authentication required, Basic authentication disabled, cookie policy: strict"
    case 10: "deploy \(random.pick(HarmlessText.common))-\(random.hex(10))-\(random.text(5, of: Alphabet.lower + Alphabet.digits)) ready 1/1"
    default: "GET /v1/keys/\(random.uuid())/public 200 \(random.digits(3)) \"Mozilla/5.0 (X11; Linux x86_64)\""
    }
  }

  private mutating func prose() -> String {
    switch random.below(14) {
    case 0: words(12 + random.below(20))
    case 1: words(12)
    case 2: "The key is patience, the secret is sizing, and the password policy has \(random.digits(2)) rules. \(words(8))"
    case 3: "Donaudampfschifffahrtsgesellschaftskapitän Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz \(words(4))"
    case 4: "epäjärjestelmällistyttämättömyydellänsäkäänköhän lentokonesuihkuturbiinimoottoriapumekaanikkoaliupseerioppilas"
    case 5: "密钥轮换已完成：新的密钥保存在保险库中，不在仓库里。价格 \(price())，时间 \(time())。"
    case 6: "パスワードは変更済みです。トークン：なし。残高は\(price())ドル。"
    case 7: "Пароль изменён, ключ хранится отдельно; цена \(price()) — выше вчерашней."
    case 8: "well-known up-to-the-minute state-of-the-art risk-adjusted task-tracking of desk-level exposure"
    case 9: "“Smart quotes” — an em dash… and a non-breaking\u{A0}space; café, naïve, 💎🙌 \(price()) €"
    case 10: "Token: USDC. Secret: none. Pass: 12 of 14 checks. Key levels: \(price()) and \(price())."
    case 11: "Seed phrase handling: the words are on steel. Recovery phrase and mnemonic never leave the vault."
    case 12: "| asset | price | change |\n|---|---|---|\n| BTC | \(price()) | +\(random.digits(1)).\(random.digits(2))% |\n| ETH | \(price()) | -0.3% |"
    default: "1. \(random.pick(HarmlessText.common))\n2. \(random.pick(HarmlessText.common))\n3. \(random.pick(HarmlessText.common))\n"
    }
  }

  private mutating func data() -> String {
    switch random.below(12) {
    case 0: "{\"id\": \"\(random.uuid())\", \"price\": \(price()), \"key\": \"stop_loss\", \"token\": \"SOL\", \"secret\": false}"
    case 1: "{\"tx_hash\": \"0x\(random.hex(64))\", \"address\": \"0x\(random.hex(40))\", \"public_key\": \"\(random.hex(64))\"}"
    case 2: "{\"password\": null, \"api_key\": \"\", \"token\": \"***\", \"client_secret\": \"<redacted>\", \"pass\": true}"
    case 3: "{\"idempotency_key\": \"\(random.alphanumeric(32))\", \"cursor\": \"\(random.base64(48))\"}"
    case 4: "\(random.base64(200))"
    case 5: "\(random.hex(256))"
    case 6: (0..<8).map { _ in random.hex(64) }.joined(separator: "\n")
    case 7: (0..<5).map { _ in "\(time()),\(price()),\(price()),\(random.digits(6))" }.joined(separator: "\n")
    case 8: (0..<6).map { _ in random.base64(76) }.joined(separator: "\n")
    case 9: "version \(random.digits(1)).\(random.digits(2)).\(random.digits(1))-rc.\(random.digits(1))+build.\(random.hex(8))"
    case 10: "arn:aws:iam::\(random.digits(12)):role/\(random.pick(HarmlessText.common)), projects/\(random.pick(HarmlessText.common))/locations/eu"
    default: "\(random.alphanumeric(8))-\(random.alphanumeric(12)) \(random.digits(16)) \(random.base64URL(22))"
    }
  }

  private let bech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

  private func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  /// The commonest words, with those that secrets are named by.
  private static let common = [
    "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state", "family",
    "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company", "system", "program",
    "question", "work", "government", "number", "night", "point", "home", "water", "room", "mother", "area", "money", "story",
    "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue", "side", "kind", "head", "house",
    "service", "friend", "father", "power", "hour", "game", "line", "end", "member", "law", "car", "city", "community", "name",
    "market", "price", "order", "trade", "position", "balance", "support", "resistance", "momentum", "the", "and", "with",
    "from", "that", "this", "have", "must", "when", "then", "than", "what", "will", "would", "there", "their", "about", "which",
    "token", "key", "secret", "access", "session", "wallet", "account", "exchange", "private", "public", "password", "review",
  ]
}
