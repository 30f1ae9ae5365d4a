import ArgumentParser
import Persistence
import Records

/// Whether git, Postgres, Redis and the MCP server are well.
struct Health: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask git, Postgres, Redis and the MCP server whether they are well.",
    discussion: """
      All are asked at the same time, each for a second at most, so that the answer comes within two, whatever is down \
      or stopped; on a machine that is busy or far away, --timeout gives them that long. Nothing is started or changed; outside a repository, or with a broken configuration, the other layers \
      are asked all the same. Without Postgres and Redis records are read and written as before: rows follow, and \
      answers take longer.

      EXIT CODES
        0    nothing is wrong: every layer is well, or was not started and need not be
        2    the configuration cannot be used (12: it holds a password, and others can read it)
        3    something needs a look, and everything works
        10   git cannot be read: no repository, no .moha/<agent>, or damage
        69   Postgres, Redis or the MCP server is down

      Of several, the first of 10, 2, 69, 3. Leave out what is not used: --without mcp,redis.

      Embedded servers start when a command needs them, and `serve` when somebody wants it: where they were not started \
      they are shown as off, in JSON as down with "fault": false, and the exit code does not count them. Crashed ones, \
      servers that the configuration names, and an MCP server that --mcp-url names do count. A monitor says what must \
      be up: --require postgres,redis,mcp.
      """)

  @OptionGroup var options: GlobalOptions
  @OptionGroup var selection: LayerSelection

  func run() async throws {
    let outlook = await Outlook(options)
    let patience = options.patience(AgentHealth.patience)
    let health = await AgentHealth.ask(try selection.probes(outlook, patience), patience: patience)
      .requiring(selection.required)
    if options.json {
      Output.writeJSON(health.json)
    } else if !options.quiet {
      Output.write(Health.text(health, Style(options.color)))
    }
    let status = health.exitStatus
    if status != .success { throw ExitCode(status.rawValue) }
  }

  static func text(_ health: AgentHealth, _ style: Style) -> String {
    health.layers.map { layer in
      let finding = layer.finding
      let mark =
        switch finding.status {
        case .ok: style.good(padded("ok", 8))
        case .degraded: style.warning(padded("degraded", 8))
        case .down where !finding.isFault: style.dim(padded("off", 8))
        case .down: style.bad(padded("down", 8))
        }
      let time = style.dim("\(Int(layer.latency.seconds * 1_000)) ms")
      let hint = finding.hint.map { "\n          \(style.dim("\(finding.code); hint: \($0)"))" } ?? ""
      return "\(padded(layer.name, 9)) \(mark) \(printable(finding.detail))  \(time)\(hint)\n"
    }.joined()
  }
}

/// Which layers are looked at, and where the MCP server is.
struct LayerSelection: ParsableArguments {
  @Option(help: ArgumentHelp("Leave out these layers: names with commas between.", valueName: "layers"))
  var without: String?
  @Option(help: ArgumentHelp("Layers that must be up, also those that start when needed.", valueName: "layers"))
  var require: String?
  @Option(
    help: ArgumentHelp(
      "Where `serve` is. Default: http://127.0.0.1 and the port of MAVEN_MCP_PORT, or 3100.", valueName: "url"))
  var mcpURL: String?

  static let names = ["git", "postgres", "redis", "mcp"]

  var excluded: Set<String> { Set((without ?? "").split(separator: ",").map { String($0) }) }

  /// The layers whose being down is a fault whatever the reason. A server that is named is meant to be there.
  var required: Set<String> {
    Set((require ?? "").split(separator: ",").map { String($0) }).union(mcpURL == nil ? [] : ["mcp"])
  }

  func validate() throws {
    let unknown = excluded.union(required).subtracting(LayerSelection.names).sorted()
    guard unknown.isEmpty else {
      throw ValidationError(
        "there is no layer \(unknown.joined(separator: ", ")); there are \(LayerSelection.names.joined(separator: ", "))"
      )
    }
    let contradiction = Set((require ?? "").split(separator: ",").map { String($0) }).intersection(excluded).sorted()
    if let layer = contradiction.first { throw ValidationError("\(layer) is in --require and in --without") }
    if excluded.count == LayerSelection.names.count { throw ValidationError("--without leaves nothing to look at") }
    if let mcpURL, Heartbeat(mcpURL) == nil { throw ValidationError("--mcp-url takes an http or https URL") }
  }

  func url(_ environment: [String: String]) throws -> String {
    if var url = mcpURL {
      // The address that clients are given is as good as the server's.
      while url.hasSuffix("/") { url.removeLast() }
      return url.hasSuffix("/mcp") ? String(url.dropLast(4)) : url
    }
    return "http://127.0.0.1:\(try Serve.configuredPort(environment))"
  }

  func probes(_ outlook: Outlook, _ patience: Duration) throws -> [AgentHealth.Probe] {
    outlook.probes(mcpURL: try url(outlook.environment), patience: patience).filter { !excluded.contains($0.name) }
  }
}

extension AgentHealth {
  /// The exit code of `health`; the order is in its help.
  var exitStatus: ExitStatus {
    if self["git"]?.status == .down { return .noTree }
    if let layer = layers.first(where: { $0.finding.isOfConfiguration }) { return layer.finding.configurationStatus }
    if layers.contains(where: { $0.finding.status == .down && $0.finding.isFault }) { return .serviceDown }
    return isHealthy ? .success : .partlyDone
  }
}

extension AgentHealth.Finding {
  /// Whether the layer cannot be looked at because the configuration cannot be used.
  var isOfConfiguration: Bool { code.hasPrefix("configuration") || code.hasPrefix("invalid-") }

  /// The exit code of every other command with this configuration.
  var configurationStatus: ExitStatus { code == "configuration-readable" ? .refused : .usage }
}
