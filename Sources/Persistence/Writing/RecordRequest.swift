package import Records

/// What a client asks to record: one JSON object a kind, the same for the command line and the MCP tools.
package enum RecordRequest: Sendable {
  case decision(Decision, key: String?)
  case event(Event, key: String?)
  case milestone(Milestone, key: String?)
  case snapshot(Snapshot, key: String?)
  /// Members to merge deeply into identity.json; `isRebirth` adds one to `rebirth_count`.
  case identity(updates: JSONValue, isRebirth: Bool, key: String?)

  package enum Kind: String, CaseIterable, Sendable {
    case decision
    case event
    case milestone
    case identity
    case snapshot
  }

  /// The idempotency key: the same key twice gives one record.
  package var key: String? {
    switch self {
    case .decision(_, let key), .event(_, let key), .milestone(_, let key), .snapshot(_, let key),
      .identity(_, _, let key):
      key
    }
  }

  package var kind: Kind {
    switch self {
    case .decision: .decision
    case .event: .event
    case .milestone: .milestone
    case .snapshot: .snapshot
    case .identity: .identity
    }
  }

  /// A request for a record that exists already, with its own time.
  init(_ record: Record, key: String?) {
    self =
      switch record {
      case .decision(let decision): .decision(decision, key: key)
      case .event(let event): .event(event, key: key)
      case .milestone(let milestone): .milestone(milestone, key: key)
      case .snapshot(let snapshot): .snapshot(snapshot, key: key)
      }
  }

  /// What was taken as it was given, and probably means something else; sentences for the answer.
  package var warnings: [String] {
    guard case .decision(let decision, _) = self else { return [] }
    let confidence = decision.confidence
    guard ExactDecimal(0) < confidence, confidence < ExactDecimal(1) || confidence == ExactDecimal(1),
      let percent = confidence.multiplied(by: ExactDecimal(100))
    else { return [] }
    let given = confidence.canonical
    return ["confidence \(given) is recorded as \(given) %; did you mean \(percent.canonical)?"]
  }

  /// Reads a request. Its limits are those of `RecordLimits`.
  ///
  /// - Parameter now: the record's time; a client cannot choose it.
  /// - Throws: `.invalidRequest` with every fault, not only the first.
  package init(_ kind: Kind, json: JSONValue, now: Instant) throws {
    var reader = RequestReader(json)
    let key = reader.optional("idempotency_key", limit: RecordLimits.key)
    switch kind {
    case .decision:
      let confidence = reader.confidence()
      let risk = reader.required("risk_level")
      if !risk.isEmpty, !Decision.riskLevels.contains(Decision.canonicalRiskLevel(risk)) {
        reader.fault("risk_level must be one of \(Decision.riskLevels.joined(separator: ", "))")
      }
      let decision = Decision(
        decisionType: reader.required("decision_type", limit: RecordLimits.shortText),
        asset: reader.optional("asset", limit: RecordLimits.shortText),
        riskLevel: Decision.canonicalRiskLevel(risk), confidence: confidence, decidedAt: now,
        action: reader.required("action"), reasoning: reader.required("reasoning"), outcome: nil,
        metadata: reader.metadata(idempotencyKey: key))
      self = .decision(decision, key: key)
    case .event:
      let event = Event(
        type: reader.required("event_type", limit: RecordLimits.shortText), title: nil, time: now, timeText: nil,
        content: reader.required("content"), metadata: reader.metadata(idempotencyKey: key))
      self = .event(event, key: key)
    case .milestone:
      let milestone = Milestone(
        title: reader.required("title", limit: RecordLimits.shortText),
        category: reader.required("category", limit: RecordLimits.shortText),
        significance: reader.optional("significance", limit: RecordLimits.shortText), achievedAt: now,
        description: reader.required("description"), metadata: reader.metadata(idempotencyKey: key))
      self = .milestone(milestone, key: key)
    case .identity:
      let updates = reader.updates()
      let isRebirth = reader.isRebirth(updates)
      self = .identity(updates: updates.removing("rebirth"), isRebirth: isRebirth, key: key)
    case .snapshot:
      let snapshot = reader.snapshot(now, metadata: reader.metadata(idempotencyKey: key))
      self = .snapshot(snapshot, key: key)
    }
    try reader.finish(kind, record: record)
  }

  /// The record to make; nil for updates of the identity.
  private var record: Record? {
    switch self {
    case .decision(let decision, _): .decision(decision)
    case .event(let event, _): .event(event)
    case .milestone(let milestone, _): .milestone(milestone)
    case .snapshot(let snapshot, _): .snapshot(snapshot)
    case .identity: nil
    }
  }
}

/// Reads members of a request and collects what is wrong with them.
private struct RequestReader {
  private var members: [JSONValue.Member] = []
  private var faults: [String] = []
  private var known: Set<JSONString> = []

  init(_ json: JSONValue) {
    guard case .object(let members) = json else {
      faults.append("the request must be a JSON object")
      return
    }
    self.members = members
    faults += RecordLimits.controlFaults(in: json)
  }

  mutating func fault(_ text: String) {
    faults.append(text)
  }

  private mutating func value(_ name: JSONString) -> JSONValue? {
    known.insert(name)
    let found = members.filter { $0.key == name }
    if found.count > 1 { faults.append("\(name) is given twice") }
    guard let value = found.last?.value, value != .null else { return nil }
    return value
  }

