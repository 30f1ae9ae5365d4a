internal import CLibPQ

/// Where and as whom to connect, as libpq's keywords and values.
///
/// Whatever is left out, libpq finds: the `PG*` variables, `PGSERVICE`, `.pgpass`, its defaults. The settings are
/// handed over as keyword and value pairs, never pasted together, so that any password works.
package struct ConnectionSettings: Sendable, Hashable {
  /// libpq's keywords (`host`, `port`, `user`, `password`, `dbname`, `options`, …) and their values.
  package private(set) var parameters: [String: String]
  /// The schema that a URL names as other libraries do (`?schema=sales`); libpq knows of none.
  package private(set) var schema: String?

  /// Settings from keywords and values. Keywords are checked when connecting; empty values count as left out.
  package init(parameters: [String: String] = [:]) {
    self.parameters = parameters.filter { !$0.value.isEmpty }
  }

  /// Settings from a `postgresql://` URL or a `keyword=value` string, as libpq reads them.
  ///
  /// A URL may be one of another library: with its driver in the scheme (`postgresql+asyncpg://`), with `?schema=`, with
  /// parameters that only concern a driver, in quotation marks.
  ///
  /// - Throws: `.invalidParameter` when it cannot be read. The error does not quote the string, which may hold a
  ///   password.
  package init(conninfo: String) throws(PostgresError) {
    guard !conninfo.utf8.contains(0) else { throw WrittenConnection.unreadable }
    let written = try WrittenConnection(conninfo)
    guard let options = unsafe PQconninfoParse(written.conninfo, nil) else { throw WrittenConnection.unreadable }
    defer { unsafe PQconninfoFree(options) }
    var parameters: [String: String] = [:]
    var option = unsafe options
    while let keyword = unsafe option.pointee.keyword {
      if let value = unsafe option.pointee.val {
        unsafe parameters[String(cString: keyword)] = String(cString: value)
      }
      unsafe option += 1
    }
    self.init(parameters: parameters)
    schema = written.schema
  }

  /// Every keyword that libpq knows.
  static let keywords: Set<String> = {
    guard let options = unsafe PQconndefaults() else { return [] }
    defer { unsafe PQconninfoFree(options) }
    var keywords: Set<String> = []
    var option = unsafe options
    while let keyword = unsafe option.pointee.keyword {
      unsafe keywords.insert(String(cString: keyword))
      unsafe option += 1
    }
    return keywords
  }()

  /// These settings with those of `other` in place of their own where both have one.
  package func merging(_ other: ConnectionSettings) -> ConnectionSettings {
    var merged = ConnectionSettings(parameters: parameters.merging(other.parameters) { _, new in new })
    merged.schema = other.schema ?? schema
    return merged
  }

  /// The same server and role with another database.
  package func with(database: String) -> ConnectionSettings {
    merging(ConnectionSettings(parameters: ["dbname": database]))
  }

  /// What is passed to libpq: the settings, and what every connection of ours has.
  var effectiveParameters: [String: String] {
    var effective = parameters
    // Strings are UTF-8 on this side whatever the environment says.
    effective["client_encoding"] = "UTF8"
    // A fallback, so that the URL, the service file and PGAPPNAME keep their say.
    effective["fallback_application_name"] = parameters["fallback_application_name"] ?? "moha-sync"
    return effective
  }
}

extension ConnectionSettings: CustomStringConvertible, CustomDebugStringConvertible {
  package var description: String { redactedURL }
  package var debugDescription: String { redactedURL }

  /// Keywords whose values are secrets.
  static let secretKeywords: Set<String> = ["password", "sslpassword"]
}

extension ConnectionSettings: CustomReflectable {
  /// Keeps `dump` and failed expectations from printing the password.
  package var customMirror: Mirror { Mirror(self, children: ["url": redactedURL]) }
}
