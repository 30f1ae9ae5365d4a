internal import Glibc
internal import SystemPackage

/// A live process of this machine, seen through `/proc`.
///
/// A pid file names a number, and numbers are used again: by the next boot, or at once in a container. Before one
/// is waited for or signalled, its user, what it is and where it works must all match: root may signal everybody.
struct Process: Hashable, Sendable {
  let pid: Int32
  /// The user whose rights it has.
  let uid: UInt32
  /// The command line, split at its NULs. Servers overwrite it with a title.
  let arguments: [String]

  /// nil when there is no such process, or it is a zombie, which has no command line any more.
  init?(pid: Int32) {
    guard pid > 1, let owner = FileSystem.attributesFollowingLinks(of: "/proc/\(pid)"),
      let bytes = try? FileSystem.contents(of: "/proc/\(pid)/cmdline", limit: 65_536), !bytes.isEmpty
    else { return nil }
    self.pid = pid
    uid = owner.uid
    arguments = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The last part of the program's name as the command line gives it.
  var program: String {
    let name = arguments.first ?? ""
    return name.split(separator: "/").last.map(String.init) ?? name
  }

  /// Whether the process's working folder is this one, under whatever name; nil when that cannot be seen.
  ///
  /// Root in a container may lack the capability (CAP_SYS_PTRACE) to see where another user's process works.
  /// Everybody may read its command line.
  private func works(in directory: String) -> Bool? {
    guard let here = FileSystem.attributesFollowingLinks(of: "/proc/\(pid)/cwd"),
      let there = FileSystem.attributesFollowingLinks(of: directory)
    else { return nil }
    return here.identity == there.identity
  }

  /// The postmaster of this folder's cluster. Its working folder is always its data folder.
  func isPostmaster(of directory: StateDirectory) -> Bool {
    let layout = directory.layout
    guard uid == directory.account.uid, program == "postgres" || program == "postmaster" else { return false }
    return works(in: layout.data) ?? arguments.contains("--cluster_name=\(layout.clusterName)")
  }

  /// A child of such a postmaster: these have titles such as `postgres: NAME: checkpointer`.
  func isBackend(of directory: StateDirectory) -> Bool {
    let layout = directory.layout
    let title = arguments.first ?? ""
    guard uid == directory.account.uid, title.utf8.starts(with: "postgres: ".utf8) else { return false }
    return works(in: layout.data) ?? title.utf8.starts(with: "postgres: \(layout.clusterName): ".utf8)
  }

  /// The Redis of this folder. Its title is its path, a space, and `unixsocket:` with its socket.
  func isRedis(of directory: StateDirectory) -> Bool {
    let layout = directory.layout
    let title = arguments.first ?? ""
    let name = title.split(separator: " ", maxSplits: 1).first?.split(separator: "/").last ?? ""
    guard uid == directory.account.uid, name == "redis-server" else { return false }
    return works(in: layout.redisDirectory) ?? title.contains(" unixsocket:\(layout.redisSocket)")
  }

  /// Sends a signal; false when the process has gone.
  @discardableResult
  func signal(_ number: CInt) -> Bool { kill(pid, number) == 0 }

  /// Every live process for which `matches` holds.
  static func all(where matches: (Process) -> Bool) -> [Process] {
    let names = (try? FileSystem.names(in: "/proc")) ?? []
    return names.compactMap { Int32($0) }.compactMap { Process(pid: $0) }.filter(matches)
  }
}
