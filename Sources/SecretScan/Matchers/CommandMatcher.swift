/// Passwords in the arguments of well-known commands, as shells and runbooks have them: `curl -u name:password`.
enum CommandMatcher {
  /// How a command takes its password.
  enum Form {
    /// After a colon or a percent sign in the option's value: `-u name:password`, `-U name%password`.
    case user
    /// The option's value, in a word of its own or after `=`.
    case value
    /// The rest of the option's word: `-ppassword`.
    case glued
    /// The option's value after `pass:`, as OpenSSL takes it.
    case passPhrase
    /// The third word that is no option, where the option is among them: `htpasswd -b file name password`.
    case third
  }

  struct Command {
    /// In lower case, with the blank after it.
    let names: [StaticString]
    let options: [StaticString]
    let form: Form
    let source: StaticString
  }

  static let commands: [Command] = [
    Command(
      names: ["curl "], options: ["-u", "--user", "-U", "--proxy-user"], form: .user,
      source: "https://curl.se/docs/manpage.html"),
    Command(
      names: ["curl "], options: ["--oauth2-bearer", "--pass", "--proxy-pass", "--tlspassword"], form: .value,
      source: "https://curl.se/docs/manpage.html"),
    Command(
      names: ["wget "], options: ["--password", "--http-password", "--ftp-password", "--proxy-password"], form: .value,
      source: "https://www.gnu.org/software/wget/manual/wget.html"),
    Command(
      names: ["sshpass "], options: ["-p"], form: .value, source: "https://manpages.debian.org/sshpass.1"),
    Command(
      names: ["sshpass "], options: ["-p"], form: .glued, source: "https://manpages.debian.org/sshpass.1"),
    Command(
      names: ["mysql ", "mysqldump ", "mysqladmin ", "mariadb ", "mysqlimport ", "mariadb-dump "], options: ["-p"],
      form: .glued, source: "https://dev.mysql.com/doc/refman/en/password-security-user.html"),
    Command(
      names: ["docker login ", "podman login ", "helm registry login ", "buildah login ", "skopeo login ", "az login "],
      options: ["-p", "--password"], form: .value, source: "https://docs.docker.com/reference/cli/docker/login/"),
    Command(
      names: ["htpasswd "], options: ["-b"], form: .third,
      source: "https://httpd.apache.org/docs/current/programs/htpasswd.html"),
    Command(
      names: ["mongosh ", "mongo ", "mongodump ", "mongorestore ", "mongoexport ", "cqlsh "],
      options: ["-p", "--password"], form: .value, source: "https://www.mongodb.com/docs/mongodb-shell/reference/options/"),
    Command(
      names: ["redis-cli "], options: ["-a", "--pass"], form: .value,
      source: "https://redis.io/docs/latest/develop/tools/cli/"),
    Command(
      names: ["ldapsearch ", "ldapadd ", "ldapmodify ", "ldapdelete ", "ldapwhoami "], options: ["-w"], form: .value,
      source: "https://www.openldap.org/software/man.cgi?query=ldapsearch"),
    Command(
      names: ["smbclient ", "rpcclient "], options: ["-U", "--user"], form: .user,
      source: "https://www.samba.org/samba/docs/current/man-html/smbclient.1.html"),
    Command(
      names: ["openssl "], options: ["-pass", "-passin", "-passout"], form: .passPhrase,
      source: "https://docs.openssl.org/master/man1/openssl-passphrase-options/"),
    Command(
      names: ["7z ", "7za ", "7zz "], options: ["-p"], form: .glued, source: "https://manpages.debian.org/7z.1"),
    Command(
      names: ["zip ", "unzip "], options: ["-P", "--password"], form: .value, source: "https://manpages.debian.org/zip.1"),
    Command(
      names: ["sqlcmd ", "bcp ", "mosquitto_pub ", "mosquitto_sub "], options: ["-P", "--pw"], form: .value,
      source: "https://learn.microsoft.com/sql/tools/sqlcmd/sqlcmd-utility"),
    Command(
      names: ["keytool ", "jarsigner "], options: ["-storepass", "-keypass", "-srcstorepass", "-deststorepass"],
      form: .value, source: "https://docs.oracle.com/en/java/javase/21/docs/specs/man/keytool.html"),
    Command(
      names: ["ssh-keygen "], options: ["-N", "-P"], form: .value, source: "https://man.openbsd.org/ssh-keygen"),
    Command(
      names: ["gpg ", "gpg2 "], options: ["--passphrase"], form: .value,
      source: "https://www.gnupg.org/documentation/manuals/gnupg/GPG-Esoteric-Options.html"),
  ]

