import ArgumentParser
import Git
import Persistence
import Records

/// Brings rows from quarantine back as git records.
struct Adopt: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Bring rows from quarantine back as git records.",
    discussion: """
      Without a number, lists what is in quarantine. With numbers, writes each row as a record file (an event: \
      appends it to the session log), commits it and inserts its row again, with the id and the columns of bots that it \
      had, and with whatever referred to it and is still without. A record with a secret is refused.
      """)

  @OptionGroup var options: GlobalOptions
  @Argument(help: ArgumentHelp("Entries of the quarantine, by number.", valueName: "id"))
  var ids: [Int] = []

  func run() async throws {
    let workspace = try await Workspace(options)
    let adoption = try await workspace.adoption()
    guard !ids.isEmpty else {
      let entries = try await adoption.entries()
      if options.json {
        Output.writeJSON(.object([.init("schema", 1), .init("quarantine", .array(entries.map(json)))]))
      } else {
        Output.write(TextReport(options).quarantine(entries))
      }
      return
    }
    let (adopted, outcome) = try await adoption.adopt(ids.map(Int64.init))
    if options.json {
      let items = adopted.map { item in
        JSONValue.object([
          .init("id", .integer(Int(item.id))), .init("kind", .string(item.kind.name)),
          .init("path", .string(item.path)),
          .init("commit", item.commit.map { .string($0.description) } ?? .null),
        ])
      }
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("adopted", .array(items)), .init("returned", .integer(outcome.returned)),
          .init("relinked", .integer(outcome.relinked)), .init("remaining", .integer(outcome.remaining)),
        ]))
    } else if !options.quiet {
      Output.write(TextReport(options).adopted(adopted))
    }
  }

  private func json(_ entry: Adoption.Entry) -> JSONValue {
    .object([
      .init("id", .integer(Int(entry.id))), .init("kind", .string(entry.kind)),
      .init("key", entry.key.map { .string($0) } ?? .null), .init("reason", .string(entry.reason)),
      .init("time", .string(entry.quarantinedAt)), .init("path", entry.path.map { .string($0) } ?? .null),
      .init("adopted_at", entry.adoptedAt.map { .string($0) } ?? .null), .init("resolved_at", entry.resolvedAt.map { .string($0) } ?? .null), .init("holds_row", .bool(entry.holdsRow)),
    ])
  }
}
