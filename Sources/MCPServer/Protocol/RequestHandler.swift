internal import Logging
internal import Records
internal import Telemetry

/// Answers requests of either era from an offering: checks the parameters, calls it, renders what it gives.
///
/// It holds no state of a connection, so any number of requests run at once and none waits for another.
struct RequestHandler: Sendable {
  let offering: any Offering
  let catalog: Catalog
  let logger: Logger
  /// Where requests are counted; nil where nobody asks for the counts.
  private let activity: Activity?
  private let server: JSONValue

  /// A larger result is not sent: it would not fit a model, and is a fault of the offering.
  static let maximumResultBytes = 4 << 20

  init(_ offering: any Offering, logger: Logger, activity: Activity? = nil) {
    self.offering = offering
    self.logger = logger
    self.activity = activity
    catalog = Catalog(offering)
    server = Rendering.implementation(offering.server)
  }

  /// What is to be done for a request.
  enum Plan: Sendable {
    /// It is answered already, without waiting for anything.
    case answered(Answer)
    /// The work yields a result object in the form that all eras share; see `finished`.
    case work(@Sendable (CallContext) async throws -> [UInt8])
    /// What belongs to the connection, which answers it.
    case connection(Method)
  }

  /// Checks a request and says what is to be done for it.
  func plan(_ name: String, _ parameters: JSONValue, _ scope: RequestScope) -> Plan {
    let start = ContinuousClock.now
    let plan = checked(name, parameters, scope)
    switch plan {
    case .answered(let answer): count(name, answer, since: start)
    case .connection: activity?.request(name, .ok, ContinuousClock.now - start)
    // Counted with its answer.
    case .work: break
    }
    return plan
  }

  private func count(_ name: String, _ answer: Answer, since start: ContinuousClock.Instant) {
    guard let activity else { return }
    let outcome: Activity.RequestOutcome = if case .success = answer { .ok } else { .error }
    activity.request(name, outcome, ContinuousClock.now - start)
  }

  private func checked(_ name: String, _ parameters: JSONValue, _ scope: RequestScope) -> Plan {
    guard let method = Method(rawValue: name), method.exists(in: scope.revision), catalog.offers(method) else {
      return .answered(.failure(.methodNotFound(name)))
    }
    do {
      return try plan(method, parameters, scope)
    } catch {
      return .answered(.failure(error))
    }
  }

  private func plan(_ method: Method, _ parameters: JSONValue, _ scope: RequestScope) throws(RPCError) -> Plan {
    switch method {
    case .initialize, .setLevel, .subscribe, .unsubscribe, .listen: return .connection(method)
    case .ping: return .answered(.success(finished(Array("{}".utf8), method, scope)))
    case .discover: return .answered(.success(finished(discovery(scope), method, scope)))
    case .listTools:
      let bytes = try list("tools", catalog.tools, parameters)
      return .answered(.success(finished(bytes, method, scope)))
    case .listPrompts:
      let bytes = try list("prompts", catalog.prompts, parameters)
      return .answered(.success(finished(bytes, method, scope)))
    case .listTemplates:
      let bytes = try list("resourceTemplates", catalog.templates, parameters)
      return .answered(.success(finished(bytes, method, scope)))
    case .listResources:
      let start = try Page.start("resources", parameters)
      return .work { _ in
        Page.result(
          "resources", of: try await offering.resources(), after: start, key: \.uri,
          write: { Rendering.resource($0).serialized() })
      }
    case .callTool: return try callTool(parameters, scope)
    case .readResource: return try readResource(parameters, scope)
    case .getPrompt: return try getPrompt(parameters, scope)
    case .complete: return try complete(parameters)
    }
  }

  private func list<Value>(
    _ name: String, _ entries: [Catalog.Entry<Value>], _ parameters: JSONValue
  ) throws(RPCError) -> [UInt8] {
    let start = try Page.start(name, parameters)
    return Page.result(name, of: entries, after: start, key: \.name, write: \.bytes)
  }

