/// What a server is doing.
package enum ServerState: Hashable, Sendable {
  /// Nothing was ever made for this server.
  case notInitialised
  /// It ended in order and can be started.
  case stopped
  /// Its process is alive, and is ours.
  case running(pid: Int32)
  /// It left its pid file behind and its process is gone. The next start recovers.
  case crashed
}

/// The two servers of one repository at one moment, and where they keep their files.
package struct EmbeddedStatus: Hashable, Sendable {
  package let postgres: ServerState
  package let redis: ServerState
  /// The private folder that holds everything below.
  package let stateDirectory: String
  /// The folder of both Unix sockets.
  package let socketDirectory: String
  package let postgresDataDirectory: String
  package let postgresLog: String
  package let redisLog: String
}
