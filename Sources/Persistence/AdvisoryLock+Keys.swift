internal import Crypto
package import Postgres

extension AdvisoryLock.Key {
  package enum Purpose: String, Sendable {
    case migration
  }

  /// The key for one purpose and one scope within a database: the first eight bytes of SHA-256 of both, which
  /// is unlikely to meet a key of another application.
  package static func moha(_ purpose: Purpose, scope: String) -> AdvisoryLock.Key {
    let digest = SHA256.hash(data: Array("moha-sync/\(purpose.rawValue)/\(scope)".utf8))
    return .single(digest.prefix(8).reduce(0) { $0 << 8 | Int64($1) })
  }
}
