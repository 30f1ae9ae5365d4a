/// The one encoding of a record's meaning that its content hash is taken over.
///
/// Wire format, version 1. PostgreSQL can compute the same bytes from the columns of the row, so that a row changed by
/// hand shows at once. The bytes are a tag and then the fields in the order of `RecordRow.columns(of:)`:
///
///     decision    "moha.decision.v1;"  T(decision_type) T(asset) T(risk_level) N(confidence) I(decided_at) T(action)
///                                      T(reasoning) T(outcome) J(metadata)
///     milestone   "moha.milestone.v1;" T(title) T(category) T(significance) I(achieved_at) T(description) J(metadata)
///     event       "moha.event.v1;"     T(event_type) I(event_at) T(event_time) T(title) T(description) J(metadata)
///     snapshot    "moha.snapshot.v1;"  T(snapshot_type) I(snapshot_at) N(total_value_usd) N(available_balance_usd)
///                                      N(margin_used_usd) N(unrealized_pnl_usd) J(open_positions) N(pnl_24h)
///                                      N(pnl_7d) N(pnl_30d) N(pnl_all_time) T(notes) J(metadata)
///
///     T(x)  the length of x in bytes, in decimal, then ":", then x: UTF-8 after `DatabaseText.encode`
///     N(x)  the decimal as `trim_scale(x)::text` prints it, then ";"
///     I(x)  16 lower-case hexadecimal digits: microseconds since 2000-01-01T00:00:00Z, two's complement, big-endian;
///           what `encode(timestamptz_send(x), 'hex')` gives
///     J(x)  T of the text that PostgreSQL prints for the jsonb value, without `DatabaseText.encode`
///     "~"   in place of any of these for null
///
/// Each field states its length or ends in a fixed way, so no two records share their bytes. Absent metadata is `{}`.
///
/// In SQL, with a server encoding of UTF-8:
///
///     T(x)  coalesce(octet_length(x)::text || ':' || x, '~')
///     N(x)  coalesce(trim_scale(x)::text || ';', '~')
///     I(x)  coalesce(encode(timestamptz_send(x), 'hex'), '~')
///     J(x)  coalesce(octet_length(x::text)::text || ':' || x::text, '~')
///     hash  sha256(decode(replace(tag || T(…) || …, '\', '\\'), 'escape'))
///
/// `decode(…, 'escape')` with doubled backslashes turns text into its bytes with immutable functions only, which
/// `convert_to` is not, so that the hash may be a generated column or an index.
package struct CanonicalBytes: Hashable, Sendable {
  /// The version of the encoding, which each record's tag names.
  package static let version = 1

  package let bytes: [UInt8]

  package init(_ record: Record) {
    var writer = Writer()
    switch record {
    case .decision(let decision): writer.write(decision)
    case .milestone(let milestone): writer.write(milestone)
    case .event(let event): writer.write(event)
    // Few and short: the way through the columns is fast enough.
    case .snapshot: writer.write(record.row)
    }
    self.bytes = writer.output
  }

  /// Encodes the columns as they are: what the database would compute for this very row.
  package init(_ row: RecordRow) {
    var writer = Writer()
    writer.write(row)
    self.bytes = writer.output
  }

  private struct Writer {
    var output: [UInt8] = []

    mutating func write(_ row: RecordRow) {
      output.append(text: "moha.\(row.kind.rawValue).v1;")
      for value in row.values {
        switch value {
        case .null: null()
        case .text(let text): plain(text)
        case .numeric(let decimal): self.decimal(decimal)
        case .instant(let instant): self.instant(instant)
        case .json(let text): plain(text)
        }
      }
    }

    mutating func write(_ decision: Decision) {
      output.reserveCapacity(decision.action.utf8.count + decision.reasoning.utf8.count + 512)
      output.append("moha.decision.v1;")
      text(decision.decisionType)
      text(decision.asset)
      text(decision.riskLevel)
      self.decimal(decision.confidence)
      instant(decision.decidedAt)
      text(decision.action)
      text(decision.reasoning)
      text(decision.outcome)
      json(decision.metadata)
    }

    mutating func write(_ milestone: Milestone) {
      output.reserveCapacity(milestone.description.utf8.count + 512)
      output.append("moha.milestone.v1;")
      text(milestone.title)
      text(milestone.category)
      text(milestone.significance)
      instant(milestone.achievedAt)
      text(milestone.description)
      json(milestone.metadata)
    }

    mutating func write(_ event: Event) {
      output.reserveCapacity(event.content.utf8.count + 512)
      output.append("moha.event.v1;")
      text(event.type)
      instant(event.time)
      text(event.timeText)
      text(event.title)
      text(event.content)
      json(event.metadata)
    }

    mutating func null() {
      output.append(0x7E)
    }

    mutating func text(_ text: String?) {
      guard var text else { return null() }
      let isPlain = text.withUTF8 { buffer in
        if DatabaseText.needsEncoding(ByteView(buffer)) { return false }
        append(buffer)
        return true
      }
      if !isPlain { plain(DatabaseText.encode(text)) }
    }

    mutating func plain(_ text: String) {
      var text = text
      text.withUTF8 { append($0) }
    }

    mutating func append(_ buffer: UnsafeBufferPointer<UInt8>) {
      output.append(decimal: buffer.count)
      output.append(0x3A)
      output.append(contentsOf: buffer)
    }

    mutating func decimal(_ decimal: ExactDecimal) {
      output.append(text: decimal.canonical)
      output.append(0x3B)
    }

    mutating func instant(_ instant: Instant?) {
      guard let instant else { return null() }
      let bits = UInt64(bitPattern: instant.microsecondsSince2000)
      for shift in stride(from: UInt64(60), through: 0, by: -4) {
        output.append(hexDigit(UInt8(truncatingIfNeeded: bits >> shift)))
      }
    }

    mutating func json(_ value: JSONValue) {
      value.jsonbBytes.withUnsafeBufferPointer { append($0) }
    }
  }
}

extension Record {
  package var canonicalBytes: CanonicalBytes { CanonicalBytes(self) }

  package var contentHash: ContentHash { ContentHash(of: canonicalBytes) }
}
