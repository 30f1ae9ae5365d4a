import Records

/// One thing that the doctor looked at, and what is to be done about it.
struct Diagnosis: Sendable {
  enum Severity: String, Comparable, Sendable {
    case ok
    /// Worth knowing; nothing needs doing.
    case info
    /// It works, and will not for ever.
    case warning
    case error

    private var order: Int {
      switch self {
      case .ok: 0
      case .info: 1
      case .warning: 2
      case .error: 3
      }
    }

    static func < (left: Severity, right: Severity) -> Bool { left.order < right.order }
  }

  /// What it is about: `git`, `records`, `secrets`, `postgres`, `redis`, `mcp`, `schedule`, `configuration`, `machine`.
  let area: String
  /// Stable, for scripts.
  let code: String
  let severity: Severity
  /// What was found, on one line.
  let found: String
  /// Why that is, or what follows from it.
  var cause: String?
  /// The next safe command.
  var hint: String?
  /// What `--fix` does about it; nil where a person must.
  var remedy: Remedy?
  /// The exit code where this is the worst; of no account below `warning`.
  var status = ExitStatus.partlyDone

  static func ok(_ area: String, _ code: String, _ found: String) -> Diagnosis {
    Diagnosis(area: area, code: code, severity: .ok, found: found)
  }

  static func info(_ area: String, _ code: String, _ found: String, hint: String? = nil) -> Diagnosis {
    Diagnosis(area: area, code: code, severity: .info, found: found, hint: hint)
  }

  var json: JSONValue {
    .object([
      .init("area", .string(area)), .init("code", .string(code)), .init("severity", .string(severity.rawValue)),
      .init("found", .string(found)), .init("cause", cause.map { .string($0) } ?? .null),
      .init("hint", hint.map { .string($0) } ?? .null), .init("fixable", .bool(remedy != nil)),
    ])
  }
}

/// What `doctor --fix` may do by itself: nothing of it touches a record, deletes a row or discards a change.
enum Remedy: Hashable, Sendable {
  /// Starts the embedded servers.
  case startServers
  /// Removes locks of git's whose holders are gone, by the rule that every commit follows.
  case removeStaleLocks
  /// Finishes or undoes the writes of killed processes, as the next write would.
  case finishWrites
  case migrate
  /// Brings back what was dropped from the schema, where that is safe.
  case repairSchema
  /// Writes the rows that are missing.
  case sync
  /// Takes the others' permissions from a file of ours.
  case closeFile(String)

  var words: String {
    switch self {
    case .startServers: "start the embedded servers"
    case .removeStaleLocks: "remove stale locks of git's"
    case .finishWrites: "finish the writes of killed processes"
    case .migrate: "migrate the schema"
    case .repairSchema: "repair the schema"
    case .sync: "write the missing rows"
    case .closeFile(let path): "chmod 600 \(printable(path))"
    }
  }

  /// Servers before what needs them, locks before what commits, tables before rows.
  var order: Int {
    switch self {
    case .closeFile: 0
    case .removeStaleLocks: 1
    case .finishWrites: 2
    case .startServers: 3
    case .migrate: 4
    case .repairSchema: 5
    case .sync: 6
    }
  }
}
