package import Records

/// What a server offers, apart from protocol revision and transport: values in, values out.
///
/// One offering serves any number of connections of both eras at once, so its methods are called concurrently and
/// keep no state of a connection. They know nothing of JSON-RPC. A client's cancellation, or its going away, is the
/// cancellation of the task; work that has reached its point of no return (a commit) is finished all the same.
///
/// Lists are whole, sorted by name or URI in byte order, and each name occurs once: the protocol layer pages them by
/// the last name given, so a walk under changes neither repeats nor loses an entry.
package protocol Offering: Sendable {
  var server: ServerIdentity { get }
  /// What a model is told about the server as a whole. Never holds record text.
  var instructions: String? { get }

  var tools: [Tool] { get }
  /// Calls a tool that `tools` lists. Arguments are an object; whether they fit the schema is the tool's to say.
  ///
  /// A wrong argument, a refusal or a failure of the business is a result with `isError`, with text that says what
  /// to do next. Only a fault of the server itself is thrown.
  func call(_ tool: String, arguments: JSONValue, context: CallContext) async throws -> ToolResult

  var resourceTemplates: [ResourceTemplate] { get }
  func resources() async throws -> [Resource]
  /// The contents of a resource, byte-equal URI; nil where there is none.
  func read(_ uri: String, context: CallContext) async throws -> [ResourceContents]?
  /// Whether a URI may be subscribed to: it names a resource that exists, or may come to exist.
  func isSubscribable(_ uri: String) async -> Bool

  var prompts: [Prompt] { get }
  /// A prompt that `prompts` lists, with its required arguments present.
  func prompt(_ name: String, arguments: [String: String], context: CallContext) async throws -> PromptResult
  /// Values for an argument of a prompt or template that exists; at most 100, best first.
  func complete(_ request: CompletionRequest) async throws -> Completion

  /// Changes from now on, each once for every caller: writes of this process and commits of others.
  func changes() -> AsyncStream<OfferingChange>
}

/// Who serves.
package struct ServerIdentity: Hashable, Sendable {
  /// A short, stable name for programs: `moha-sync`.
  package let name: String
  package let title: String
  package let version: String

  package init(name: String, title: String, version: String) {
    self.name = name
    self.title = title
    self.version = version
  }
}

/// What a call may use of its connection.
package struct CallContext: Sendable {
  /// Sends progress where the client asked for it; each value is larger than the one before.
  package let progress: @Sendable (_ done: Double, _ total: Double?, _ message: String?) -> Void
  /// Sends a log message where the client asked for this level or a lower one.
  package let log: @Sendable (_ level: LogLevel, _ logger: String?, _ data: JSONValue) -> Void

  package init(
    progress: @escaping @Sendable (Double, Double?, String?) -> Void = { _, _, _ in },
    log: @escaping @Sendable (LogLevel, String?, JSONValue) -> Void = { _, _, _ in }
  ) {
    self.progress = progress
    self.log = log
  }

  /// The levels of RFC 5424 in their order.
  package enum LogLevel: String, CaseIterable, Sendable {
    case debug, info, notice, warning, error, critical, alert, emergency
  }
}

package struct Tool: Sendable {
  package let name: String
  package let title: String
  package let description: String
  /// JSON Schemas with `type: object` at the root, no `$schema`, no `$ref` beyond the document.
  package let inputSchema: JSONValue
  package let outputSchema: JSONValue?
  package let annotations: Annotations

  package init(
    name: String, title: String, description: String, inputSchema: JSONValue, outputSchema: JSONValue?,
    annotations: Annotations
  ) {
    self.name = name
    self.title = title
    self.description = description
    self.inputSchema = inputSchema
    self.outputSchema = outputSchema
    self.annotations = annotations
  }

  /// Every hint is stated and true.
  package struct Annotations: Hashable, Sendable {
    package let isReadOnly: Bool
    package let isDestructive: Bool
    package let isIdempotent: Bool
    package let isOpenWorld: Bool

    package init(isReadOnly: Bool, isDestructive: Bool, isIdempotent: Bool, isOpenWorld: Bool) {
      self.isReadOnly = isReadOnly
      self.isDestructive = isDestructive
      self.isIdempotent = isIdempotent
      self.isOpenWorld = isOpenWorld
    }
  }
}

