internal import Crypto
internal import Git
internal import Postgres
internal import Records

/// An event row that has no key yet: a bot, or a script of an older version, inserted it.
struct UnkeyedEvent: Sendable {
  let id: Int64
  /// Type and text as the columns hold them.
  let type: String
  let description: String
  /// The text of the jsonb; nil for null.
  let metadata: String?
  /// The event's own time where the row has one, which its writer may not have known of.
  let eventTime: Instant?
  /// The event's own time, or else the moment of the insert.
  let time: Instant?
  /// Whether the row has a title or a time in words, which no older script gives it.
  let hasMore: Bool
  /// Whether the row was inserted so short a time ago that its log entry may be on its way.
  let isFresh: Bool

  /// The row as the record that it would be. Where it has no time of its own, the moment of the insert is taken.
  var event: Event {
    Event(type: DatabaseText.decode(type), time: time, content: DatabaseText.decode(description))
  }

  /// Whether everything that the row says is in the record: the letters of the type apart, which the row keeps.
  func isHeld(by event: Event) -> Bool {
    EventSpelling.isRespelled(type, event.type) && !hasMore
      && description.utf8.elementsEqual(DatabaseText.encode(event.content).utf8)
      && (eventTime == nil || eventTime == event.time)
      && (metadata == nil || metadata == "{}" || metadata == event.metadata.jsonbText)
  }

  /// Reads rows by id, in order of id. `patience` is how long a row counts as fresh; the clock is the database's.
  static func read(
    _ ids: [Int64], schema: SchemaName, patience: Duration, connection: Connection
  ) async throws -> [UnkeyedEvent] {
    var events: [UnkeyedEvent] = []
    for chunk in ids.chunks(of: 5_000) {
      let found = try await connection.query(
        """
        SELECT id::bigint, event_type, description, metadata::text, encode(timestamptz_send(event_at), 'hex'),
          encode(timestamptz_send(COALESCE(event_at, created_at)), 'hex'), title IS NOT NULL OR event_time IS NOT NULL,
          COALESCE(created_at BETWEEN now() - make_interval(secs => $2) AND now() + make_interval(secs => $2), false)
        FROM \(schema.qualified(RecordKind.event.table)) WHERE id = ANY($1::bigint[]) ORDER BY id
        """, [.intArray(chunk), .double(patience.seconds)])
      for row in found {
        events.append(
          UnkeyedEvent(
            id: try row.int(0), type: try row.string(1), description: try row.string(2),
            metadata: try row.optionalString(3), eventTime: instant(try row.optionalString(4)),
            time: instant(try row.optionalString(5)), hasMore: try row.bool(6), isFresh: try row.bool(7)))
      }
    }
    return events
  }

  /// Nil for null and for a moment that no record can have, such as infinity.
  private static func instant(_ text: String?) -> Instant? {
    guard case .instant(let instant) = RecordRow.value(text, of: "event_at") else { return nil }
    return instant
  }
}

/// Types of events in other letters: the log has a type in capitals where older scripts gave the row the type as it came.
enum EventSpelling {
  /// Whether a row's type, as the column holds it, is the record's type but for the case of its letters.
  static func isRespelled(_ rowType: String, _ type: String) -> Bool {
    let type = DatabaseText.encode(type)
    return rowType.utf8.elementsEqual(type.utf8) || rowType.uppercased().utf8.elementsEqual(type.utf8)
  }

  /// The record with the row's spelling of its type, where it is only another spelling.
  static func record(_ record: Record, spelledAs rowType: String?) -> Record {
    guard let rowType, case .event(let event) = record, isRespelled(rowType, event.type) else { return record }
    return .event(
      Event(
        type: DatabaseText.decode(rowType), title: event.title, time: event.time, timeText: event.timeText,
        content: event.content, metadata: event.metadata))
  }
}

/// Finds the record that each event row without a key stands for.
///
/// The writer of such a row has put the event into the log too, under a type in capitals and at its own clock. So a row
/// is matched by type, whatever its letters, and text:
///
/// 1. with the record nearest to it in time, within `reach`;
/// 2. the same, where one text is the other one up to a first line `---`: older scripts wrote such a line into the log
///    as it is, where it may end the entry;
/// 3. with any record of the same type and text, in order of time; not for a row that is fresh, whose own entry may
///    still come.
///
/// Each record is used once. All of it takes time O(n log n), however many texts are the same.
struct EventClaims {
  /// How far apart the clocks of a row and of its log entry may be.
  static let reach = Duration.seconds(10)

  /// What a row stands for: its record, or one that has another row.
  enum Finding {
    case record(RecordKey)
    case duplicate(of: RecordKey)
  }

