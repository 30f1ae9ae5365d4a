internal import Records

/// The counters of identity.json, which are derived from the records and kept for those who read the file alone.
enum IdentityCounters {
  /// The document with `count` more decisions.
  ///
  /// A counter that is absent, or no integer, says nothing: the records themselves are counted then, by `recounted`.
  static func adding(
    _ count: Int, to document: JSONDocument, recounted: () throws -> Int
  ) throws -> JSONDocument {
    guard count > 0 else { return document }
    let before = try IdentityMerge.counter(["total_decisions"], in: document.value) ?? recounted()
    return try setting(before + count, in: document)
  }

  /// The document with its decision counters set; the older one only where it is there.
  static func setting(_ total: Int, in document: JSONDocument) throws(JSONError) -> JSONDocument {
    var document = try document.setting(["total_decisions"], to: .integer(total))
    if case .object? = document.value["performance_tracking"],
      document.value["performance_tracking"]?["total_decisions"] != nil
    {
      document = try document.setting(["performance_tracking", "total_decisions"], to: .integer(total))
    }
    return document
  }

  /// The document with one more rebirth.
  static func addingRebirth(at time: String, to document: JSONDocument) throws(JSONError) -> JSONDocument {
    let count = IdentityMerge.counter(["rebirth_count"], in: document.value) ?? 0
    return try document.setting(["rebirth_count"], to: .integer(count + 1)).setting(["last_rebirth"], to: .string(time))
  }

  /// The file of an agent that has none yet.
  static func first(_ agent: Agent, decisions: Int) -> [UInt8] {
    Array(
      "{\n  \"name\": \"\(agent.displayName)\",\n  \"rebirth_count\": 0,\n  \"total_decisions\": \(decisions)\n}\n".utf8)
  }
}
