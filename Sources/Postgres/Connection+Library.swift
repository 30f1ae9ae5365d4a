internal import CLibPQ

extension Connection {
  /// The version of libpq that is in use, such as `15.14`.
  package static var libraryVersion: String {
    let version = PQlibVersion()
    return "\(version / 10_000).\(version % 10_000)"
  }
}
