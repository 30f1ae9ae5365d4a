import SecretScan
import TestSupport

/// A secret that nobody owns, made when a test runs: the parts below are no token of any issuer, so that no other
/// scanner stops over this file.
struct PlantedSecret {
  /// The rules of which one must find it.
  let rules: Set<SecretRule>
  /// The text to plant, with the context that it needs.
  let text: String

  init(_ rules: Set<SecretRule>, _ text: String) {
    self.rules = rules
    self.text = text
  }

  static func all(_ random: inout SeededGenerator) -> [PlantedSecret] {
    tokens(&random) + keys(&random) + connections(&random) + assignments(&random)
  }

  private static func tokens(_ random: inout SeededGenerator) -> [PlantedSecret] {
    func of(_ rule: SecretRule, _ parts: String...) -> PlantedSecret { PlantedSecret([rule], parts.joined()) }
    var list = [
      of(.jsonWebToken, "eyJ", "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", ".", random.base64URL(60), ".", random.base64URL(43)),
      // `{ "alg": …`, as some libraries write the header.
      of(.jsonWebToken, "eyA", "iYWxnIjogIkVTMjU2IiB9", ".", random.base64URL(200), ".", random.base64URL(86)),
      of(.awsAccessKeyID, "AK", "IA", random.text(16, of: Alphabet.upper + "234567")),
      of(.awsAccessKeyID, "AS", "IA", random.text(16, of: Alphabet.upper + Alphabet.digits)),
      of(.googleAPIKey, "AI", "za", "Sy", random.base64URL(33)),
      of(.googleOAuth, "ya", "29.", "a0", random.base64URL(120)),
      of(.googleOAuth, "GOC", "SPX-", random.base64URL(28)),
      of(.githubToken, "github", "_pat_", random.alphanumeric(22), "_", random.alphanumeric(59)),
      of(.gitlabToken, "gl", "pat-", random.base64URL(19) + "x"),
      of(.slackToken, "xo", "xb-", random.digits(12), "-", random.digits(13), "-", random.alphanumeric(24)),
      of(.slackToken, "xo", "xp-", random.digits(12), "-", random.digits(12), "-", random.hex(32)),
      of(.slackToken, "xa", "pp-1-A", random.digits(10), "-", random.digits(13), "-", random.hex(64)),
      of(.webhookURL, "https://hooks.", "slack.com/services/T", random.alphanumeric(10), "/B", random.alphanumeric(10), "/",
        random.alphanumeric(24)),
      of(.webhookURL, "https://disc", "ord.com/api/webhooks/", random.digits(18), "/", random.base64URL(68)),
      of(.stripeKey, "sk", "_live_", random.alphanumeric(24)),
      of(.stripeKey, "rk", "_live_", random.alphanumeric(99)),
      of(.stripeTestKey, "sk", "_test_", random.alphanumeric(24)),
      of(.anthropicKey, "sk", "-ant-", "api03-", random.base64URL(93), "AA"),
      of(.openAIKey, "sk", "-proj-", random.base64URL(120)),
      of(.openAIKey, "sk", "-", random.alphanumeric(20), "T3Blbk", "FJ", random.alphanumeric(20)),
      of(.openAIKey, "sk", "-or-v1-", random.hex(64)),
      of(.telegramBotToken, "7", random.digits(9), ":", "AA", random.base64URL(33)),
      of(.telegramBotToken, random.digits(8), ":", random.alphanumeric(35)),
      of(.discordToken, "MT", random.alphanumeric(24), ".", "G", random.base64URL(5), ".", random.base64URL(38)),
      of(.npmToken, "np", "m_", random.alphanumeric(36)),
      of(.pypiToken, "py", "pi-", "AgEIcHlwaS5vcmc", random.base64URL(120)),
      of(.sendGridKey, "S", "G.", random.base64URL(22), ".", random.base64URL(43)),
      of(.twilioKey, "S", "K", random.hex(32)),
      of(.twilioKey, "TWILIO_ACCOUNT_SID=A", "C", random.hex(32)),
      of(.vendorToken, "h", "f_", random.alphanumeric(34)),
      of(.vendorToken, "dop", "_v1_", random.hex(64)),
      of(.vendorToken, "hv", "s.", random.alphanumeric(24)),
      of(.ageSecretKey, "AGE-SECRET", "-KEY-1", random.text(58, of: "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")),
      of(.azureClientSecret, random.alphanumeric(3), "8", "Q~", random.alphanumeric(34)),
    ]
    for kind in ["p", "o", "u", "s", "r"] { list.append(of(.githubToken, "gh", kind, "_", random.alphanumeric(36))) }
    return list
  }

