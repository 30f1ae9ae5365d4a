/// One way in which a schema is not as the migrations leave it.
package struct SchemaDrift: Sendable, Hashable {
  /// What should be there, as a line of the manifest; or, of a state, a line of the same form.
  package let line: String
  /// What is there instead, and what should be.
  package let message: String

  /// What the line is about, such as `maven_trades.status`.
  var subject: String { SchemaDrift.words(line).subject }
  var kind: String { SchemaDrift.words(line).kind }
  /// What the line says of it; empty where it only says that it is there.
  var rest: String { SchemaDrift.words(line).rest }
  /// The table.
  var table: String { SchemaDrift.table(of: subject) }
  /// The column of the table; empty where the line is about a whole table.
  var column: String { String(subject.dropFirst(table.count).dropFirst()) }

  init(line: String, message: String) {
    (self.line, self.message) = (line, message)
  }

  /// The lines of the manifest that a catalog lacks, sorted, without what follows from another one.
  ///
  /// A missing table stands for all that belongs to it and for the keys that refer to it, a missing column for its
  /// default and the like.
  static func found(in catalog: Set<String>, exceptions: Set<String> = []) -> [SchemaDrift] {
    let keys = Set(catalog.map(SchemaCatalog.key))
    let missing = SchemaDrift.manifest.filter { !keys.contains($0.key) && !exceptions.contains($0.key) }.map(\.line)
    guard !missing.isEmpty else { return [] }
    var present: [String: [String]] = [:]
    for line in catalog {
      let words = SchemaDrift.words(line)
      present["\(words.kind) \(words.subject)", default: []].append(words.rest)
    }
    func isPresent(_ kind: String, _ subject: String) -> Bool { present["\(kind) \(subject)"] != nil }
    let otherViews = Set(missing.filter { $0.hasPrefix("view ") }.map { words($0).subject })
    return missing.filter { line in
      let words = SchemaDrift.words(line)
      let table = table(of: words.subject)
      switch words.kind {
      case "table", "view", "function": return true
      case "column": return isPresent("table", table) || isPresent("view", table) && !otherViews.contains(table)
      case "default", "not-null", "sequence":
        return isPresent("table", table) && isPresent("column", words.subject)
      case "foreign-key":
        let other = words.rest.split(separator: "REFERENCES ").last?.prefix { $0 != "(" && $0 != " " } ?? ""
        return isPresent("table", table) && isPresent("table", String(other))
      default: return isPresent("table", table)
      }
    }.map { SchemaDrift(line: $0, message: message($0, present: present)) }
  }

  /// Everything, as where there is no schema at all.
  static let all: [SchemaDrift] = found(in: [])

  /// Whether an older database may have been made otherwise for good: such a line is noted when it is adopted, and is no
  /// drift. What the migrations make themselves they make everywhere.
  static func mayBeOtherwise(_ line: String, in catalog: Set<String>) -> Bool {
    let words = words(line)
    switch words.kind {
    case "default", "not-null", "sequence", "check", "foreign-key", "storage": return true
    case "column":
      // Of another type; one that is not there is missed.
      return !words.subject.hasSuffix(".content_hash") && catalog.contains { $0.hasPrefix("column \(words.subject) ") }
    default: return false
    }
  }

  private static let manifest: [(key: String, line: String)] = Migration.manifest.sorted().map {
    (SchemaCatalog.key($0), $0)
  }

  private static func table(of subject: String) -> String { String(subject.prefix { $0 != "." && $0 != " " }) }

  /// A trigger is about its table and name; a function is its name with the arguments.
  private static func words(_ line: String) -> (kind: String, subject: String, rest: String) {
    guard let space = line.firstIndex(of: " ") else { return (line, "", "") }
    let kind = String(line[..<space])
    let tail = line[line.index(after: space)...]
    let end: Substring.Index
    switch kind {
    case "function": end = tail.lastIndex(of: " ") ?? tail.endIndex
    case "trigger":
      let first = tail.firstIndex(of: " ") ?? tail.endIndex
      end = first == tail.endIndex ? first : tail[tail.index(after: first)...].firstIndex(of: " ") ?? tail.endIndex
    default: end = tail.firstIndex(of: " ") ?? tail.endIndex
    }
    return (kind, String(tail[..<end]), String(tail[end...].dropFirst()))
  }

  private static func message(_ line: String, present: [String: [String]]) -> String {
    let (kind, subject, rest) = words(line)
    let found = present["\(kind) \(subject)"]?.sorted().first
    switch kind {
    case "table": return "the table \(subject) is missing"
    case "view":
      return found == nil ? "the view \(subject) is missing" : "the view \(subject) has another definition than its own"
    case "column":
      guard let found else { return "the column \(subject) is missing" }
      let isOrdinary = rest.contains(" generated ") && !found.contains(" generated ")
      return isOrdinary
        ? "\(subject) is an ordinary column, and should be generated"
        : "\(subject) is \(found), and should be \(rest)"
    case "default":
      guard let found else { return "\(subject) has no default, and should have \(rest)" }
      return "the default of \(subject) is \(found), and should be \(rest)"
    case "not-null": return "\(subject) may be null, and should not"
    case "sequence": return "no sequence belongs to \(subject)"
    case "storage":
      switch found {
      case "unlogged": return "\(subject) is unlogged: a crash of the server empties it"
      case "partitioned": return "\(subject) is a partitioned table, and should be an ordinary one"
      default: return "\(subject) is kept otherwise than it should be"
      }
    case "check", "foreign-key": return "\(subject) lacks the constraint \(rest)"
    case "index":
      return rest.hasPrefix("unique ")
        ? "nothing keeps \(subject) unique: the index \(rest) is missing" : "\(subject) lacks the index \(rest)"
    case "trigger":
      guard let found else { return "the trigger \(subject) is missing" }
      let isDisabled = found == "\(rest) disabled"
      return "the trigger \(subject) \(isDisabled ? "is disabled" : "does something else")"
    case "function":
      return found == nil ? "the function \(subject) is missing" : "the function \(subject) has another body or result"
    default: return "the database lacks \(line)"
    }
  }
}
