/// Where the embedded Postgres listens.
package struct PostgresEndpoint: Hashable, Sendable {
  /// The folder of the Unix socket: what libpq calls `host`.
  package let socketDirectory: String
  /// Names the socket (`.s.PGSQL.<port>`). Nothing listens on TCP.
  package let port: Int
  /// The cluster's only role, a superuser without a password: whoever can enter the socket's folder is its owner.
  package let user: String
  /// The database that callers use. The cluster starts without it: the first connection, to the database
  /// `postgres`, creates it.
  package let database: String

  /// The connection URI of `database`, as psql and libpq accept it.
  package var url: String { url(database: database) }

  /// The connection URI of the maintenance database, which always exists.
  package var maintenanceURL: String { url(database: "postgres") }

  private func url(database: String) -> String {
    "postgresql://\(user)@/\(database)?host=\(percentEncoded(socketDirectory))&port=\(port)"
  }
}

extension PostgresEndpoint {
  init(_ layout: StateLayout) {
    self.init(socketDirectory: layout.socketDirectory, port: StateLayout.port, user: "moha", database: "maven")
  }
}

/// `text` with every byte outside RFC 3986's unreserved set and `/` percent-encoded.
func percentEncoded(_ text: String) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var bytes: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"), UInt8(ascii: "/"):
      bytes.append(byte)
    default:
      bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