  private func callTool(_ parameters: JSONValue, _ scope: RequestScope) throws(RPCError) -> Plan {
    let name = try Self.string("name", parameters)
    guard let tool = catalog.tool(name) else {
      throw .invalidParameters("there is no tool `\(name.description.prefix(100))`; tools/list names them")
    }
    let arguments: JSONValue
    switch parameters["arguments"] {
    case nil, .null: arguments = .emptyObject
    case .object(let members): arguments = .object(members)
    default: throw .invalidParameters("`arguments` must be an object")
    }
    return .work { context in
      let result = try await offering.call(tool.name, arguments: arguments, context: context)
      return Rendering.toolResult(result, scope.revision).serialized()
    }
  }

  private func readResource(_ parameters: JSONValue, _ scope: RequestScope) throws(RPCError) -> Plan {
    let uri = try Self.string("uri", parameters)
    // A URI that is no text can name nothing.
    guard let text = uri.text else { throw .resourceNotFound(uri, scope.revision) }
    return .work { context in
      guard let contents = try await offering.read(text, context: context), !contents.isEmpty else {
        throw RPCError.resourceNotFound(uri, scope.revision)
      }
      return JSONValue.object([JSONValue.Member("contents", .array(contents.map(Rendering.contents)))]).serialized()
    }
  }

  private func getPrompt(_ parameters: JSONValue, _ scope: RequestScope) throws(RPCError) -> Plan {
    let name = try Self.string("name", parameters)
    guard let prompt = catalog.prompt(name) else {
      throw .invalidParameters("there is no prompt `\(name.description.prefix(100))`; prompts/list names them")
    }
    let arguments = try Self.strings("arguments", parameters["arguments"])
    for argument in prompt.arguments where argument.isRequired && arguments[argument.name] == nil {
      throw .invalidParameters("the prompt `\(prompt.name)` needs the argument `\(argument.name)`")
    }
    return .work { context in
      let result = try await offering.prompt(prompt.name, arguments: arguments, context: context)
      return Rendering.promptResult(result, scope.revision).serialized()
    }
  }

  private func complete(_ parameters: JSONValue) throws(RPCError) -> Plan {
    guard let reference = parameters["ref"], case .object = reference else {
      throw .invalidParameters("`ref` must be an object")
    }
    guard let argument = parameters["argument"], case .object = argument else {
      throw .invalidParameters("`argument` must be an object")
    }
    let name = try Self.string("name", argument)
    let value = try Self.string("value", argument)
    guard let name = name.text, let value = value.text else {
      throw .invalidParameters("`argument` must be valid Unicode")
    }
    let request = CompletionRequest(
      reference: try completionReference(reference, argument: name), argument: name, value: value,
      chosen: try Self.strings("context.arguments", parameters["context"]?["arguments"]))
    return .work { _ in Rendering.completion(try await offering.complete(request)).serialized() }
  }

  private func completionReference(
    _ reference: JSONValue, argument: String
  ) throws(RPCError) -> CompletionRequest.Reference {
    switch reference["type"]?.text {
    case "ref/prompt":
      guard let prompt = catalog.prompt(try Self.string("name", reference)) else {
        throw .invalidParameters("`ref` names no prompt that there is")
      }
      guard prompt.arguments.contains(where: { $0.name == argument }) else {
        throw .invalidParameters("the prompt `\(prompt.name)` has no argument `\(argument.prefix(100))`")
      }
      return .prompt(prompt.name)
    case "ref/resource":
      guard let template = catalog.template(try Self.string("uri", reference)) else {
        throw .invalidParameters("`ref` names no resource template that there is")
      }
      guard template.uriTemplate.contains("{\(argument)}") else {
        throw .invalidParameters("the template `\(template.uriTemplate)` has no variable `\(argument.prefix(100))`")
      }
      return .resourceTemplate(template.uriTemplate)
    default: throw .invalidParameters("`ref.type` must be ref/prompt or ref/resource")
    }
  }

  static func string(_ key: JSONString, _ parameters: JSONValue) throws(RPCError) -> JSONString {
    guard case .string(let string) = parameters[key] else { throw .invalidParameters("`\(key)` must be a string") }
    return string
  }

  private static func strings(_ name: String, _ value: JSONValue?) throws(RPCError) -> [String: String] {
    switch value {
    case nil, .null: return [:]
    case .object(let members):
      var strings: [String: String] = [:]
      for member in members {
        guard let key = member.key.text, let text = member.value.text else {
          throw .invalidParameters("`\(name)` must be an object of strings")
        }
        strings[key] = text
      }
      return strings
    default: throw .invalidParameters("`\(name)` must be an object of strings")
    }
  }
}

