/// Where forms are documented that several rows share. Every other row names its vendor's own page.
enum FormSource {
  /// The widest public set of rules.
  static let gitleaks: StaticString = "https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"
  /// One folder a vendor, with its forms.
  static let trufflehog: StaticString = "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors"
  /// What a code host looks for on behalf of the vendors that registered their forms.
  static let github: StaticString =
    "https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns"
  static let githubTokens: StaticString =
    "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"
  static let gitlab: StaticString = "https://docs.gitlab.com/security/tokens/"
  static let atlassian: StaticString = "https://support.atlassian.com/bitbucket-cloud/docs/access-tokens/"
  static let slack: StaticString = "https://docs.slack.dev/authentication/tokens"
  static let stripe: StaticString = "https://docs.stripe.com/keys"
  static let shopify: StaticString =
    "https://shopify.dev/changelog/length-of-the-shopify-access-token-is-increasing"
  static let iam: StaticString = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"
  static let azure: StaticString = "https://github.com/microsoft/security-utilities"
  static let digitalOcean: StaticString = "https://docs.digitalocean.com/reference/api/create-personal-access-token/"
  static let doppler: StaticString = "https://docs.doppler.com/reference/auth-token-formats"
  static let planetScale: StaticString = "https://planetscale.com/docs/concepts/service-tokens"
  static let vault: StaticString = "https://developer.hashicorp.com/vault/docs/concepts/tokens"
  static let newRelic: StaticString = "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"
  static let grafana: StaticString =
    "https://grafana.com/docs/grafana/latest/administration/service-accounts/"
  static let figma: StaticString = "https://www.figma.com/developers/api#access-tokens"
  static let square: StaticString = "https://developer.squareup.com/docs/build-basics/access-tokens"
  static let flutterwave: StaticString = "https://developer.flutterwave.com/docs/authentication"
  static let cloudflare: StaticString = "https://developers.cloudflare.com/fundamentals/api/get-started/"
  static let tailscale: StaticString = "https://tailscale.com/kb/1252/key-prefixes"
  static let ory: StaticString = "https://www.ory.sh/docs/concepts/personal-access-token"
  static let bech32: StaticString = "https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki"
  static let derKeys: StaticString = "https://www.rfc-editor.org/rfc/rfc5958"
}
