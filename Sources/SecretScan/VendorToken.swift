/// A token that begins with its issuer's prefix.
struct VendorToken: Sendable {
  enum Alphabet {
    case alphanumeric, word, base64URL, dotted, base64, hexadecimal, upperAlphanumeric

    func contains(_ byte: UInt8) -> Bool {
      switch self {
      case .alphanumeric: byte.isAlphanumeric
      case .word: byte.isWord
      case .base64URL: byte.isBase64URL
      case .dotted: byte.isBase64URL || byte == UInt8(ascii: ".")
      case .base64: byte.isBase64 || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
      case .hexadecimal: byte.isHexadecimal
      case .upperAlphanumeric: byte.isUpper || byte.isDigit
      }
    }
  }

  let prefix: StaticString
  let rule: SecretRule
  let alphabet: Alphabet
  /// How many bytes follow the prefix. The lower bounds are below the documented lengths, which issuers have changed.
  let length: ClosedRange<Int>
  /// A prefix that words and file names have too, so that what follows must also look random.
  let isAmbiguous: Bool

  init(
    _ prefix: StaticString, _ rule: SecretRule, _ alphabet: Alphabet, _ length: ClosedRange<Int>,
    isAmbiguous: Bool = false
  ) {
    self.prefix = prefix
    self.rule = rule
    self.alphabet = alphabet
    self.length = length
    self.isAmbiguous = isAmbiguous
  }

