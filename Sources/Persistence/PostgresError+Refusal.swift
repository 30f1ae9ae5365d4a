internal import Postgres

extension PostgresError {
  /// Whether the server refused what the statement said because of a row in it, so that other rows may still be taken.
  ///
  /// That is what a value breaks (SQLSTATE classes 22, 54 and, for an allocation beyond a gigabyte, XX000), what a
  /// constraint refuses (23), and whatever a function raises, which may have any state: a rule of somebody's own in a
  /// trigger. It is not what befell the statement as a whole: a lost connection, a lock, a full disk, a table that is
  /// not there. A key of ours that is taken is neither: somebody else wrote the record meanwhile.
  var refusesRow: Bool {
    guard let sqlState, code != .connectionLost, !isTakenKey else { return false }
    switch sqlState.classCode {
    case "08", "40", "53", "57", "58": return false
    case "21", "22", "23", "27", "2F", "38", "39", "44", "54", "P0": return true
    case "XX": return sqlState.rawValue == "XX000"
    case "0A", "25", "26", "28", "34", "3B", "3D", "3F", "42", "55", "F0": return isRaisedInFunction
    default: return true
    }
  }

  /// A row with the key of a record exists already. The text around the columns is in the server's language.
  private var isTakenKey: Bool {
    guard sqlState == .uniqueViolation else { return false }
    guard let detail else { return true }
    return detail.contains("(git_filename)=") || detail.contains("(agent, event_key)=")
  }

  /// The languages of functions name themselves in the context, whatever the language of the messages.
  private var isRaisedInFunction: Bool {
    context.map { $0.contains("PL/") || $0.contains("SQL function") } ?? false
  }

  /// What the server said about the row, and the function that said it. Quotes what it quotes; no row as a whole.
  var refusal: String {
    var text = message
    let place = context?.split(separator: "\n").first { $0.contains("PL/") || $0.contains("SQL function") }
    if let place { text += " (\(place))" }
    return text
  }
}
