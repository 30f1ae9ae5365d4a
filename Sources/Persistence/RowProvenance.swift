internal import Git
internal import Postgres
internal import Records

/// Where a row comes from: the columns behind the record's own.
struct RowProvenance {
  let key: String
  let agent: String
  let path: String
  let objectID: ObjectID
  let sourceCommit: ObjectID?
  let archivedCommit: ObjectID?

  init(_ record: GitRecord, agent: Agent) {
    key = record.key.text
    self.agent = agent.name
    path = RecordPath(record.path.bytes).text
    objectID = record.objectID
    sourceCommit = record.sourceCommit
    archivedCommit = record.archivedCommit
  }

  var status: GitStatus { archivedCommit == nil ? .current : .archived }

  /// In the order of `RecordTable.provenanceColumns`.
  func parameters(_ record: Record) -> [Value] {
    [
      .text(key), .text(agent), .text(path), .bytes(objectID.bytes), .bytes(sourceCommit), .text(status.rawValue),
      .bytes(archivedCommit), record.time.map { .timestamp(microsecondsSince2000: $0.microsecondsSince2000) } ?? .null,
    ]
  }

  /// The same columns for COPY.
  func encode(_ record: Record, into encoder: inout BinaryRowEncoder) throws {
    try encoder.text(key)
    try encoder.text(agent)
    try encoder.text(path)
    try encoder.bytes(objectID.bytes)
    if let sourceCommit { try encoder.bytes(sourceCommit.bytes) } else { try encoder.null() }
    try encoder.text(status.rawValue)
    if let archivedCommit { try encoder.bytes(archivedCommit.bytes) } else { try encoder.null() }
    if let time = record.time {
      try encoder.timestamp(microsecondsSince2000: time.microsecondsSince2000)
    } else {
      try encoder.null()
    }
  }
}

extension ColumnValue {
  var parameter: Value {
    switch self {
    case .null: .null
    case .text(let text): .text(text)
    case .numeric(let number): .numeric(number.text)
    case .instant(let instant): .timestamp(microsecondsSince2000: instant.microsecondsSince2000)
    case .json(let text): .json(text)
    }
  }

  func encode(into encoder: inout BinaryRowEncoder) throws {
    switch self {
    case .null: try encoder.null()
    case .text(let text): try encoder.text(text)
    case .numeric(let number): try encoder.numeric(number.text)
    case .instant(let instant): try encoder.timestamp(microsecondsSince2000: instant.microsecondsSince2000)
    case .json(let text): try encoder.jsonb(text)
    }
  }
}

extension Value {
  static func bytes(_ id: ObjectID?) -> Value {
    id.map { .bytes($0.bytes) } ?? .null
  }
}
