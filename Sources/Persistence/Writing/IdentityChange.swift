internal import Records

/// What an identity update does: members to merge in, and perhaps a rebirth to count.
///
/// It can be made again on another version of the file, and made twice it is made once: a rebirth raises the count *to* a
/// number, and is known by its time.
struct IdentityChange: Equatable, Sendable {
  struct Rebirth: Equatable, Sendable {
    let time: String
    /// What `rebirth_count` becomes at least.
    let count: Int
  }

  let updates: JSONValue
  let rebirth: Rebirth?

  init(updates: JSONValue, rebirth: Rebirth?) {
    self.updates = updates
    self.rebirth = rebirth
  }

  /// The file with the change made. A counter never falls by it.
  ///
  /// Throws where the file or the updates are no object, or the result would be nested too deep.
  func applied(to document: JSONDocument) throws(JSONError) -> JSONDocument {
    let before = document.value
    var document = try document.merging(updates)
    document = try IdentityMerge.raisingCounters(of: document, to: before)
    guard let rebirth else { return document }
    if rebirth.count > IdentityMerge.counter(["rebirth_count"], in: document.value) ?? 0 {
      document = try document.setting(["rebirth_count"], to: .integer(rebirth.count))
      document = try document.setting(["last_rebirth"], to: .string(rebirth.time))
    }
    return document
  }

  // MARK: JSON

  var bytes: [UInt8] {
    var members: [JSONValue.Member] = [.init("updates", updates)]
    if let rebirth {
      members.append(.init("rebirth", ["time": .string(rebirth.time), "count": .integer(rebirth.count)]))
    }
    return JSONValue.object(members).serialized()
  }

  /// Nil for bytes that are no change.
  init?(_ bytes: [UInt8]) {
    guard let json = try? JSONValue.parse(bytes), let updates = json["updates"], case .object = updates else { return nil }
    self.updates = updates
    guard let rebirth = json["rebirth"] else {
      self.rebirth = nil
      return
    }
    guard let time = rebirth["time"]?.text, let count = rebirth["count"]?.integer, count > 0 else { return nil }
    self.rebirth = Rebirth(time: time, count: count)
  }
}
