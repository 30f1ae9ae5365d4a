import ArgumentParser
import Persistence
import Records

/// Full text over all records.
struct Search: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Search decisions, the log, milestones and insights for words, newest first.",
    discussion: """
      The text is read as a search engine would: words that all must occur, "phrases", `or` and `-not`. Where the \
      database does not answer, the files are searched instead, which standard error says.

      EXAMPLES
        moha-sync search 'funding rate'
        moha-sync search '"stop loss" or liquidation' --kind decisions --kind memory --limit 5
      """)

  @OptionGroup var options: GlobalOptions
  @Argument(help: "What to look for.")
  var text: String
  @Option(help: "Look only among these; may be given several times.")
  var kind: [RecordSearch.Kind] = []
  @Option(name: .shortAndLong, help: ArgumentHelp("How many at most, 1 to 1000.", valueName: "n"))
  var limit = 20
  @Option(help: ArgumentHelp("Go on where an earlier list ended.", valueName: "word"))
  var cursor: String?
  @Flag(help: "Never cut text.")
  var wide = false

  func validate() throws {
    guard (1...1_000).contains(limit) else { throw ValidationError("--limit takes a number from 1 to 1000") }
    if let cursor, RecordSearch.Position(text: cursor) == nil {
      throw ValidationError("--cursor takes the word that an earlier list ended with")
    }
  }

  func run() async throws {
    let records = try await Workspace(options).records()
    let page = try await records.search(
      RecordSearch.Query(
        text: text, kinds: kind.isEmpty ? Set(RecordSearch.Kind.allCases) : Set(kind), limit: limit,
        after: cursor.flatMap { RecordSearch.Position(text: $0) }))
    if options.json {
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("source", .string(page.databaseProblem == nil ? "database" : "files")),
          .init("hits", page.dataset.json),
          .init("next_cursor", page.next.map { .string($0.text) } ?? .null),
        ]))
      return
    }
    if !page.hits.isEmpty {
      let shown = page.dataset.selecting(["time", "kind", "title", "excerpt", "path"])
      Output.write(DataTable(style: Style(options.color), isWide: wide).text(shown))
    }
    guard !options.quiet else { return }
    if let problem = page.databaseProblem { Output.writeError("\(problem.message); the files were searched\n") }
    if page.hits.isEmpty {
      Output.writeError("nothing found\n")
    } else if let next = page.next {
      Output.writeError("there is more; it begins with --cursor '\(printable(next.text))'\n")
    }
  }
}

extension RecordSearch.Kind: ExpressibleByArgument {}