  private static func keys(_ random: inout SeededGenerator) -> [PlantedSecret] {
    func pem(_ label: String, _ lineEnd: String) -> String {
      let lines = (0..<8).map { _ in random.base64(64) } + [random.base64(42) + "=="]
      return "-----BEG" + "IN \(label)-----" + lineEnd + lines.joined(separator: lineEnd) + lineEnd + "-----END \(label)-----"
    }
    var list = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"].map {
      PlantedSecret([.privateKeyBlock], pem($0, "\n"))
    }
    list += [
      PlantedSecret([.privateKeyBlock], pem("RSA PRIVATE KEY", "\\n")),
      PlantedSecret([.privateKeyBlock], pem("PGP PRIVATE KEY BLOCK", "\n")),
      PlantedSecret([.googleServiceAccountKey], #""private_key": ""# + pem("PRIVATE KEY", "\\n") + #"\n""#),
    ]
    for name in [
      "private key: 0x", "PRIVATE_KEY=", "\"privateKey\": \"0x", "secret key is 0x", "wallet seed: ", "HL_PRIVATE_KEY=0x",
      "Private key for the trading wallet: `0x", "**Private Key:** 0x", "seed (hex): 0x",
    ] { list.append(PlantedSecret([.hexPrivateKey], name + random.hex(64))) }
    for (name, count) in [
      ("seed phrase: ", 12), ("mnemonic = ", 24), ("\"mnemonic\": \"", 15), ("Recovery phrase is ", 18),
      ("**Seed phrase:** ", 21), ("seed_phrase: ", 12), ("MNEMONIC=\"", 12),
    ] { list.append(PlantedSecret([.seedPhrase], name + random.words(count))) }
    let numbered = random.words(12).split(separator: " ").enumerated().map { "\($0.offset + 1). \($0.element)" }
    list.append(PlantedSecret([.seedPhrase], "Recovery phrase:\n" + numbered.joined(separator: "\n")))
    let array = random.words(24).split(separator: " ").map { "\"\($0)\"" }.joined(separator: ", ")
    list.append(PlantedSecret([.seedPhrase], "\"mnemonic\": [" + array + "]"))
    return list
  }

  private static func connections(_ random: inout SeededGenerator) -> [PlantedSecret] {
    var list: [PlantedSecret] = []
    for (head, tail) in [
      ("postgres://moha:", "@localhost:5432/maven"), ("postgresql://moha:", "@db.internal/maven?sslmode=require"),
      ("redis://:", "@127.0.0.1:6379/0"), ("rediss://default:", "@cache:6380"), ("mysql://root:", "@10.0.0.7/app"),
      ("mongodb+srv://app:", "@cluster0.mongodb.example"), ("amqp://guest:", "@mq:5672/"),
      ("https://deploy:", "@git.internal/app.git"), ("socks5://user:", "@proxy:1080"),
      ("host=db port=5432 user=moha password=", " dbname=maven"), ("Server=db;User Id=sa;Password=", ";Encrypt=True"),
      ("postgres://maven:p@", "@db/maven"), ("jdbc:postgresql://db/maven?user=moha&password=", "&ssl=true"),
    ] {
      for password in [random.alphanumeric(16), "hunter2", random.alphanumeric(6) + "%40" + random.alphanumeric(4)] {
        list.append(PlantedSecret([.connectionString, .assignedPassword], head + password + tail))
      }
    }
    list += [
      PlantedSecret([.netrcPassword], "machine git.internal login deploy password " + random.alphanumeric(12)),
      PlantedSecret([.netrcPassword], "machine git.internal\n  login deploy\n  password " + random.alphanumeric(12)),
      PlantedSecret([.connectionString], "\nlocalhost:5432:maven:moha:" + random.alphanumeric(10) + "\n"),
      PlantedSecret([.connectionString], "\n*:*:*:moha:" + random.alphanumeric(10) + "\n"),
      PlantedSecret(
        [.azureConnectionString],
        "DefaultEndpointsProtocol=https;AccountName=mohablobs;Account" + "Key=" + random.base64(86) + "=="),
      PlantedSecret(
        [.azureSharedAccessSignature],
        "https://mohablobs.example/c/f?sv=2022-11-02&se=2026-01-01T00%3A00%3A00Z&sr=b&sp=r&s" + "ig="
          + random.alphanumeric(40) + "%2B" + random.alphanumeric(2) + "%3D"),
      PlantedSecret([.authorizationHeader], "Authorization: Bea" + "rer " + random.base64URL(40)),
      PlantedSecret([.authorizationHeader], "-H 'Authorization: Bea" + "rer " + random.hex(40) + "'"),
      // `user:` and three random letters, in base64.
      PlantedSecret([.authorizationHeader], "Authorization: Ba" + "sic dXNlcjpz" + "M2NyM3Q="),
      PlantedSecret([.sessionCookie], "Cookie: theme=dark; sessionid=" + random.alphanumeric(32)),
    ]
    return list
  }

