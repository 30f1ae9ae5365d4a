internal import Records

/// What a `subscriptions/listen` asks to be told, and the messages of its stream.
struct ListenFilter: Sendable {
  let id: RequestID
  private let wantsResourceList: Bool
  /// In the order given.
  private let uris: [JSONString]

  static let idKey: JSONString = "io.modelcontextprotocol/subscriptionId"

  /// - Throws: -32602 where the filter is malformed.
  init(_ id: RequestID, _ parameters: JSONValue) throws(RPCError) {
    guard let filter = parameters["notifications"], case .object = filter else {
      throw .invalidParameters("`notifications` must be an object")
    }
    for key: JSONString in ["toolsListChanged", "promptsListChanged", "resourcesListChanged"] {
      switch filter[key] {
      case nil, .null, .bool: break
      default: throw .invalidParameters("`notifications.\(key)` must be a boolean")
      }
    }
    self.id = id
    self.wantsResourceList = filter["resourcesListChanged"] == .bool(true)
    switch filter["resourceSubscriptions"] {
    case nil, .null: uris = []
    case .array(let elements):
      guard elements.count <= LegacySession.maximumSubscriptions else {
        throw .invalidParameters("at most \(LegacySession.maximumSubscriptions) resources may be listened to")
      }
      var seen: Set<JSONString> = []
      var accepted: [JSONString] = []
      for element in elements {
        guard case .string(let uri) = element, uri.text != nil else {
          throw .invalidParameters("`notifications.resourceSubscriptions` must be an array of strings")
        }
        if seen.insert(uri).inserted { accepted.append(uri) }
      }
      uris = accepted
    default: throw .invalidParameters("`notifications.resourceSubscriptions` must be an array of strings")
    }
  }

  private init(_ id: RequestID, wantsResourceList: Bool, uris: [JSONString]) {
    self.id = id
    self.wantsResourceList = wantsResourceList
    self.uris = uris
  }

  /// The part that will be honoured: of the resources, those that may be subscribed to. The lists of tools and prompts
  /// never change while a server runs, so no notice of them is promised.
  func honoured(by offering: any Offering) async -> ListenFilter {
    var honoured: [JSONString] = []
    for uri in uris {
      if let text = uri.text, await offering.isSubscribable(text) { honoured.append(uri) }
    }
    return ListenFilter(id, wantsResourceList: wantsResourceList, uris: honoured)
  }

  private var meta: JSONValue.Member {
    JSONValue.Member("_meta", .object([JSONValue.Member(Self.idKey, id.value)]))
  }

  /// The first message of the stream; says what is honoured.
  var acknowledgement: [UInt8] {
    var accepted: [JSONValue.Member] = []
    if wantsResourceList { accepted.append(JSONValue.Member("resourcesListChanged", true)) }
    if !uris.isEmpty { accepted.append(JSONValue.Member("resourceSubscriptions", .array(uris.map { .string($0) }))) }
    return Outgoing.notification(
      "notifications/subscriptions/acknowledged", [meta, JSONValue.Member("notifications", .object(accepted))])
  }

  func notifications(for change: OfferingChange) -> [[UInt8]] {
    switch change {
    case .resourceListChanged:
      guard wantsResourceList else { return [] }
      return [Outgoing.notification("notifications/resources/list_changed", [meta])]
    case .updated(let changed):
      return changed.map { JSONString($0) }.filter(uris.contains).map {
        Outgoing.notification("notifications/resources/updated", [meta, JSONValue.Member("uri", .string($0))])
      }
    }
  }
}
