import ArgumentParser
import EmbeddedServers
import FoundationEssentials
import Git
import Glibc
import Logging
import MCPServer
import NIOCore
import Persistence
import Telemetry

/// Serves the records to MCP clients over HTTP.
struct Serve: ServingCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve the records over HTTP: to MCP clients at /mcp, to people as pages.",
    discussion: """
      Listens on 127.0.0.1 unless another address is named, which needs --token-file: a file that only its owner can \
      read, with one token a line. Clients send it as `Authorization: Bearer TOKEN`. A line `read TOKEN` gives a \
      token that cannot write; `sha256:HEX` in place of a token keeps only its hash.

      For who watches it: /healthz answers 200 while the process lives; /readyz answers 200 while records can be read \
      and written, which needs git and neither Postgres nor Redis, else 503; /metrics is Prometheus's text, and needs \
      a token where /mcp does.

      The embedded servers are started where nothing else is configured, and keep running. Events are lines of logfmt on \
      standard error: failures, and with --verbose more; --quiet leaves errors alone.
      """)

  @OptionGroup var options: GlobalOptions
  @OptionGroup var offer: OfferOptions
  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"
  @Option(help: "The port; 0 takes a free one. Default: MAVEN_MCP_PORT, or 3100.")
  var port: Int?
  @Option(help: ArgumentHelp("Let in only clients with a token of this file.", valueName: "file"))
  var tokenFile: String?
  @Option(help: ArgumentHelp("A name or address by which clients reach the server, as in `Host`.", valueName: "name"))
  var allowHost: [String] = []

  func validate() throws { try options.refuseTimeLimit() }

  func run() async throws {
    let workspace = try await Workspace(options)
    var settings = HTTPSettings()
    settings.host = host
    settings.port = try chosenPort(workspace.settings.environment)
    settings.allowedHosts = allowHost
    if let tokenFile { settings.tokens = try Serve.tokens(in: tokenFile) }
    let logger = offer.logger(options)
    let activity = Activity.ofServer()
    let offering = try offer.offering(workspace, logger: logger, activity: activity)
    let service: HTTPService
    do {
      let (host, isQuiet) = (host, options.quiet)
      service = try HTTPService(
        offering: offering, pages: Serve.pages(offering.records, workspace, activity, logger), settings: settings,
        logger: logger, activity: activity
      ) { port in
        ProgramCode.release()
        if !isQuiet {
          Output.writeError("moha-sync: listening on http://\(host):\(port)/mcp\n")
          Output.writeError("moha-sync: pages for people on http://\(host):\(port)/\n")
        }
      }
    } catch let refusal as HTTPSettings.Refusal {
      throw CommandFailure(
        code: "address-unsafe", message: refusal.description, hint: "name a file with --token-file", status: .refused)
    }
    let starting = startServers(workspace, logger)
    defer { starting.cancel() }
    do {
      try await MCP.serve(service, logger: offer.libraryLogger(options))
    } catch let error as IOError {
      throw Serve.failure(error, host: host, port: settings.port)
    }
  }

  /// Starts the embedded servers beside the serving: what needs no database is answered meanwhile, and one that cannot
  /// be started takes nothing from that.
  private func startServers(_ workspace: Workspace, _ logger: Logger) -> Task<Void, Never> {
    Task {
      func attempt(_ name: String, _ start: () async throws -> Void) async {
        do {
          try await start()
        } catch {
          if Task.isCancelled { return }
          let failure = Failure(error)
          logger.warning(
            "\(name) is not started; git serves every record without it",
            metadata: ["error": "\(failure.singleLine)", "hint": "\(failure.hint ?? "moha-sync doctor")"])
        }
      }
      if workspace.settings.databaseFault == nil, workspace.settings.database == nil {
        await attempt("the embedded Postgres") { _ = try await workspace.servers.startPostgres() }
      }
      if workspace.settings.redisURL == nil {
        await attempt("the embedded Redis") { _ = try await workspace.servers.startRedis() }
      }
    }
  }

  /// Why the address cannot be listened on.
  private static func failure(_ error: IOError, host: String, port: Int) -> CommandFailure {
    let address = "\(printable(host)):\(port)"
    switch error.errnoCode {
    case EADDRINUSE:
      let holder = PortHolder(url: "http://\(host):\(port)").map { " by process \($0.process) (\(printable($0.name)))" }
      return CommandFailure(
        code: "address-in-use", message: "\(address) is taken\(holder ?? " by another program"): nothing was served",
        hint: "stop it, or choose another port: --port, or MAVEN_MCP_PORT; `moha-sync health` says whether it is ours",
        status: .failed)
    case EACCES, EPERM:
      return CommandFailure(
        code: "address-refused", message: "this user may not listen on \(address): nothing was served",
        hint: "choose a port above 1023 with --port, or MAVEN_MCP_PORT", status: .failed)
    case EADDRNOTAVAIL:
      return CommandFailure(
        code: "address-unknown", message: "\(printable(host)) is no address of this machine: nothing was served",
        hint: "name one with --host, such as 127.0.0.1", status: .usage)
    default:
      return CommandFailure(
        code: "address-failed",
        message: "cannot listen on \(address): \(String(cString: strerror(error.errnoCode))); nothing was served",
        hint: "choose another address with --host and --port", status: .failed)
    }
  }

  /// Everything that is served beside `/mcp`.
  private static func pages(
    _ records: AgentRecords, _ workspace: Workspace, _ activity: Activity, _ logger: Logger
  ) -> [HTTPPage] {
    let watched = ServerPages(
      records: records, activity: activity, version: MohaSync.configuration.version,
      tickRecord: TickRecord.path(
        gitDirectory: workspace.repository.gitDirectory, agent: workspace.settings.agent),
      tree: MCPPort.tree(root: workspace.root, agent: workspace.settings.agent))
    return watched.pages + Dashboard(records) { logger.warning("\($0)") }.pages
  }

  private func chosenPort(_ environment: [String: String]) throws -> Int {
    try port.map { try Serve.check($0, "--port") } ?? Serve.configuredPort(environment)
  }

  /// The port where none is named: `MAVEN_MCP_PORT`, or 3100.
  static func configuredPort(_ environment: [String: String]) throws -> Int {
    guard let text = environment["MAVEN_MCP_PORT"], !text.isEmpty else { return HTTPSettings().port }
    return try Serve.check(Int(text), "MAVEN_MCP_PORT")
  }

  private static func check(_ port: Int?, _ name: String) throws -> Int {
    guard let port, (0...65_535).contains(port) else {
      throw CommandFailure(code: "configuration", message: "\(name) is no port from 0 to 65535", status: .usage)
    }
    return port
  }

  /// The tokens of a file that is its owner's alone. Nothing of its text is ever repeated.
  private static func tokens(in file: String) throws -> [BearerToken] {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: file),
      let mode = attributes[.posixPermissions] as? Int, let data = FileManager.default.contents(atPath: file)
    else {
      throw CommandFailure(code: "token-file", message: "\(file) cannot be read: nothing was started", status: .usage)
    }
    guard mode & 0o077 == 0 else {
      throw CommandFailure(
        code: "token-file", message: "\(file) can be read by others: nothing was started",
        hint: "chmod 600 \(file)", status: .refused)
    }
    var tokens: [BearerToken] = []
    for (number, line) in String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).enumerated() {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard let last = words.last, !last.hasPrefix("#"), words.first?.hasPrefix("#") != true else { continue }
      let scope: BearerToken.Scope = words.count == 2 && words[0] == "read" ? .read : .write
      guard words.count == (scope == .read ? 2 : 1), let token = token(last, scope) else {
        throw CommandFailure(
          code: "token-file",
          message: "\(file), line \(number + 1) is no token of at least 16 characters: nothing was started",
          hint: "write one token a line, such as `openssl rand -hex 32` makes", status: .usage)
      }
      tokens.append(token)
    }
    guard !tokens.isEmpty else {
      throw CommandFailure(code: "token-file", message: "\(file) holds no token: nothing was started", status: .usage)
    }
    return tokens
  }

  private static func token(_ text: Substring, _ scope: BearerToken.Scope) -> BearerToken? {
    if text.hasPrefix("sha256:") { return BearerToken(sha256: String(text.dropFirst(7)), scope: scope) }
    return text.utf8.count >= 16 ? BearerToken(token: String(text), scope: scope) : nil
  }
}