  /// The password of the command whose name ends before `start`.
  ///
  /// Reads to the end of the command, over line ends after a backslash, and at most 384 bytes.
  static func match(_ text: ByteText, from start: Int, _ command: Command) -> Candidate? {
    var words = Words(text, start)
    var plain = 0
    var isArmed = false
    while let word = words.next() {
      // A word that is no option says nothing, except where it may be the password itself.
      if text[word.lowerBound] != UInt8(ascii: "-"), command.form != .third { continue }
      let value: Range<Int>?
      switch command.form {
      case .third:
        if text[word.lowerBound] == UInt8(ascii: "-") {
          isArmed = isArmed || text[word].contains(UInt8(ascii: "b"))
          value = nil
        } else {
          plain += 1
          value = isArmed && plain == 3 ? word : nil
        }
      case .glued:
        value = command.options.lazy.compactMap { glued(text, word, to: $0) }.first
      case .user, .value, .passPhrase:
        value = option(text, word, of: command, next: &words)
      }
      if let value, let candidate = password(text, value, command.form) { return candidate }
    }
    return nil
  }

  /// What an option of the command at `word` has for a value, in this word or the next.
  private static func option(
    _ text: ByteText, _ word: Range<Int>, of command: Command, next words: inout Words
  ) -> Range<Int>? {
    for option in command.options {
      let count = option.utf8CodeUnitCount
      let isShort = count == 2
      if text.has(option, at: word.lowerBound) {
        if word.count == count { return words.next() }
        if text[word.lowerBound + count] == UInt8(ascii: "=") {
          return words.unquoted((word.lowerBound + count + 1)..<word.upperBound)
        }
        if isShort && command.form == .user { return (word.lowerBound + 2)..<word.upperBound }
      }
      // `-su` is `-s -u`.
      let letter = option.withUTF8Buffer { unsafe $0[count - 1] }
      if isShort, (3...5).contains(word.count), text[word.lowerBound] == UInt8(ascii: "-"),
        text[word.upperBound - 1] == letter, text[word.dropFirst()].allSatisfy(\.isLetter)
      {
        return words.next()
      }
    }
    return nil
  }

  private static func glued(_ text: ByteText, _ word: Range<Int>, to option: StaticString) -> Range<Int>? {
    let count = option.utf8CodeUnitCount
    guard text.has(option, at: word.lowerBound), word.count > count else { return nil }
    let rest = (word.lowerBound + count)..<word.upperBound
    // A port, by mistake, or another option: `-p3306`, `-print`.
    return text[rest].allSatisfy({ $0.isDigit || $0.isLower }) && rest.count < 8 && !text[rest].contains(where: \.isLetter)
      ? nil : rest
  }

  private static func password(_ text: ByteText, _ value: Range<Int>, _ form: Form) -> Candidate? {
    var value = value
    switch form {
    case .user:
      guard let colon = value.first(where: { text[$0] == UInt8(ascii: ":") || text[$0] == UInt8(ascii: "%") }) else {
        return nil
      }
      value = (colon + 1)..<value.upperBound
    case .passPhrase:
      guard text.has("pass:", at: value.lowerBound) else { return nil }
      let start = value.lowerBound + 5
      value = min(text[start].isQuote ? start + 1 : start, value.upperBound)..<value.upperBound
      while !value.isEmpty, text[value.upperBound - 1].isQuote { value = value.lowerBound..<(value.upperBound - 1) }
    case .value, .glued, .third: break
    }
    let bytes = text[value]
    guard bytes.count >= 3, let first = bytes.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "$") else { return nil }
    guard bytes.allSatisfy({ $0.isGraphic || $0 >= 0x80 }), !SecretShape.isPlaceholder(bytes) else { return nil }
    // `docker login -p to pass it`: a word of a sentence.
    if form == .value || form == .third, bytes.count < 6, bytes.allSatisfy(\.isLower) { return nil }
    return Candidate("command-line-password", value, value: bytes)
  }

  /// The words of a command, without their quotes.
  private struct Words {
    private let text: ByteText
    private var offset: Int
    private let bound: Int

    init(_ text: ByteText, _ start: Int) {
      self.text = text
      offset = start
      bound = start + 384
    }

    mutating func next() -> Range<Int>? {
      while offset < bound {
        offset = text.end(from: offset, limit: 64, where: \.isBlank)
        guard text[offset] == UInt8(ascii: "\\"), text[offset + 1].isSpace else { break }
        offset = text.end(from: offset + 1, limit: 64, where: \.isSpace)
      }
      let byte = text[offset]
      guard offset < bound, byte.isGraphic, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ";"), byte != UInt8(ascii: "&")
      else { return nil }
      if byte.isQuote && byte != UInt8(ascii: "`") {
        let end = text.end(from: offset + 1, limit: 256) { $0 != byte && $0 != 0x0A }
        defer { offset = end + 1 }
        return (offset + 1)..<max(end, offset + 1)
      }
      // A quotation mark inside a word belongs to what surrounds the command.
      let end = text.end(from: offset, limit: 256) { $0.isGraphic && $0 != UInt8(ascii: "`") && $0 != UInt8(ascii: ";") }
      defer { offset = max(end, offset + 1) }
      guard end > offset else { return nil }
      return offset..<end
    }

    func unquoted(_ range: Range<Int>) -> Range<Int> {
      guard range.count >= 2, text[range.lowerBound].isQuote else { return range }
      let end = text.end(from: range.lowerBound + 1, limit: 256) { $0 != text[range.lowerBound] && $0 != 0x0A }
      return (range.lowerBound + 1)..<end
    }
  }
}
