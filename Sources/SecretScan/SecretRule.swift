/// The kind of a secret, in kebab case: stable, for scripts and for fingerprints.
///
/// A token's rule follows the format that its issuer documents (named beside it); a rule without an issuer
/// needs context: a name, a header or a scheme beside the value.
package struct SecretRule: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
  package let rawValue: String

  package init(rawValue: String) {
    self.rawValue = rawValue
  }

  package init(stringLiteral rawValue: String) {
    self.rawValue = rawValue
  }

  /// RFC 7519 and 7516 in compact form: dot-separated base64url whose first part is JSON with `alg`.
  package static let jsonWebToken = SecretRule(rawValue: "json-web-token")
  /// RFC 7468, RFC 4716, OpenSSH's PROTOCOL.key, OpenPGP armor (RFC 9580), PuTTY's .ppk.
  package static let privateKeyBlock = SecretRule(rawValue: "private-key-block")
  /// A service account's key file, as Google Cloud writes it: `private_key` with a PEM block.
  package static let googleServiceAccountKey = SecretRule(rawValue: "google-service-account-key")
  /// An AWS access key id (IAM User Guide, unique identifiers: AKIA, ASIA, ABIA, ACCA).
  package static let awsAccessKeyID = SecretRule(rawValue: "aws-access-key-id")
  /// The 40 base64 characters of an AWS secret access key, named as one or beside its id.
  package static let awsSecretAccessKey = SecretRule(rawValue: "aws-secret-access-key")
  /// `AIza`, as the Google Cloud documentation on API keys shows it.
  package static let googleAPIKey = SecretRule(rawValue: "google-api-key")
  /// `ya29.` access tokens and `GOCSPX-` client secrets of Google OAuth.
  package static let googleOAuth = SecretRule(rawValue: "google-oauth-credential")
  /// `AccountKey=` and `SharedAccessKey=` of Azure connection strings.
  package static let azureConnectionString = SecretRule(rawValue: "azure-connection-string")
  /// The `sig` of an Azure shared access signature.
  package static let azureSharedAccessSignature = SecretRule(rawValue: "azure-shared-access-signature")
  /// A client secret of Entra ID: three characters, a digit, `Q~`.
  package static let azureClientSecret = SecretRule(rawValue: "azure-client-secret")
  /// `ghp_ gho_ ghu_ ghs_ ghr_ github_pat_` (GitHub Docs, About authentication).
  package static let githubToken = SecretRule(rawValue: "github-token")
  /// `glpat-` and the other prefixes of GitLab's token overview.
  package static let gitlabToken = SecretRule(rawValue: "gitlab-token")
  /// `xoxb- xoxp- xapp-` and their like (Slack, token types).
  package static let slackToken = SecretRule(rawValue: "slack-token")
  /// A URL that lets its holder post: Slack, Discord, Teams.
  package static let webhookURL = SecretRule(rawValue: "webhook-url")
  /// `sk_live_ rk_live_ whsec_` (Stripe, API keys).
  package static let stripeKey = SecretRule(rawValue: "stripe-key")
  /// `sk_test_ rk_test_`: a key of Stripe's sandbox, which moves no money but is still a credential.
  package static let stripeTestKey = SecretRule(rawValue: "stripe-test-key")
  /// `sk-ant-`.
  package static let anthropicKey = SecretRule(rawValue: "anthropic-key")
  /// `sk-`, `sk-proj-`, `sk-svcacct-`: OpenAI and the services that copy its form.
  package static let openAIKey = SecretRule(rawValue: "openai-key")
  /// A bot's number, a colon and 35 characters (Telegram Bot API, authorizing your bot).
  package static let telegramBotToken = SecretRule(rawValue: "telegram-bot-token")
  /// Three parts: the user's number in base64, a time, a MAC (Discord developer reference).
  package static let discordToken = SecretRule(rawValue: "discord-token")
  /// `npm_`.
  package static let npmToken = SecretRule(rawValue: "npm-token")
  /// `pypi-`: a macaroon of the Python package index.
  package static let pypiToken = SecretRule(rawValue: "pypi-token")
  /// `SG.` and two dotted parts.
  package static let sendGridKey = SecretRule(rawValue: "sendgrid-key")
  /// `SK` and 32 hexadecimal digits, or a named account id `AC…`.
  package static let twilioKey = SecretRule(rawValue: "twilio-key")
  /// Another issuer's token with a prefix of its own.
  package static let vendorToken = SecretRule(rawValue: "vendor-token")
  /// A key or secret of an exchange, named beside it.
  package static let exchangeKey = SecretRule(rawValue: "exchange-key")
  /// 32 bytes in hexadecimal that are called a private key, a secret or a seed.
  package static let hexPrivateKey = SecretRule(rawValue: "hex-private-key")
  /// Twelve words or more after `seed phrase`, `mnemonic` or the like (BIP 39).
  package static let seedPhrase = SecretRule(rawValue: "seed-phrase")
  /// `AGE-SECRET-KEY-1` (age's format, C2SP).
  package static let ageSecretKey = SecretRule(rawValue: "age-secret-key")
  /// A password in a URL, in a libpq or ADO connection string, or in a line of .pgpass.
  package static let connectionString = SecretRule(rawValue: "connection-string")
  /// A `machine … login … password …` entry.
  package static let netrcPassword = SecretRule(rawValue: "netrc-password")
  /// The value of an `Authorization: Bearer` or `Basic` header (RFC 6750, RFC 7617).
  package static let authorizationHeader = SecretRule(rawValue: "authorization-header")
  /// A session's cookie (RFC 6265).
  package static let sessionCookie = SecretRule(rawValue: "session-cookie")
  /// A value assigned to a name that says password.
  package static let assignedPassword = SecretRule(rawValue: "assigned-password")
  /// A random-looking value assigned to a name that says secret, token or API key.
  package static let assignedSecret = SecretRule(rawValue: "assigned-secret")

  /// Which of two overlapping findings is kept, where its matcher says no other: that with the smaller number.
  var precedence: Int {
    switch self {
    case .assignedSecret: 3
    case .assignedPassword, .sessionCookie, "der-private-key": 2
    case .exchangeKey, .authorizationHeader, .connectionString, .hexPrivateKey, .vendorToken: 1
    default: 0
    }
  }
}

extension SecretRule: CustomStringConvertible {
  package var description: String { rawValue }
}