/// One piece of content in a tool's result or a prompt's message.
package enum Content: Sendable {
  case text(String)
  case image([UInt8], mimeType: String)
  case audio([UInt8], mimeType: String)
  case resource(ResourceContents)
  case resourceLink(Resource)
}

package struct ToolResult: Sendable {
  package let content: [Content]
  /// An object that fits the tool's output schema. Existing clients parse the same object from the text content.
  package let structured: JSONValue?
  package let isError: Bool

  package init(content: [Content], structured: JSONValue? = nil, isError: Bool = false) {
    self.content = content
    self.structured = structured
    self.isError = isError
  }
}

package struct Resource: Sendable {
  package let uri: String
  package let name: String
  package let title: String?
  package let description: String?
  package let mimeType: String?
  /// In bytes, where it is known without reading.
  package let size: Int?

  package init(
    uri: String, name: String, title: String? = nil, description: String? = nil, mimeType: String? = nil,
    size: Int? = nil
  ) {
    self.uri = uri
    self.name = name
    self.title = title
    self.description = description
    self.mimeType = mimeType
    self.size = size
  }
}

package struct ResourceTemplate: Sendable {
  /// RFC 6570, level 1.
  package let uriTemplate: String
  package let name: String
  package let title: String?
  package let description: String?
  package let mimeType: String?

  package init(
    uriTemplate: String, name: String, title: String? = nil, description: String? = nil, mimeType: String? = nil
  ) {
    self.uriTemplate = uriTemplate
    self.name = name
    self.title = title
    self.description = description
    self.mimeType = mimeType
  }
}

package struct ResourceContents: Sendable {
  package enum Body: Sendable {
    case text(String)
    case blob([UInt8])
  }

  package let uri: String
  package let mimeType: String?
  package let body: Body

  package init(uri: String, mimeType: String?, body: Body) {
    self.uri = uri
    self.mimeType = mimeType
    self.body = body
  }
}

package struct Prompt: Sendable {
  package struct Argument: Sendable {
    package let name: String
    package let description: String
    package let isRequired: Bool

    package init(name: String, description: String, isRequired: Bool) {
      self.name = name
      self.description = description
      self.isRequired = isRequired
    }
  }

  package let name: String
  package let title: String
  package let description: String
  package let arguments: [Argument]

  package init(name: String, title: String, description: String, arguments: [Argument]) {
    self.name = name
    self.title = title
    self.description = description
    self.arguments = arguments
  }
}

package struct PromptResult: Sendable {
  package enum Role: String, Sendable {
    case user, assistant
  }

  package let description: String?
  package let messages: [(role: Role, content: Content)]

  package init(description: String?, messages: [(role: Role, content: Content)]) {
    self.description = description
    self.messages = messages
  }
}

package struct CompletionRequest: Sendable {
  package enum Reference: Hashable, Sendable {
    case prompt(String)
    case resourceTemplate(String)
  }

  package let reference: Reference
  package let argument: String
  /// What the user has typed so far.
  package let value: String
  /// Arguments that are chosen already.
  package let chosen: [String: String]

  package init(reference: Reference, argument: String, value: String, chosen: [String: String]) {
    self.reference = reference
    self.argument = argument
    self.value = value
    self.chosen = chosen
  }
}

package struct Completion: Sendable {
  package let values: [String]
  /// How many there are in all, where that is known.
  package let total: Int?
  package let hasMore: Bool

  package init(values: [String], total: Int? = nil, hasMore: Bool = false) {
    self.values = values
    self.total = total
    self.hasMore = hasMore
  }
}

package enum OfferingChange: Hashable, Sendable {
  /// These resources read otherwise than before.
  case updated(uris: [String])
  /// The list of resources is another one.
  case resourceListChanged
}
