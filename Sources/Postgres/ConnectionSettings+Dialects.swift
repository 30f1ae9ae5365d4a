/// A connection string in one of the dialects of other libraries, made into what libpq reads.
///
/// Nothing that could be a part of a password is ever quoted in an error: the scheme is only named where it is a plain
/// word, and a parameter only where no credentials can follow it.
struct WrittenConnection {
  /// What libpq reads.
  let conninfo: String
  /// The schema that a parameter names (`?schema=`, `?currentSchema=`), which libpq does not know.
  let schema: String?

  /// Drivers' parameters that say nothing of the server: how many connections to keep, and the like. `pgbouncer` is
  /// among them, since a pooler is noticed.
  private static let ignored: Set<String> = [
    "pgbouncer", "connection_limit", "pool_timeout", "pool_size", "pool", "max_overflow", "pool_recycle",
    "statement_cache_size", "prepared_statement_cache_size", "preparethreshold", "prepared_statements", "preferquerymode",
    "socket_timeout", "sockettimeout", "logintimeout", "timeout", "reconnect", "serverversion", "charset", "encoding",
    "rewritebatchedinserts", "supa", "workaround", "sslaccept", "uselibpqcompat", "command_timeout", "adapter",
    "async_fallback", "binary_parameters",
  ]

  /// Other names of libpq's keywords, in lower case.
  private static let renamed = [
    "username": "user", "database": "dbname", "hostname": "host", "applicationname": "application_name",
    "application-name": "application_name", "connecttimeout": "connect_timeout", "sslrootcertificate": "sslrootcert",
  ]

  init(_ text: String) throws(PostgresError) {
    var text = Self.bare(text)
    if text.lowercased().hasPrefix("jdbc:") { text.removeFirst(5) }
    guard let mark = text.firstRange(of: "://"), Self.isWord(text[..<mark.lowerBound], besides: "+.-", upTo: 30) else {
      // Keywords and values, among which a password may look like anything.
      (conninfo, schema) = (text, nil)
      return
    }
    let scheme = text[..<mark.lowerBound].lowercased()
    // `postgresql+asyncpg`: the part behind the plus names the library.
    guard let name = scheme.split(separator: "+", omittingEmptySubsequences: false).first,
      ["postgresql", "postgres", "pgsql", "psql", "postgis"].contains(name)
    else { throw Self.refusal(scheme: scheme) }
    let rest = text[mark.upperBound...]
    // Behind a question mark in a password comes the rest of it, and then the host: libpq may judge that.
    guard let question = rest.lastIndex(of: "?"), !rest[question...].contains("@") else {
      (conninfo, schema) = ("postgresql://\(rest)", nil)
      return
    }
    let query = rest[rest.index(after: question)...]
    var schema: String?
    var kept: [Substring] = []
    for item in query.split(separator: "&") {
      let equals = item.firstIndex(of: "=") ?? item.endIndex
      let key = item[..<equals].lowercased()
      let value = equals == item.endIndex ? "" : item[item.index(after: equals)...]
      switch key {
      case "schema", "currentschema":
        // Of a list the first, as for unqualified names.
        schema = Self.decoded(value).split(separator: ",").first.map { Self.bare(String($0)) }
      case "ssl", "tls":
        // Whoever named sslmode too meant that.
        guard !query.contains("sslmode=") else { continue }
        switch value.lowercased() {
        case "true", "1", "on", "yes", "require", "no-verify", "": kept.append("sslmode=require")
        case "false", "0", "off", "no", "disable": kept.append("sslmode=disable")
        default: kept.append("sslmode=\(value)")
        }
      case _ where Self.ignored.contains(key): continue
      default:
        let keyword = Self.renamed[key] ?? key
        guard ConnectionSettings.keywords.contains(keyword) else { throw Self.refusal(parameter: key) }
        kept.append("\(keyword)=\(value)")
      }
    }
    self.schema = schema
    conninfo = "postgresql://\(rest[..<question])" + (kept.isEmpty ? "" : "?\(kept.joined(separator: "&"))")
  }

  /// Without the blanks and quotation marks around it, as shells, YAML and copying leave them.
  private static func bare(_ text: String) -> String {
    var rest = Substring(text)
    func isBlank(_ character: Character) -> Bool { character.isWhitespace || character.isNewline || character == "\u{FEFF}" }
    while true {
      rest = rest.drop(while: isBlank)
      while let last = rest.last, isBlank(last) { rest.removeLast() }
      guard rest.count >= 2, let first = rest.first, first == rest.last, "\"'`".contains(first) else { break }
      rest = rest.dropFirst().dropLast()
    }
    return String(rest)
  }

  private static func decoded(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func refusal(scheme: String) -> PostgresError {
    PostgresError(
      .invalidParameter, operation: "reading the connection string",
      message: "a URL of the scheme \(scheme) names no PostgreSQL server",
      hint: "write it as postgresql://user:password@host:port/database")
  }

  private static func refusal(parameter: String) -> PostgresError {
    guard isWord(parameter[...], besides: "_.-", upTo: 40) else { return unreadable }
    return PostgresError(
      .invalidParameter, operation: "reading the connection string",
      message: "neither libpq nor a driver that is known has the URL's parameter \(parameter)",
      hint: "take it out of the URL; \(unreadable.hint ?? "")")
  }

  /// Whether a text is short and of ASCII letters, digits and a few signs, so that an error may quote it.
  private static func isWord(_ text: Substring, besides signs: String, upTo limit: Int) -> Bool {
    !text.isEmpty && text.utf8.count <= limit
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || signs.contains($0) }
  }

  static var unreadable: PostgresError {
    PostgresError(
      .invalidParameter, operation: "reading the connection string",
      message: "it is neither a postgresql:// URL nor keyword=value pairs",
      hint: "In a URL, percent-encode the special characters of the password: @ is %40, : is %3A, / is %2F, ? is %3F, "
        + "# is %23, % is %25.")
  }
}