  private static func assignments(_ random: inout SeededGenerator) -> [PlantedSecret] {
    var list = [
      PlantedSecret([.awsSecretAccessKey], "aws_secret_access_key = " + random.base64(39) + "a"),
      PlantedSecret([.awsSecretAccessKey], "AWS_SECRET_ACCESS_KEY=" + random.base64(39) + "b"),
      PlantedSecret([.exchangeKey], "Binance API key: " + random.alphanumeric(64)),
      PlantedSecret([.exchangeKey], "BINANCE_API_SECRET=" + random.alphanumeric(64)),
      PlantedSecret([.exchangeKey], "| Binance | secret key | " + random.alphanumeric(64) + " |"),
      PlantedSecret([.exchangeKey], "Kraken private key " + random.base64(86) + "=="),
      PlantedSecret([.exchangeKey], "kraken:\n  api_secret: " + random.base64(86) + "=="),
      PlantedSecret([.exchangeKey], "coinbase_api_secret = '" + random.alphanumeric(32) + "'"),
      PlantedSecret([.assignedPassword], "DB_PASSWORD=" + random.pick(["hunter2", "moha_local", "s3cr3t!"])),
      PlantedSecret([.assignedPassword], "export PGPASSWORD='Tr0ub4dor&3'"),
      PlantedSecret([.assignedPassword], "\"password\": \"Correct-Horse-9\""),
      PlantedSecret([.assignedPassword], "Password: " + random.alphanumeric(10) + "7aB!"),
      PlantedSecret([.assignedPassword], "SMTP_PASS=" + random.alphanumeric(9)),
      PlantedSecret([.assignedPassword], "password: hunter2"),
      PlantedSecret([.assignedPassword], "The password is hunter22"),
      // The form of the example in the IAM documentation, which has words in it.
      PlantedSecret([.awsSecretAccessKey], "aws_secret_access_key=wJalrXUtn" + "FEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"),
      PlantedSecret([.assignedSecret, .exchangeKey], "and the secret " + random.alphanumeric(64)),
      PlantedSecret([.assignedSecret, .exchangeKey], "client secret - " + random.alphanumeric(40)),
      PlantedSecret([.assignedPassword], "redis-cli --password Zx9" + random.alphanumeric(6)),
    ]
    let values = [random.alphanumeric(20), random.alphanumeric(32), random.hex(32), random.base64(44), random.base64URL(42) + "_"]
    for name in [
      "api_key=", "API_KEY: ", "\"apiKey\": \"", "**API_KEY:** ", "**API key**: `", "api-key = '", "client_secret=",
      "SECRET_KEY: ", "\"access_token\": \"", "auth_token => ", "refreshToken: '", "export API_TOKEN=", "token: ", "token=",
      "| API key | ", "--api-key ", "?api_key=", "The API key is ", "secret -> ", "x-api-key: ", "EMAIL_API_SECRET is `",
      "API key:\n\n    ", "API key:\n```\n", "webhook secret: ", "bot_token=\"", "private_key = \"", "credential: ",
    ] {
      for value in values { list.append(PlantedSecret([.assignedSecret, .hexPrivateKey, .exchangeKey], name + value)) }
    }
    return list
  }
}
