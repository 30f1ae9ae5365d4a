/// What a keyword can begin, and the matcher that decides whether it does.
enum Trigger: Sendable {
  /// By its place in the table.
  case form(Int)
  /// By the place of the name's forms in the table.
  case named(Int)
  case jsonWebToken, privateKeyBlock, puttyKey, sendGrid, azureClientSecret, azureAccountKey, azureSignature
  case webhook, twilioAccount, telegram, discord
  case url, passwordFile, netrc
  case bearer, basic, cookie
  case assignment(AssignmentMatcher.Name)
  case hexKey, exchange, seedPhrase
  case keyArray, command(Int), kubernetesSecret
}

