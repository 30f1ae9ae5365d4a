import TestSupport

/// Files as agents write them, without a secret in any.
struct RecordText {
  var random: SeededGenerator

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  mutating func file() -> String {
    switch random.below(5) {
    case 0: decision()
    case 1: milestone()
    case 2: log()
    case 3: identity()
    default: notes()
    }
  }

  private mutating func time() -> String {
    "2026-01-\(10 + random.below(20))T0\(random.below(10)):\(10 + random.below(50)):\(10 + random.below(50)).\(random.digits(6))+00:00"
  }

  private mutating func price() -> String {
    "\(random.below(99_999)).\(random.digits(2))"
  }

  /// A sentence with the random-looking values that real records hold.
  private mutating func sentence() -> String {
    switch random.below(46) {
    case 0: "Bought \(price()) BTC at $\(price()), stop \(price()), target \(price())."
    case 1: "Tx hash: 0x\(random.hex(64)) confirmed in block \(random.digits(8))."
    case 2: "Main account 0x\(random.hex(40)) holds the positions, API wallet 0x\(random.hex(40)) trades."
    case 3: "Committed as \(random.hex(40)) (short \(random.hex(7)))."
    case 4: "Digest sha256:\(random.hex(64)) of the snapshot; the tree is \(random.hex(40))."
    case 5: "Request id \(random.uuid()), session \(random.uuid())."
    case 6: "See https://github.com/example/maven/commit/\(random.hex(40)) and https://etherscan.io/tx/0x\(random.hex(64))."
    case 7: "The private key stays in .env; the transaction hash is 0x\(random.hex(64))."
    case 8: "OAuth token authentication fails: 401 error with the current token, ask for a new token: later."
    case 9: "Removed ANTHROPIC_API_KEY from .env, kept only CLAUDE_CODE_OAUTH_TOKEN: it works now."
    case 10: "Token: SOL, token address: \(random.text(44, of: Alphabet.base58).replacingFirst(with: "4"))"
    case 11: "Withdrew to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT and to bc1q\(random.text(38, of: Alphabet.lower + "0234567"))."
    case 12: "![chart](data:image/png;base64,iVBORw0KGgo\(random.base64(400))==)"
    case 13: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\(random.base64(43)) maven@host"
    case 14: "Public key: \(random.base64(43))= (anyone may have it)."
    case 15: "Database at postgres://moha@localhost:5432/maven, password in ${DB_PASSWORD}."
    case 16: "DATABASE_URL=postgres://moha:${DB_PASSWORD}@localhost:5432/maven"
    case 17: "Connect with postgres://user:password@host/db or redis://:***@host."
    case 18: "password authentication failed for user moha_user: the container has another password."
    case 19: "api_key: ${BINANCE_API_KEY}, api_secret: <your secret>, token: ****************"
    case 20: "Set BINANCE_API_KEY and BINANCE_API_SECRET in the environment; key permissions: read_only_market_data."
    case 21: "The seed phrase is stored in the vault and never written to any file of this repository."
    case 22: "Key levels: support \(price()), resistance \(price()); key insight: momentum_divergence_on_4h."
    case 23: "idempotency_key: \(random.alphanumeric(32))"
    case 24: "integrity: sha512-\(random.base64(86))=="
    case 25: "Order id \(random.digits(12)), client order id x-\(random.alphanumeric(22)), filled \(price())."
    case 26: "Lesson: a deterministic-retry-with-exponential-backoff_v2 beats hand-tuned-timeout-configuration-2026."
    case 27: "Session cookie handling fixed; sessions expire after \(random.below(90)) days. Secret scanning is on."
    case 28: "tokens_used: \(random.digits(6)), token_count: \(random.digits(5)), max_tokens=\(random.digits(4))"
    case 29: "Wallet 0x\(random.hex(40)): +\(price()) USDC, see notes/\(random.hex(12)).md 💎"
    case 30: "Read os.environ[\"HYPERLIQUID_PRIVATE_KEY\"]; secret = config.get_secret(\"hyperliquid\")."
    case 31: "password=getpass.getpass(), token=settings.access_token_provider, secret_path=/run/secrets/maven_database"
    case 32: "Secret: trust the process and never chase green candles; the key is patience and position sizing."
    case 33: "Fencing token \(random.digits(6)), next token: \(random.digits(6)); pwd=/work/maven/scripts/deploy"
    case 34: "Binance API returned order \(random.digits(11)), tx 0x\(random.hex(64)), withdrawal \(random.hex(32))."
    case 35: "Merkle root \(random.hex(64)), previous \(random.hex(64)), content_hash: \(random.hex(64))"
    case 36: "MAC 3a:5f:\(random.hex(2)):\(random.hex(2)):9c:01, host 10.0.\(random.below(200)).7:5432, took 00:12:33:41."
    case 37: "Sources/Records/JSONParser.swift:\(100 + random.below(800)):17: error: cannot find 'x' in scope"
    case 38: "arXiv:2512.24601v1, isbn 978-3-16-148410-0, trace \(random.hex(32))-\(random.hex(16))-01"
    case 39: "Solana wallet \(random.text(44, of: Alphabet.base58).replacingFirst(with: "7")) got \(price()) SOL."
    case 40: "API key rotation is due; the new key was stored under maven/production/exchange-credentials."
    case 41: "Basic authentication works; Bearer authentication needs the internal-service-account-provisioning flow."
    case 42: "Mnemonic: buy the rumor, sell the news. Recovery phrase lives on steel, not here."
    case 43: "Blob \(random.base64(64)) of the chart, cursor=\(random.base64URL(40))"
    case 44: "`curl -H \"Authorization: Bearer $TOKEN\" https://api.example.com/v1/orders?symbol=BTCUSDT&limit=\(random.digits(3))`"
    default: "Risk-adjusted task-tracking of desk-level exposure, disk-backed; masked value: sk-... and AKIA…"
    }
  }

