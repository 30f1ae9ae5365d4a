/// What every statement of ours runs under, whatever the server's files, the database, the role or PGOPTIONS say.
///
/// On a connection to the server itself they are the session's. Behind a pooler the session is anybody's: there they are
/// those of each transaction, which leaves nothing behind for the next client.
struct SessionSettings {
  private let settings: [(name: String, value: String)]

  /// - Parameters:
  ///   - serverVersion: such as 150020.
  ///   - options: the connection's own `options` (PGOPTIONS). A time limit that it names is meant for this program, and
  ///     stays; one of the role, the database or the server was made for others.
  init(serverVersion: Int, options: String?) {
    var settings: [(String, String)] = []
    // The limits come first: whatever follows could take longer than they allow.
    var limits = [
      ("statement_timeout", "0"),
      // Whoever waits for a table keeps others waiting behind it.
      ("lock_timeout", "'60s'"),
      ("idle_in_transaction_session_timeout", "0"),
    ]
    if serverVersion >= 140_000 { limits.append(("idle_session_timeout", "0")) }
    if serverVersion >= 170_000 { limits.append(("transaction_timeout", "0")) }
    settings += limits.filter { name, _ in options?.contains(name) != true }
    settings += [
      // Refuses a query whose rows a policy would hide, where the default is to answer with the others.
      ("row_security", "off"),
      ("default_transaction_isolation", "'read committed'"),
      ("client_min_messages", "warning"),
      // How values are read and written, and names quoted.
      ("standard_conforming_strings", "on"), ("DateStyle", "'ISO, YMD'"), ("IntervalStyle", "iso_8601"),
      ("TimeZone", "'UTC'"), ("extra_float_digits", "1"), ("bytea_output", "hex"), ("array_nulls", "on"),
      ("quote_all_identifiers", "off"),
      // What is found.
      ("transform_null_equals", "off"), ("gin_fuzzy_search_limit", "0"),
    ]
    self.settings = settings
  }

  /// Statements that hold until the session ends.
  var forSession: String { statements("SET", isLocal: false) }

  /// Statements that hold until the transaction in hand ends.
  var forTransaction: String { statements("SET LOCAL", isLocal: true) }

  private func statements(_ command: String, isLocal: Bool) -> String {
    settings.map { "\(command) \($0.name) = \($0.value)" }.joined(separator: "; ") + "; "
      + Self.searchPath(isLocal: isLocal)
  }

  /// The schemas of the search path, in their order, between the catalog and the temporary objects: a function or a
  /// table of somebody's own never stands for one of the server's, and a temporary table for no other one.
  private static func searchPath(isLocal: Bool) -> String {
    """
    SELECT set_config('search_path', array_to_string(ARRAY(
      SELECT quote_ident(name) FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place)
      WHERE left(name, 3) <> 'pg_' ORDER BY place) || 'pg_temp'::text, ', '), \(isLocal))
    """
  }
}
