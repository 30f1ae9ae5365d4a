/// An entry of a session log.
package struct LogEntry: Sendable, Equatable {
  package let event: Event
  /// The entry's bytes in the log, from the start of its first line to the end of its last; a closing `---` is included.
  package let range: Range<Int>
  /// The line of the heading or bullet, from 1.
  package let line: Int
  /// Which of the five ways of writing entries it follows, 1 to 5.
  package let generation: Int
  /// The key of its record: the first 32 hexadecimal digits of the content hash, so that equal entries are one record,
  /// wherever they stand.
  package let recordKey: String
  package let contentHash: ContentHash
  /// Whether an equal entry stands before it in the same log.
  package let isRepetition: Bool
}
