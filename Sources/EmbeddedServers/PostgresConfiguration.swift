/// The settings of the embedded cluster, in a file that its `postgresql.conf` includes.
///
/// Durability is Postgres's default: `fsync`, `full_page_writes` and `synchronous_commit` stay on.
struct PostgresConfiguration: Sendable {
  static let fileName = "moha.conf"

  /// The last line of the cluster's `postgresql.conf`; later lines win.
  static let includeLine = "\n# The settings of moha-sync, rewritten at every start.\ninclude '\(fileName)'\n"

  let socketDirectory: String
  /// The size of `/dev/shm` in bytes, or nil when it is not there.
  let sharedMemoryVolume: UInt64?

  /// Containers have 64 MiB there by default, less than one parallel VACUUM with our memory limits can ask for.
  static let ampleSharedMemory: UInt64 = 512 << 20

  var text: String {
    """
    # Written by moha-sync at every start.
    # Only the Unix socket, in a folder that only its owner can enter.
    listen_addresses = ''
    port = \(StateLayout.port)
    unix_socket_directories = \(quotedFolder)
    unix_socket_permissions = 0700
    # A client that was killed must not keep its locks until its statement ends.
    client_connection_check_interval = '1s'
    shared_buffers = 128MB
    maintenance_work_mem = 256MB
    max_wal_size = 2GB
    # Where parallel workers share memory: mmap (files in the data folder) when /dev/shm is small.
    dynamic_shared_memory_type = \(sharedMemoryType)
    timezone = 'UTC'
    log_timezone = 'UTC'
    # Standard error, which pg_ctl appends to the log file in the state folder.
    log_destination = 'stderr'
    logging_collector = off
    log_line_prefix = '%m [%p] '
    # The text of a failed statement can hold what a record says.
    log_min_error_statement = panic

    """
  }

  private var sharedMemoryType: String {
    (sharedMemoryVolume ?? 0) >= PostgresConfiguration.ampleSharedMemory ? "posix" : "mmap"
  }

  /// The folder, quoted twice: once as an item of a list of folders, once as the value of a setting.
  private var quotedFolder: String {
    var quoted = ""
    for character in socketDirectory {
      switch character {
      case "'": quoted += "''"
      case "\\": quoted += "\\\\"
      case "\"": quoted += "\"\""
      default: quoted.append(character)
      }
    }
    return "'\"\(quoted)\"'"
  }
}