  mutating func required(_ name: JSONString, limit: Int = RecordLimits.text) -> String {
    let text = optional(name, limit: limit)
    if text == nil, !faults.contains(where: { $0.hasPrefix("\(name) ") }) { faults.append("\(name) is missing") }
    return text ?? ""
  }

  mutating func optional(_ name: JSONString, limit: Int = RecordLimits.text) -> String? {
    guard let value = value(name) else { return nil }
    guard let text = value.text else {
      faults.append("\(name) must be a text of valid Unicode")
      return nil
    }
    if text.utf8.count > limit {
      faults.append("\(name) has \(text.utf8.count) bytes; at most \(limit) are taken")
    }
    return text.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D } ? nil : text
  }

  mutating func confidence() -> ExactDecimal {
    let zero = ExactDecimal(0)
    guard let value = value("confidence") else {
      faults.append("confidence is missing")
      return zero
    }
    // Older callers send numbers as texts, which say the same.
    let spelling: String? = if case .number(let number) = value { number.spelling } else { value.text }
    guard let number = spelling.flatMap({ JSONNumber($0) }), let decimal = ExactDecimal(number.spelling) else {
      faults.append("confidence must be a plain number from 0 to 100")
      return zero
    }
    if decimal < zero || ExactDecimal(100) < decimal { faults.append("confidence must be from 0 to 100") }
    // The writer's form has a decimal: 98 is written 98.0.
    return number.spelling.contains(".") ? decimal : ExactDecimal(number.spelling + ".0") ?? decimal
  }

  mutating func object(_ name: JSONString) -> JSONValue {
    guard let value = value(name) else {
      faults.append("\(name) is missing")
      return .emptyObject
    }
    guard case .object = value else {
      faults.append("\(name) must be an object")
      return .emptyObject
    }
    return value
  }

  /// Members to merge into the identity. Its counters count.
  mutating func updates() -> JSONValue {
    let updates = object("updates")
    for counter in IdentityFile.Counter.allCases {
      guard case .invalid(let value) = counter.value(in: updates) else { continue }
      faults.append("\(counter.name) must be a whole number from 0 on, and is \(value)")
    }
    return updates
  }

  /// Whether the updates tell of a rebirth; older callers say so as a text.
  mutating func isRebirth(_ updates: JSONValue) -> Bool {
    switch updates["rebirth"] {
    case nil, .bool(false), .null: return false
    case .bool(true): return true
    case let value?:
      if value.text == "true" { return true }
      if value.text != "false" { faults.append("rebirth must be true or false") }
      return false
    }
  }

  /// The metadata, with the idempotency key in it: git then knows which keys were used, wherever the record goes.
  mutating func metadata(idempotencyKey: String?) -> JSONValue {
    var metadata = JSONValue.emptyObject
    if let value = value("metadata") {
      guard case .object = value else {
        faults.append("metadata must be an object")
        return metadata
      }
      metadata = value
    }
    guard let idempotencyKey, case .object(let members) = metadata else { return metadata }
    return .object(members.filter { $0.key != "idempotency_key" } + [.init("idempotency_key", .string(idempotencyKey))])
  }

  /// The members are those of the file; without a type it was taken by hand.
  mutating func snapshot(_ now: Instant, metadata: JSONValue) -> Snapshot {
    var given: [JSONValue.Member] = [
      .init("snapshot_at", .string(now.description)), .init("snapshot_type", "manual"), .init("metadata", metadata),
    ]
    for column in RecordRow.columns(of: .snapshot) where column != "snapshot_at" && column != "metadata" {
      // Of two members with one name the last one counts.
      if let value = value(JSONString(column)) { given.append(.init(JSONString(column), value)) }
    }
    if let notes = value("notes")?.text, notes.utf8.count > RecordLimits.text {
      faults.append("notes has \(notes.utf8.count) bytes; at most \(RecordLimits.text) are taken")
    }
    let file = RecordFile.decode(Array(JSONValue.object(given).text().utf8), role: .snapshot, path: RecordPath([]))
    faults += file.diagnostics.filter { $0.severity == .error }.map(\.message)
    if case .snapshot(let snapshot) = file.record { return snapshot }
    return Snapshot(
      cause: .manual, takenAt: now, totalValue: ExactDecimal(0), availableBalance: ExactDecimal(0),
      marginUsed: ExactDecimal(0), unrealizedPnL: ExactDecimal(0), openPositions: .array([]))
  }

  func finish(_ kind: RecordRequest.Kind, record: Record?) throws {
    let unknown = members.map(\.key).filter { !known.contains($0) }
    var faults = faults + unknown.map { "\(RecordLimits.visible($0)) is no argument of \(kind.rawValue)" }
    if faults.isEmpty, let record, let fault = RecordLimits.fileFault(of: record) { faults.append(fault) }
    guard faults.isEmpty else {
      throw PersistenceError(
        .invalidRequest, "the \(kind.rawValue) was not recorded: \(faults.joined(separator: "; "))",
        hint: "correct the arguments and send it again")
    }
  }
}

extension JSONValue {
  fileprivate func removing(_ key: JSONString) -> JSONValue {
    guard case .object(let members) = self else { return self }
    return .object(members.filter { $0.key != key })
  }
}