extension RequestHandler {
  func initialization(_ revision: Revision) -> [UInt8] {
    let start = ContinuousClock.now
    defer { activity?.request(Method.initialize.rawValue, .ok, ContinuousClock.now - start) }
    var members = [
      JSONValue.Member("protocolVersion", .string(revision.rawValue)),
      JSONValue.Member("capabilities", catalog.capabilities(revision)), JSONValue.Member("serverInfo", server),
    ]
    if let instructions = offering.instructions {
      members.append(JSONValue.Member("instructions", .string(instructions)))
    }
    return JSONValue.object(members).serialized()
  }

  private func discovery(_ scope: RequestScope) -> [UInt8] {
    let versions = Revision.allCases.filter(\.isModern).map { JSONValue.string($0.rawValue) }
    var members = [
      JSONValue.Member("supportedVersions", .array(versions)),
      JSONValue.Member("capabilities", catalog.capabilities(scope.revision)),
    ]
    if let instructions = offering.instructions {
      members.append(JSONValue.Member("instructions", .string(instructions)))
    }
    return JSONValue.object(members).serialized()
  }

  /// Runs planned work and renders its outcome. A fault is logged and told to nobody else.
  ///
  /// - Parameter tell: takes what the work says before its end; see `Reporter`. Not called again once this has returned.
  func answer(
    _ work: @Sendable (CallContext) async throws -> [UInt8], _ method: Method, _ scope: RequestScope,
    telling tell: @escaping @Sendable ([UInt8]) -> Void
  ) async -> Answer {
    let start = ContinuousClock.now
    let reporter = Reporter(scope, send: tell)
    let answer = await outcome(work, method, scope, reporter.context)
    reporter.finish()
    count(method.rawValue, answer, since: start)
    return answer
  }

  private func outcome(
    _ work: @Sendable (CallContext) async throws -> [UInt8], _ method: Method, _ scope: RequestScope,
    _ context: CallContext
  ) async -> Answer {
    do {
      let result = try await work(context)
      guard result.count <= Self.maximumResultBytes else {
        logger.error("a result is too large to send", metadata: ["method": "\(method.rawValue)"])
        return .failure(RPCError(-32603, "Internal error: the result is larger than the server sends"))
      }
      return .success(finished(result, method, scope))
    } catch let error as RPCError {
      return .failure(error)
    } catch is CancellationError {
      return .failure(.givenUp)
    } catch {
      logger.error("a request failed", metadata: ["method": "\(method.rawValue)", "error": "\(error)"])
      return .failure(.internalFault)
    }
  }

  /// Adds what the newest revision wants in every result; `result` is an object and has none of it.
  func finished(_ result: [UInt8], _ method: Method, _ scope: RequestScope, listening: RequestID? = nil) -> [UInt8] {
    guard scope.revision.isModern else { return result }
    var meta = [JSONValue.Member("io.modelcontextprotocol/serverInfo", server)]
    if let listening { meta.append(JSONValue.Member(ListenFilter.idKey, listening.value)) }
    var members = [JSONValue.Member("resultType", "complete"), JSONValue.Member("_meta", .object(meta))]
    if let caching = Self.caching(method) {
      members.append(JSONValue.Member("ttlMs", .integer(caching.milliseconds)))
      members.append(JSONValue.Member("cacheScope", .string(caching.scope)))
    }
    var bytes = JSONValue.object(members).serialized()
    guard result.count > 2 else { return bytes }
    bytes[bytes.count - 1] = 0x2C
    bytes.append(contentsOf: result.dropFirst())
    return bytes
  }

  /// How long and by whom a result may be kept. Lists of a running server are fixed and hold nothing of the records;
  /// the list of resources and their contents are the agent's own and change with any commit.
  private static func caching(_ method: Method) -> (milliseconds: Int, scope: String)? {
    switch method {
    case .discover, .listTools, .listPrompts, .listTemplates: (60_000, "public")
    case .listResources, .readResource: (0, "private")
    default: nil
    }
  }
}
