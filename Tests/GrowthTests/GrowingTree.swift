internal import Git
internal import Postgres
internal import Records
internal import Telemetry
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// A repository whose history is made in one go, as long as it may be, with a database of its own.
final class GrowingTree {
  let git: GitScratch
  let database: TestDatabase

  static let root = ".moha/maven"
  private static let firstSecond = 1_700_000_000

  /// Files of each commit, by their path below the agent's folder; nil deletes one.
  init(commits: [[String: String?]]) async throws {
    git = try GitScratch()
    database = try await PostgresServer.shared().database()
    var stream = ""
    for (index, files) in commits.enumerated() {
      stream += "commit refs/heads/main\ncommitter C <c@example.org> \(Self.firstSecond + index * 60) +0000\ndata 1\nx\n"
      for (path, text) in files.sorted(by: { $0.key < $1.key }) {
        if let text {
          stream += "M 100644 inline \(Self.root)/\(path)\ndata \(text.utf8.count)\n\(text)\n"
        } else {
          stream += "D \(Self.root)/\(path)\n"
        }
      }
      stream += "\n"
    }
    try git.git(["fast-import", "--quiet"], input: Array(stream.utf8))
    try git.git("reset", "-q", "--hard", "main")
    // Marks that no index entry is racily clean: what is read is then the same each time.
    try git.git("update-index", "-q", "--refresh")
  }

  // MARK: Content

  static func decision(_ index: Int) -> (path: String, text: String) {
    let name = "decision_20260201_\(String(100_000 + index % 90_000).dropFirst(0))_\(index).md"
    return (
      "decisions/\(name)",
      """
      # Decision Record

      **Timestamp:** 2026-02-01T08:00:00.\(String(1_000_000 + index).dropFirst())+00:00
      **Type:** buy
      **Asset:** BTC
      **Risk Level:** low
      **Confidence:** 80.0%

      ## Action

      Bought lot \(1_000_000 + index)

      ## Reasoning

      Momentum above support

      ---
      *Recorded by Maven*

      """
    )
  }

  static func entry(_ index: Int) -> String {
    let time = "2026-02-01T10:00:00.\(String(1_000_000 + index).dropFirst())+00:00"
    return "## [\(time)] NOTE\n\nEvent number \(1_000_000 + index).\n\n---\n\n"
  }

  static func log(_ entries: Range<Int>) -> String {
    "# Maven Session Log\n\n---\n\n" + entries.map(entry).joined()
  }

  // MARK: Runs

  func repository() throws -> Repository { try Repository(at: git.path, configuration: .hermetic) }

  /// One run that writes.
  @discardableResult
  func run(restoringDeletedFiles: Bool = false) async throws -> Reconciler.Outcome {
    var options = Reconciler.Options(command: "reconcile")
    options.restoringDeletedFiles = restoringDeletedFiles
    return try await Reconciler(
      repository: try repository(), agent: .default, database: Database(settings: database.settings)
    ).run(options)
  }

  /// One look that writes nothing; throws where it finds a difference.
  func verify() async throws {
    let database = Database(settings: database.settings)
    let survey = try await Survey.of(try repository(), agent: .default, database: database, .workTree)
    try #require(Verification(survey, elapsed: .zero).isInSync, "\(survey.counts) \(survey.notes)")
  }

  func sql(_ script: String) async throws {
    try await database.run(script)
  }

  /// The first column of the first row, as text.
  func value(_ query: String) async throws -> String? {
    try await database.rows(query).first?.optionalString(0)
  }
}

/// How the work of `body` grows from `size` to twice as much.
///
/// - Parameters:
///   - constant: kinds of work that may not grow at all: what a run costs that finds nothing new.
///   - except: kinds that git's own form makes grow otherwise: a tree names every file of its folder, so that as many
///     changes of one folder as it has files are read in quadratic bytes, as by `git log`.
///   - slack: what may come on top, since sizes are rounded to packets and the like.
func expectGrowth(
  from size: Int, constant: Set<WorkCount.Kind> = [], except: Set<WorkCount.Kind> = [], slack: Int = 12, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: (Int) async throws -> WorkCount
) async throws {
  let once = try await body(size)
  let twice = try await body(2 * size)
  for kind in WorkCount.Kind.allCases where !except.contains(kind) {
    let unit = kind == .bytesParsed || kind == .treeBytes ? 400 : 1
    let most = (constant.contains(kind) ? once[kind] : 2 * once[kind]) + slack * unit
    #expect(
      twice[kind] <= most, "\(kind): \(once[kind]) at \(size), \(twice[kind]) at \(2 * size)",
      sourceLocation: sourceLocation)
  }
}
