import AsyncHTTPClient
import EmbeddedServers
import Git
import NIOCore
import NIOHTTP1
import Persistence
import Records
import Redis

extension Outlook {
  private typealias Finding = AgentHealth.Finding

  /// The four layers, in the order in which they matter.
  ///
  /// - Parameter patience: what each is then asked with.
  func probes(mcpURL: String, patience: Duration) -> [AgentHealth.Probe] {
    [git, postgres, redis, .mcp(url: mcpURL, tree: MCPPort.tree(root: root, agent: agent), patience: patience)]
  }

  private static let wording: AgentHealth.Wording = { error in
    let failure = Failure(error)
    return (failure.code, printable(failure.singleLine), failure.hint)
  }

  private var git: AgentHealth.Probe {
    .git(agent, wording: Outlook.wording) {
      do {
        return try repository.get()
      } catch let error as GitError where error.code == .notARepository && hasGitFolder {
        throw CommandFailure(
          code: "git-unreadable", message: "\(root)/.git is there, and cannot be read as a repository",
          hint: "look at its owner, its permissions and its HEAD: ls -la \(printable(root))/.git; nothing was changed",
          status: .noTree)
      } catch let error as GitError where error.code == .ownership {
        // The message ends in the line that trusts the folder.
        let text = error.description
        throw CommandFailure(
          code: "git-ownership", message: text,
          hint: text.firstRange(of: "run: ").map { String(text[$0.upperBound...]) }, status: .noTree)
      }
    }
  }

  private var postgres: AgentHealth.Probe {
    .postgres(agent, wording: Outlook.wording) {
      let settings = try settings.get()
      if settings.database == nil, settings.databaseFault == nil, case .crashed = await servers.status().postgres {
        throw CommandFailure(
          code: "crashed", message: "the embedded database has crashed; git holds every record",
          hint: "moha-sync up", status: .serviceDown)
      }
      return try await settings.databaseIfUp(servers)
    }
  }

  private var redis: AgentHealth.Probe {
    switch settings {
    case .success(let settings): .redis(settings, servers)
    case .failure(let error):
      AgentHealth.Probe("redis") {
        let words = Outlook.wording(error)
        return Finding(.down, code: words.code, words.message, hint: words.hint)
      }
    }
  }
}

extension AgentHealth.Probe {
  private typealias Finding = AgentHealth.Finding

  /// What is true of Redis whenever it is away.
  private static let consequence = "reads and writes go on without it, only slower"

  static func redis(_ settings: Settings, _ servers: EmbeddedServers) -> AgentHealth.Probe {
    AgentHealth.Probe("redis") {
      if settings.redisURL == nil {
        switch await servers.status().redis {
        case .running: break
        case .crashed:
          return Finding(.down, code: "crashed", "the embedded Redis has crashed; \(consequence)", hint: "moha-sync up")
        case .stopped, .notInitialised:
          return Finding(
            .down, code: "not-running", "the embedded Redis is not running: whoever needs it starts it; \(consequence)",
            hint: "moha-sync up", isFault: false)
        }
      }
      do throws(RedisError) {
        let client = try await RedisClient(settings.redisSettings(servers))
        try await client.ping()
        let refusal = try await refusal(client)
        await client.close()
        return refusal ?? .ok("it answers, and takes writes")
      } catch {
        // The URL of the configured server is in the message only where the caller is on this machine.
        let (problem, hint) =
          switch error.code {
          case .connectionFailed: ("no server listens there", "start it, or correct redis: url: and REDIS_URL")
          case .timeout: ("it did not answer in time", "look at its process: it may be stopped, or busy")
          case .authenticationFailed: ("it refused the password", "correct the password in REDIS_URL")
          case .invalidParameter, .unsupported: (error.message, "correct redis: url: and REDIS_URL")
          case .server: ("it answered with an error", "look at its log; a server that loads its data is ready soon")
          default: ("the connection broke (\(error.code))", "look at its process and its log")
          }
        // Which of two clocks runs out first, the client's or that of the look, is nobody's business.
        let code = error.code == .timeout ? "no-answer" : "redis-\(error.code)"
        return Finding(.down, code: code, "\(problem); \(consequence)", hint: hint)
      }
    }
  }