  private mutating func paragraph() -> String {
    (0..<(1 + random.below(5))).map { _ in sentence() }.joined(separator: random.pick([" ", "\n", "\n- "]))
  }

  private mutating func metadata() -> String {
    """
    {
      "tx_hash": "0x\(random.hex(64))",
      "address": "0x\(random.hex(40))",
      "commit": "\(random.hex(40))",
      "price": \(price()),
      "order": {"id": "\(random.uuid())", "token": "USDC", "key": "stop_loss_percentage"},
      "note": "caf\\u00e9 \\"quoted\\" \(sentence().escaped)"
    }
    """
  }

  private mutating func decision() -> String {
    """
    # Decision Record

    **Timestamp:** \(time())
    **Type:** buy
    **Asset:** BTC
    **Risk Level:** low
    **Confidence:** 9\(random.below(9)).0%

    ## Action

    \(paragraph())

    ## Reasoning

    \(paragraph())

    ## Metadata

    ```json
    \(metadata())
    ```

    ---
    *Recorded by Maven*

    """
  }

  private mutating func milestone() -> String {
    "# Milestone: \(sentence())\n\n**Timestamp:** \(time())\n**Category:** trading\n\n## Description\n\n\(paragraph())\n\n---\n"
      + "*Milestone recorded by Maven*\n"
  }

  private mutating func log() -> String {
    (0..<3).map { _ in
      "## [\(time())] GIT_SYNC\n\n\(paragraph())\n\n**Metadata:** {\"commit\": \"\(random.hex(40))\", \"t\": \(random.digits(10))}\n\n---\n\n"
    }.joined()
  }

  private mutating func identity() -> String {
    "{\n  \"name\": \"Maven\",\n  \"wallet\": \(metadata()),\n  \"total_decisions\": \(random.below(500)),\n  \"motto\": \"\(paragraph().escaped)\"\n}"
  }

  private mutating func notes() -> String {
    "# Notes\n\n| asset | price | tx |\n|---|---|---|\n| ETH | \(price()) | 0x\(random.hex(64)) |\n\n\(paragraph())\n\n> \(sentence())\n"
  }
}

extension String {
  fileprivate var escaped: String {
    var output = ""
    for character in self {
      switch character {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      default: output.append(character)
      }
    }
    return output
  }

  /// A first digit that keeps 44 characters of base58 below 2^256, as every address of Solana is.
  fileprivate func replacingFirst(with digit: String) -> String {
    digit + dropFirst()
  }
}
