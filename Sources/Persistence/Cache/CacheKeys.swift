internal import Redis

/// The keys of one kind: `prefix`, a name, `suffix`.
struct CacheKeys {
  let prefix: String
  var suffix = ""

  /// A listing reads no more keys than this; a cache that holds more is not the one that this program fills.
  static let limit = 10_000

  func key(_ name: String) -> String { prefix + name + suffix }

  /// The names of all keys, sorted, and what cannot be listed.
  ///
  /// `SCAN` goes through the keyspace in steps, so the server is never held up as by `KEYS`. A key that comes or goes
  /// meanwhile may or may not be in the list.
  func assets(on client: RedisClient) async throws -> (assets: [Asset], problems: [String]) {
    var assets: Set<Asset> = []
    var problems: Set<String> = []
    var cursor = "0"
    repeat {
      let reply = try await client.command("SCAN", cursor, "MATCH", "\(prefix)*\(suffix)", "COUNT", "1000")
      guard let parts = reply.elements, parts.count == 2, let next = parts[0].text, let keys = parts[1].elements else {
        throw RedisError(.protocolViolation, operation: "SCAN", message: "the answer is not a cursor and keys")
      }
      cursor = next
      for key in keys {
        guard let text = key.text else { continue }
        // Bytes: an accent at the beginning of a name makes one character with the colon before it.
        let name = text.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)
        do throws(PersistenceError) {
          assets.insert(try Asset(String(decoding: name, as: UTF8.self)))
        } catch {
          problems.insert("\(text.prefix(100)): \(error.message)")
        }
      }
      if assets.count + problems.count > Self.limit {
        problems.insert("there are more than \(Self.limit) keys \(prefix)…: the rest was not read")
        break
      }
    } while cursor != "0"
    return (assets.sorted(), problems.sorted())
  }
}
