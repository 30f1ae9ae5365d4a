internal import Crypto

/// The names of everything that belongs to one repository's servers.
///
/// Pure: the same folder gives the same names in every process, which is how two runs, or a shell and a cron
/// job, meet at one server. `/run/user/<uid>` is not used: it vanishes when its user logs out, and a cron job
/// does not see it.
struct StateLayout: Hashable, Sendable {
  /// The private folder, absolute. Its symbolic links are not resolved.
  let directory: String
  /// The folder of the sockets: in `directory`, or beside other users' in `/tmp` when the name is too long.
  let socketDirectory: String

  static let port = 5432

  /// `sockaddr_un.sun_path` has 108 bytes, and the last is a NUL.
  static let longestSocketPath = 107

  /// `uid` owns the sockets.
  init(directory: String, uid: UInt32) {
    self.directory = directory
    let preferred = "\(directory)/run"
    if StateLayout.socketPath(in: preferred).utf8.count <= StateLayout.longestSocketPath {
      socketDirectory = preferred
    } else {
      socketDirectory = "/tmp/moha-\(uid)-\(StateLayout.identifier(directory))"
    }
  }

  /// Given to Postgres on its command line, so that its processes' titles show whose they are.
  var clusterName: String { "moha-sync-\(StateLayout.identifier(directory))" }

  var lock: String { "\(directory)/lock" }
  /// Holds the path of the repository that the servers belong to, and a line feed.
  var rootRecord: String { "\(directory)/root" }
  var data: String { "\(directory)/data" }
  /// `initdb` works under this name and a random suffix, until the cluster is whole.
  var unfinishedDataPrefix: String { "data.new-" }
  var postmasterFile: String { "\(data)/postmaster.pid" }
  var postgresLog: String { "\(directory)/postgres.log" }
  var postgresSocket: String { StateLayout.socketPath(in: socketDirectory) }
  var postgresSocketLock: String { "\(postgresSocket).lock" }
  var redisDirectory: String { "\(directory)/redis" }
  var redisConfiguration: String { "\(redisDirectory)/redis.conf" }
  var redisPidFile: String { "\(redisDirectory)/redis.pid" }
  var redisLog: String { "\(directory)/redis.log" }
  var redisSocket: String { "\(socketDirectory)/redis.sock" }

  /// The first 16 hexadecimal digits of the SHA-256 of the text's UTF-8.
  static func identifier(_ text: String) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var bytes: [UInt8] = []
    for byte in SHA256.hash(data: Array(text.utf8)).prefix(8) {
      bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func socketPath(in directory: String) -> String { "\(directory)/.s.PGSQL.\(port)" }
}
