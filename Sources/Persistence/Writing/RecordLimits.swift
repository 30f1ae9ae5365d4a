package import Records

/// What a request may hold: no more than what git, our own reader and the database take.
///
/// | what | at most |
/// |---|---|
/// | a text: action, reasoning, content, description, notes | 1 MiB |
/// | a short text: decision_type, event_type, asset, category, title, significance | 1,000 bytes |
/// | an idempotency key | 200 bytes |
/// | the file of a record, an entry of the log, identity.json | 16 MiB |
/// | the session log | 256 MiB |
///
/// Control characters have no place in a record, tab and line breaks aside: with U+0000 git shows a file as binary, so
/// that nobody can review it, and the others move a terminal's cursor.
package enum RecordLimits {
  /// A record is a page or two; a text this long is a mistake.
  static let text = 1 << 20
  /// What bots filter by, and what names a thing.
  static let shortText = 1_000
  static let key = 200
  package static let file = GitRecordReader.fileLimit
  package static let log = GitRecordReader.logLimit

  /// Throws `.invalidRequest` where a log of `size` bytes has no room for an entry.
  package static func checkLog(size: Int, adding entry: Int) throws {
    guard size > log - entry else { return }
    throw PersistenceError(
      .invalidRequest, "the session log has \(size) bytes, and \(entry) more are beyond the \(log) that are read again",
      hint: "`moha-sync log rotate` moves the entries of past months into files of their own")
  }

  /// Throws `.invalidRequest` where these bytes could not be read again as an identity.
  package static func checkIdentity(_ bytes: [UInt8], path: RecordPath) throws {
    guard bytes.count <= file else {
      throw PersistenceError(
        .invalidRequest,
        "identity.json would have \(bytes.count) bytes; at most \(file) are read again: nothing was written",
        hint: "leave out what is large")
    }
    guard let fault = IdentityFile.parse(bytes, path: path).diagnostics.first(where: { $0.severity == .error }) else {
      return
    }
    throw PersistenceError(
      .invalidRequest, "the identity could not be read again with these updates (\(fault.message)): nothing was written",
      hint: "leave out what is large or deeply nested")
  }

  // MARK: Characters

  /// Sentences about control characters in a request's texts and keys, at most five of them.
  static func controlFaults(in request: JSONValue) -> [String] {
    var faults: [String] = []
    func check(_ text: JSONString, _ subject: @autoclosure () -> String) {
      guard faults.count < 5, let fault = controlFault(in: text) else { return }
      faults.append("\(subject()) holds \(fault)")
    }
    func walk(_ value: JSONValue, _ place: String) {
      switch value {
      case .string(let text): check(text, place.isEmpty ? "the request" : place)
      case .array(let elements):
        for (index, element) in elements.enumerated() { walk(element, "\(place)[\(index)]") }
      case .object(let members):
        for member in members {
          let name = place.isEmpty ? visible(member.key) : "\(place).\(visible(member.key))"
          check(member.key, "the key \(name)")
          walk(member.value, name)
        }
      case .null, .bool, .number: return
      }
    }
    walk(request, "")
    return faults
  }

  private static func controlFault(in text: JSONString) -> String? {
    guard let text = text.text else { return nil }
    // Most text is told by its bytes: a control character of two bytes begins with 0xC2.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != 0xC2 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }) {
      return nil
    }
    for (position, scalar) in text.unicodeScalars.enumerated() where isControl(scalar) {
      let digits = String(scalar.value, radix: 16, uppercase: true)
      let code = String(repeating: "0", count: 4 - digits.utf8.count) + digits
      return "the control character U+\(code) at position \(position + 1): leave it out"
    }
    return nil
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A, 0x0D: false
    case 0..<0x20, 0x7F...0x9F: true
    default: false
    }
  }

  /// A key in a form that can be shown.
  static func visible(_ key: JSONString) -> String {
    let text = VisibleText.line(key.description)
    return text.utf8.count > 60 ? "\(text.prefix(40))…" : text
  }

  // MARK: Files

  /// Why a record could not be had again from its file, or from its entry in the log; nil where it can.
  static func fileFault(of record: Record) -> String? {
    let bytes = RecordFile.encode(record, recordedBy: "")
    // The name of who records it comes on top.
    guard bytes.count <= file - 1_000 else {
      return "the record has \(bytes.count) bytes in all; at most \(file - 1_000) are taken"
    }
    let path = RecordPath([])
    let kept: ContentHash?
    switch record {
    case .event(let event):
      let entries = SessionLog.parse(bytes, path: path).entries
      kept = entries.count == 1 ? entries[0].contentHash : nil
      return kept == Record.event(event.written).contentHash ? nil : unreadable
    case .decision, .milestone, .snapshot:
      kept = record.kind.fileRole.flatMap { RecordFile.decode(bytes, role: $0, path: path).record?.contentHash }
      return kept == record.contentHash ? nil : unreadable
    }
  }

  private static let unreadable = "the record could not be read again from its file as it was given"
}