  private(set) var findings: [Int64: Finding] = [:]

  /// - Parameters:
  ///   - records: every event of git, by key.
  ///   - taken: keys of those that have a row.
  init(of rows: [UnkeyedEvent], records: [(key: RecordKey, event: Event)], taken: Set<RecordKey>) {
    let reach = Int64(EventClaims.reach.components.seconds) * 1_000_000
    let rowTexts = rows.map { EventText($0.event) }
    let free = records.filter { !taken.contains($0.key) }
    let freeTexts = free.map { EventText($0.event) }
    var openRows = Set(rows.indices)
    var openRecords = Set(free.indices)

    func pair(
      _ rowText: (EventText) -> EventText.Digest, _ recordText: (EventText) -> EventText.Digest,
      _ join: ([Int], [Int]) -> [(Int, Int)]
    ) {
      guard !openRows.isEmpty, !openRecords.isEmpty else { return }
      let byText = Dictionary(grouping: openRecords, by: { recordText(freeTexts[$0]) })
      for (digest, group) in Dictionary(grouping: openRows, by: { rowText(rowTexts[$0]) }) {
        guard let candidates = byText[digest] else { continue }
        for (row, record) in join(group.sorted(), candidates.sorted()) {
          findings[rows[row].id] = .record(free[record].key)
          openRows.remove(row)
          openRecords.remove(record)
        }
      }
    }
    func nearest(_ group: [Int], _ candidates: [Int]) -> [(Int, Int)] {
      let group = group.filter { rows[$0].time != nil }
      let candidates = candidates.filter { free[$0].event.time != nil }
      return NearestPairs.of(
        group.map { rows[$0].time?.microseconds ?? 0 }, candidates.map { free[$0].event.time?.microseconds ?? 0 },
        reach: reach
      ).map { (group[$0.left], candidates[$0.right]) }
    }
    pair(\.whole, \.whole, nearest)
    pair(\.head, \.whole, nearest)
    pair(\.whole, \.head, nearest)
    pair(\.whole, \.whole) { group, candidates in
      let group = group.filter { !rows[$0].isFresh }.sorted { EventClaims.precedes(rows[$0], rows[$1]) }
      let candidates = candidates.sorted {
        let (left, right) = (free[$0], free[$1])
        return left.event.time == right.event.time
          ? left.key < right.key : (left.event.time ?? .earliest) < (right.event.time ?? .earliest)
      }
      return Array(zip(group, candidates))
    }
    guard !openRows.isEmpty else { return }
    let isWanted = Set(openRows.map { rowTexts[$0].whole })
    var byText: [EventText.Digest: RecordKey] = [:]
    for (key, event) in records {
      let digest = EventText(event).whole
      if isWanted.contains(digest), byText[digest].map({ key < $0 }) ?? true { byText[digest] = key }
    }
    for row in openRows where !rows[row].isFresh {
      if let key = byText[rowTexts[row].whole] { findings[rows[row].id] = .duplicate(of: key) }
    }
  }

  private static func precedes(_ left: UnkeyedEvent, _ right: UnkeyedEvent) -> Bool {
    let (earlier, later) = (left.time ?? .earliest, right.time ?? .earliest)
    return earlier == later ? left.id < right.id : earlier < later
  }
}

/// Type and text of an event, as far as two writers of it agree.
private struct EventText {
  typealias Digest = SHA256Digest

  /// Of the type in capitals and the text.
  let whole: Digest
  /// Of the type in capitals and the text up to a first line `---`.
  let head: Digest

  init(_ event: Event) {
    let type = Array(event.type.uppercased().utf8) + [0]
    let text = Array(event.content.utf8)
    whole = EventText.digest(type, text[...])
    let rule = EventText.firstRule(text)
    head = rule.map { EventText.digest(type, EventText.trimmed(text[..<$0])) } ?? whole
  }

  private static func digest(_ type: [UInt8], _ text: ArraySlice<UInt8>) -> Digest {
    var sha = SHA256()
    sha.update(data: type)
    sha.update(data: Array(text))
    return sha.finalize()
  }

  /// Where the first line of `---` begins.
  private static func firstRule(_ text: [UInt8]) -> Int? {
    var start = 0
    while start < text.count {
      let end = text[start...].firstIndex(of: 0x0A) ?? text.count
      let line = text[start..<end]
      if line.starts(with: [0x2D, 0x2D, 0x2D]), line.dropFirst(3).allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) {
        return start
      }
      start = end + 1
    }
    return nil
  }

  /// Without the blank lines at the end.
  private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text
    while let last = text.last, last == 0x0A || last == 0x20 || last == 0x09 || last == 0x0D { text.removeLast() }
    return text
  }
}
