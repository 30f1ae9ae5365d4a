internal import Records

/// Brings what a person, or an older buffer of an editor, made of identity.json together with what HEAD holds.
///
/// A file that lacks a member of HEAD's need not mean that somebody removed it: a command of git's may have put an older
/// version back. So the file is read as edits of the version that it differs least from, and those edits are made on
/// HEAD's. Counters are derived from the records and only rise; of two, the higher one counts.
enum IdentityMerge {
  /// One change of a member, by its keys from the root inwards.
  enum Edit: Hashable {
    case set([String], JSONValue)
    case remove([String])
  }

  static let counters = [["total_decisions"], ["rebirth_count"], ["performance_tracking", "total_decisions"]]

  /// What was done to `base` to get `file`, counters left out. Objects are compared member by member, all else as a
  /// whole. Keys that are no valid Unicode are left alone.
  static func edits(from base: JSONValue, to file: JSONValue) -> [Edit] {
    var edits: [Edit] = []
    append(from: base, to: file, at: [], &edits)
    return edits
  }

  private static func append(from base: JSONValue, to file: JSONValue, at path: [String], _ edits: inout [Edit]) {
    guard case .object(let old) = base, case .object(let new) = file else { return }
    for member in new {
      guard let key = member.key.text, file[member.key] == member.value else { continue }
      let place = path + [key]
      if counters.contains(place) { continue }
      guard let before = base[member.key] else {
        edits.append(.set(place, member.value))
        continue
      }
      if before == member.value { continue }
      if case .object = before, case .object = member.value {
        append(from: before, to: member.value, at: place, &edits)
      } else {
        edits.append(.set(place, member.value))
      }
    }
    for member in old where file[member.key] == nil {
      guard let key = member.key.text, !counters.contains(path + [key]) else { continue }
      let edit = Edit.remove(path + [key])
      if !edits.contains(edit) { edits.append(edit) }
    }
  }

  /// `head` with the edits made on it, and no counter lower than in `file`.
  ///
  /// Throws where an edit leads through a value that is no object any more.
  static func merged(
    head: JSONDocument, file: JSONDocument, edits: [Edit]
  ) throws(JSONError) -> JSONDocument {
    var document = head
    for edit in edits {
      switch edit {
      case .set(let path, let value): document = try document.setting(path, to: value)
      case .remove(let path): document = try document.removing(path)
      }
    }
    return try raisingCounters(of: document, to: file.value)
  }

  /// The document with each counter at least as high as the one in `other`, where both have it, or `other` alone.
  static func raisingCounters(of document: JSONDocument, to other: JSONValue) throws(JSONError) -> JSONDocument {
    var document = document
    for path in counters {
      guard let wanted = counter(path, in: other) else { continue }
      let isNested = path.count > 1
      if isNested, counter(path, in: document.value) == nil { continue }
      if wanted > counter(path, in: document.value) ?? -1 {
        document = try document.setting(path, to: .integer(wanted))
      }
    }
    return document
  }

  /// The counter at a path; nil where it is absent, negative, or no integer.
  static func counter(_ path: [String], in value: JSONValue) -> Int? {
    var value: JSONValue? = value
    for key in path { value = value?[JSONString(key)] }
    return value?.integer.flatMap { $0 >= 0 ? $0 : nil }
  }
}
