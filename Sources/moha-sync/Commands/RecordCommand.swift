import ArgumentParser
import FoundationEssentials
import Git
import Persistence
import Records

/// Records a decision, an event, a milestone or a portfolio snapshot, or updates the identity.
struct RecordCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Record a decision, an event, a milestone or a snapshot, or update the identity.",
    discussion: """
      The record becomes a durable file, then a commit, then a row. A database that is away does not fail the \
      write: the row follows at the next reconcile. The same idempotency key twice gives one record.

      With --input, the other options add members that the input lacks.

      A snapshot is given with --input: total_value_usd and available_balance_usd, and as far as they are known \
      snapshot_type, margin_used_usd, unrealized_pnl_usd, open_positions, pnl_24h, pnl_7d, pnl_30d, pnl_all_time and \
      notes. The command `snapshot` makes one of the positions and prices in Redis.
      """)

  @OptionGroup var options: GlobalOptions
  @Argument(help: "decision, event, milestone, snapshot or identity.")
  var kind: RecordRequest.Kind
  @Option(help: ArgumentHelp("Read the request as JSON from a file; - is standard input.", valueName: "file"))
  var input: String?
  // Text may begin with a dash, and what is not understood would be repeated in the message about it.
  @Option(parsing: .unconditional, help: "A decision's type: buy, sell, hold …; or an event's.")
  var type: String?
  @Option(parsing: .unconditional, help: "The asset of a decision.")
  var asset: String?
  @Option(parsing: .unconditional, help: "What is done.")
  var action: String?
  @Option(parsing: .unconditional, help: "Why.")
  var reasoning: String?
  @Option(help: "How sure, from 0 to 100.")
  var confidence: String?
  @Option(help: "low, medium, high or critical.")
  var risk: String?
  @Option(parsing: .unconditional, help: "An event's type, as --type.")
  var event: String?
  @Option(parsing: .unconditional, help: "An event's text.")
  var content: String?
  @Option(parsing: .unconditional, help: "A milestone's title.")
  var title: String?
  @Option(parsing: .unconditional, help: "A milestone's description.")
  var description: String?
  @Option(parsing: .unconditional, help: "A milestone's category.")
  var category: String?
  @Option(parsing: .unconditional, help: "What a milestone means.")
  var significance: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("Further data, as a JSON object.", valueName: "json"))
  var metadata: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Members to merge into identity.json, as a JSON object.", valueName: "json"))
  var updates: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("Give the same record for the same key.", valueName: "key"))
  var idempotencyKey: String?

  func run() async throws {
    let request: RecordRequest
    do {
      request = try RecordRequest(kind, json: try json(), now: Instant.now())
    } catch let error as PersistenceError where input == nil && error.code == .invalidRequest {
      throw CommandFailure(
        code: error.code.description, message: RecordCommand.withFlags(error.message, kind),
        hint: error.hint.map { RecordCommand.withFlags($0, kind) } ?? "moha-sync record --help", status: .usage)
    }
    let workspace = try await Workspace(options)
    let outcome = try await workspace.recordService.record(request)
    let written = outcome.written
    if options.json {
      Output.writeJSON(outcome.json)
    } else if !options.quiet {
      let commit =
        written.commit.map { "commit \($0.description.prefix(10))" } ?? "commit pending: \(written.pendingReason ?? "")"
      Output.write("\(written.isRepeated ? "kept" : "recorded")  \(written.path)  \(commit)\n")
      for warning in written.warnings { Output.writeError("moha-sync: \(printable(warning))\n") }
      if let error = outcome.row?.error {
        Output.writeError("moha-sync: no row yet: \(error). The next reconcile writes it.\n")
      }
    }
  }

  /// A message about members of a request in the words of who gave flags.
  static func withFlags(_ message: String, _ kind: RecordRequest.Kind) -> String {
    let flags = [
      "decision_type": "--type", "event_type": kind == .event ? "--type" : "--event", "risk_level": "--risk",
      "idempotency_key": "--idempotency-key", "asset": "--asset", "action": "--action", "reasoning": "--reasoning",
      "confidence": "--confidence", "content": "--content", "title": "--title", "description": "--description",
      "category": "--category", "significance": "--significance", "metadata": "--metadata", "updates": "--updates",
    ]
    // Only where a sentence about a member begins: elsewhere the words are words.
    return message.split(separator: "; ", omittingEmptySubsequences: false).map { part in
      let start = part.firstRange(of: ": ").map(\.upperBound) ?? part.startIndex
      for begin in [part.startIndex, start] {
        let word = part[begin...].prefix { $0.isLowercase || $0 == "_" }
        let rest = part[begin...].dropFirst(word.count)
        if let flag = flags[String(word)], rest.isEmpty || rest.first == " " || rest.first == "." {
          return "\(part[..<begin])\(flag)\(rest)"
        }
      }
      return String(part)
    }.joined(separator: "; ")
  }

  /// The request: the members of the input, and those that the options give.
  private func json() throws -> JSONValue {
    let given = try optionMembers()
    guard let input else { return .object(given) }
    let document = try document(input)
    guard case .object(let members) = document else { return document }
    // The request's reader refuses a member that comes twice.
    return .object(members + given)
  }

  private func document(_ input: String) throws -> JSONValue {
    let data: Data?
    if input == "-" {
      data = Data(Output.readInput())
    } else {
      data = FileManager.default.contents(atPath: input)
    }
    guard let data else {
      throw CommandFailure(code: "input-unreadable", message: "\(input) cannot be read", status: .usage)
    }
    do throws(JSONError) {
      return try JSONValue.parse(Array(data))
    } catch {
      throw CommandFailure(
        code: "invalid-request", message: "the request is no JSON: line \(error.line): \(error.reason)",
        status: .usage)
    }
  }

  private func optionMembers() throws -> [JSONValue.Member] {
    var members: [JSONValue.Member] = []
    func add(_ name: JSONString, _ text: String?) {
      if let text { members.append(.init(name, .string(text))) }
    }
    func addJSON(_ name: JSONString, _ text: String?) throws {
      guard let text else { return }
      do throws(JSONError) {
        members.append(.init(name, try JSONValue.parse(text)))
      } catch {
        throw ValidationError("--\(name) takes JSON: \(error.reason)")
      }
    }
    // Of an event --type is the event's own.
    add(kind == .event ? "event_type" : "decision_type", type)
    add("asset", asset)
    add("action", action)
    add("reasoning", reasoning)
    if let confidence, let number = JSONNumber(confidence) {
      members.append(.init("confidence", .number(number)))
    } else {
      add("confidence", confidence)
    }
    add("risk_level", risk)
    add("event_type", event)
    add("content", content)
    add("title", title)
    add("description", description)
    add("category", category)
    add("significance", significance)
    try addJSON("metadata", metadata)
    try addJSON("updates", updates)
    add("idempotency_key", idempotencyKey)
    return members
  }
}

extension RecordRequest.Kind: ExpressibleByArgument {}