  /// The token whose prefix begins at `start`, if there is one.
  func match(_ text: ByteText, at start: Int) -> Candidate? {
    guard text.has(prefix, at: start), text.isTokenStart(start) else { return nil }
    if isAmbiguous && text[start - 1].isBase64URL && text[start - 1] != UInt8(ascii: "_") { return nil }
    let tail = start + prefix.utf8CodeUnitCount
    var end = text.end(from: tail, limit: length.upperBound + 1, where: alphabet.contains)
    while end > tail, [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "=")].contains(text[end - 1]) { end -= 1 }
    guard length.contains(end - tail) else { return nil }
    let value = text[tail..<end]
    // `ghp_xxxxxxxx` stands for a token.
    guard Randomness.distinctCount(value) >= 6 else { return nil }
    if isAmbiguous && (Randomness.isWordLike(value) || Randomness.entropy(of: value) < 3) { return nil }
    return Candidate(rule, start..<end, in: text)
  }

  /// More than any documented token, and little enough that a run of tokens costs linear time.
  private static let most = 600

  static let all: [VendorToken] = [
    VendorToken("AKIA", .awsAccessKeyID, .upperAlphanumeric, 16...16),
    VendorToken("ASIA", .awsAccessKeyID, .upperAlphanumeric, 16...16),
    VendorToken("ABIA", .awsAccessKeyID, .upperAlphanumeric, 16...16),
    VendorToken("ACCA", .awsAccessKeyID, .upperAlphanumeric, 16...16),
    VendorToken("AIza", .googleAPIKey, .base64URL, 33...37),
    VendorToken("ya29.", .googleOAuth, .dotted, 20...most),
    VendorToken("GOCSPX-", .googleOAuth, .base64URL, 20...most),
    VendorToken("ghp_", .githubToken, .word, 20...most),
    VendorToken("gho_", .githubToken, .word, 20...most),
    VendorToken("ghu_", .githubToken, .word, 20...most),
    VendorToken("ghs_", .githubToken, .dotted, 20...most),
    VendorToken("ghr_", .githubToken, .word, 20...most),
    VendorToken("github_pat_", .githubToken, .word, 22...most),
    VendorToken("glpat-", .gitlabToken, .dotted, 16...most),
    VendorToken("gldt-", .gitlabToken, .base64URL, 16...most),
    VendorToken("glptt-", .gitlabToken, .base64URL, 16...most),
    VendorToken("glrt-", .gitlabToken, .dotted, 16...most),
    VendorToken("glcbt-", .gitlabToken, .base64URL, 16...most),
    VendorToken("gloas-", .gitlabToken, .base64URL, 16...most),
    VendorToken("glft-", .gitlabToken, .base64URL, 16...most),
    VendorToken("glsoat-", .gitlabToken, .base64URL, 16...most),
    VendorToken("xoxa-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxb-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxc-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxd-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxe-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxe.xoxp-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxp-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxr-", .slackToken, .base64URL, 10...most),
    VendorToken("xoxs-", .slackToken, .base64URL, 10...most),
    VendorToken("xapp-", .slackToken, .base64URL, 20...most),
    VendorToken("sk_live_", .stripeKey, .alphanumeric, 10...most),
    VendorToken("rk_live_", .stripeKey, .alphanumeric, 10...most),
    VendorToken("whsec_", .stripeKey, .base64, 20...most),
    VendorToken("sk_test_", .stripeTestKey, .alphanumeric, 10...most),
    VendorToken("rk_test_", .stripeTestKey, .alphanumeric, 10...most),
    VendorToken("sk-ant-", .anthropicKey, .base64URL, 20...most),
    VendorToken("sk-proj-", .openAIKey, .base64URL, 20...most),
    VendorToken("sk-svcacct-", .openAIKey, .base64URL, 20...most),
    VendorToken("sk-admin-", .openAIKey, .base64URL, 20...most),
    VendorToken("sk-", .openAIKey, .base64URL, 20...most, isAmbiguous: true),
    VendorToken("npm_", .npmToken, .alphanumeric, 30...most, isAmbiguous: true),
    VendorToken("pypi-", .pypiToken, .base64URL, 40...most, isAmbiguous: true),
    VendorToken("AGE-SECRET-KEY-1", .ageSecretKey, .upperAlphanumeric, 40...80),
    VendorToken("AGE-SECRET-KEY-PQ-1", .ageSecretKey, .upperAlphanumeric, 40...most),
    VendorToken("SK", .twilioKey, .hexadecimal, 32...32),
    VendorToken("hf_", .vendorToken, .alphanumeric, 30...most, isAmbiguous: true),
    VendorToken("dop_v1_", .vendorToken, .hexadecimal, 60...64),
    VendorToken("doo_v1_", .vendorToken, .hexadecimal, 60...64),
    VendorToken("dor_v1_", .vendorToken, .hexadecimal, 60...64),
    VendorToken("dapi", .vendorToken, .hexadecimal, 32...32),
    VendorToken("dckr_pat_", .vendorToken, .base64URL, 20...most),
    VendorToken("glsa_", .vendorToken, .word, 30...most),
    VendorToken("glc_", .vendorToken, .base64, 32...most),
    VendorToken("gsk_", .vendorToken, .alphanumeric, 32...most),
    VendorToken("hvs.", .vendorToken, .base64URL, 24...most),
    VendorToken("hvb.", .vendorToken, .base64URL, 24...most),
    VendorToken("lin_api_", .vendorToken, .alphanumeric, 32...most),
    VendorToken("lsv2_pt_", .vendorToken, .word, 32...most),
    VendorToken("lsv2_sk_", .vendorToken, .word, 32...most),
    VendorToken("nfp_", .vendorToken, .alphanumeric, 32...most),
    VendorToken("NRAK-", .vendorToken, .alphanumeric, 24...most),
    VendorToken("PMAK-", .vendorToken, .base64URL, 40...most),
    VendorToken("pplx-", .vendorToken, .alphanumeric, 32...most),
    VendorToken("pul-", .vendorToken, .hexadecimal, 40...40),
    VendorToken("r8_", .vendorToken, .alphanumeric, 32...most),
    VendorToken("rubygems_", .vendorToken, .hexadecimal, 48...48),
    VendorToken("sbp_", .vendorToken, .hexadecimal, 40...40),
    VendorToken("sb_secret_", .vendorToken, .base64URL, 20...most),
    VendorToken("shpat_", .vendorToken, .hexadecimal, 32...32),
    VendorToken("shpca_", .vendorToken, .hexadecimal, 32...32),
    VendorToken("shppa_", .vendorToken, .hexadecimal, 32...32),
    VendorToken("shpss_", .vendorToken, .hexadecimal, 32...32),
    VendorToken("sntrys_", .vendorToken, .base64, 40...most),
    VendorToken("sntryu_", .vendorToken, .hexadecimal, 64...64),
    VendorToken("sq0csp-", .vendorToken, .base64URL, 40...most),
    VendorToken("tskey-", .vendorToken, .base64URL, 20...most),
    VendorToken("tvly-", .vendorToken, .base64URL, 24...most),
    VendorToken("xai-", .vendorToken, .alphanumeric, 40...most),
    VendorToken("ATATT3", .vendorToken, .base64, 60...most),
    VendorToken("figd_", .vendorToken, .base64URL, 36...most),
    VendorToken("figo_", .vendorToken, .base64URL, 36...most),
    VendorToken("mfa.", .discordToken, .base64URL, 60...100),
  ]
}