  /// What the server says to a write; nil where it takes it.
  ///
  /// XX writes only where the key exists, and nobody has it, so nothing is changed; a server refuses the command all the
  /// same where it refuses every write: a replica, one that cannot save, a full one, a user without the right.
  private static func refusal(_ client: RedisClient) async throws(RedisError) -> Finding? {
    do {
      _ = try await client.command("SET", "moha:health", "", "XX")
      return nil
    } catch {
      switch error.code {
      case .authenticationFailed where error.message.hasPrefix("NOPERM"):
        return .ok("it answers; this user may not write the key that would tell whether it takes writes")
      case .server, .outOfMemory:
        return Finding(
          .degraded, code: "redis-read-only",
          "it answers and refuses writes (\(printable(String(error.message.prefix(120))))); \(consequence)",
          hint: "name the primary in redis: url: or REDIS_URL, or look at its memory, its disk and the user's rights")
      default: throw error
      }
    }
  }

  /// Whether a `moha-sync serve` of this tree answers at `url`.
  ///
  /// - Parameter tree: what `MCPPort.tree` says of root and agent.
  static func mcp(url: String, tree: String, patience: Duration) -> AgentHealth.Probe {
    // A report is read without a network: it names the place, and is no link to it.
    let place = printable(url.replacing("http://", with: ""))
    return AgentHealth.Probe("mcp") {
      switch await MCPPort(url: url, patience: patience).look(for: tree) {
      case .ours: return .ok("serving this tree at \(place)")
      case .otherTree:
        return Finding(
          .down, code: "mcp-other-tree",
          "the moha-sync at \(place) serves another tree or agent, or is of an older version",
          hint: "start one for this tree on a port of its own: `moha-sync serve --port`, MAVEN_MCP_PORT", isFault: false)
      case .other:
        return Finding(
          .down, code: "mcp-foreign", "another program answers at \(place)",
          hint: "stop it, or take another port: `moha-sync serve --port`, MAVEN_MCP_PORT")
      case .nobody:
        return Finding(
          .down, code: "mcp-not-running",
          "not started: nothing listens at \(place); clients of `moha-sync mcp` do not need it",
          hint: "moha-sync serve, or leave it out: --without mcp", isFault: false)
      case .silent:
        return Finding(
          .down, code: "no-answer", "what listens at \(place) does not answer",
          hint: "look at the process of `moha-sync serve`: it may be stopped")
      }
    }
  }
}

/// Who answers at the address of the MCP server.
struct MCPPort: Sendable {
  enum Answer: Sendable {
    case ours
    /// A server of ours that serves other records.
    case otherTree
    case other
    case nobody
    case silent
  }

  /// The server's URL without a path: `http://127.0.0.1:3100`.
  let url: String
  let patience: Duration

  private static let signStart = #"{"schema":1,"status":"ok","program":"moha-sync""#

  /// The text of `/healthz`, which says whose server it is, and of which tree.
  static func sign(of tree: String) -> String { "\(signStart),\"serves\":\"\(tree)\"}" }

  /// Tells root and agent apart from others without naming them: everybody who reaches the server may read it.
  static func tree(root: String, agent: Agent) -> String {
    AgentRecords.mark(root: root, agent: agent)
  }

  func look(for tree: String) async -> Answer {
    let ending = await Deadline.run(patience * 9 / 10, grace: .zero) { try await ask() }
    switch ending {
    case .returned(let text):
      if text.hasPrefix(MCPPort.sign(of: tree)) { return .ours }
      return text.hasPrefix(MCPPort.signStart) ? .otherTree : .other
    case .late: return .silent
    case .threw(let error):
      if let error = error as? HTTPClientError {
        // Somebody accepted the connection and then said nothing, or nothing that is HTTP.
        if error == .readTimeout || error == .deadlineExceeded { return .silent }
        return error == .connectTimeout ? .nobody : .other
      }
      return error is HTTPParserError ? .other : .nobody
    }
  }

  /// What `/healthz` answers; empty where it is no success.
  private func ask() async throws -> String {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    // Before the deadline of the whole, so that it is known what did not answer.
    let limit = TimeAmount(patience * 8 / 10)
    configuration.timeout = .init(connect: limit, read: limit)
    // A refused connection is an answer.
    configuration.connectionPool.retryConnectionEstablishment = false
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
      let response = try await client.execute(HTTPClientRequest(url: "\(url)/healthz"), timeout: TimeAmount(patience * 17 / 20))
      let body = try await response.body.collect(upTo: 4_096)
      try await client.shutdown()
      return response.status.code == 200 ? String(buffer: body) : ""
    } catch {
      try await client.shutdown()
      throw error
    }
  }
}
