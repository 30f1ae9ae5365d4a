/// An entry of the session log. The fields are normalised when it is made: see `RecordText`.
package struct Event: Sendable, Equatable {
  /// What happened, in the log's words: `GIT_SYNC`, `MET BOSS`, `REBIRTH #1`.
  package let type: String
  package let title: String?
  /// Nil where neither the entry nor the section around it names a date.
  package let time: Instant?
  /// The time as written, where the entry does not give a full timestamp: `08:30Z`, `02:55-02:59Z`, `~09:00Z`.
  package let timeText: String?
  package let content: String
  package let metadata: JSONValue

  package init(
    type: String, title: String? = nil, time: Instant?, timeText: String? = nil, content: String,
    metadata: JSONValue = .emptyObject
  ) {
    self.type = RecordText.line(type)
    self.title = RecordText.optionalLine(title)
    self.time = time
    self.timeText = RecordText.optionalLine(timeText)
    self.content = RecordText.body(content)
    self.metadata = metadata
  }

  /// The event as the log says it once it is appended.
  ///
  /// The written form has one heading for type and title (`TYPE - TITLE`), in upper case, and a full timestamp in place of
  /// a time as written.
  package var written: Event {
    let heading = title.map { type + " - " + $0 } ?? type
    return Event(type: heading.uppercased(), time: time, content: content, metadata: metadata)
  }

  /// Equality of the bytes of every text; `metadata` compares as written.
  package static func == (left: Event, right: Event) -> Bool {
    left.type.isIdentical(toBytesOf: right.type) && left.title.isIdentical(toBytesOf: right.title)
      && left.time == right.time && left.timeText.isIdentical(toBytesOf: right.timeText)
      && left.content.isIdentical(toBytesOf: right.content) && left.metadata == right.metadata
  }
}
