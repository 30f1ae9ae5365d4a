internal import Glibc

/// The operating-system account that the servers run as and that owns the state folder.
///
/// Postgres refuses to run as root, so root's servers run as `postgres` or, where that is missing, as another
/// unprivileged account. Everyone else's run as themselves.
struct ServerAccount: Hashable, Sendable {
  let uid: UInt32
  let gid: UInt32
  let name: String
  /// Whether child processes must change to this account.
  let isOther: Bool

  /// The accounts that root drops to, best first.
  static let candidates = ["postgres", "redis", "nobody"]

  /// The user whose rights this process has.
  static var effectiveUser: UInt32 { geteuid() }

  /// The account for this process.
  ///
  /// `owner` is the owner of an existing state folder: root stays with the candidate that made it, since the
  /// order of preference can change when packages are installed.
  ///
  /// - Throws: `noUnprivilegedUser`.
  static func forServers(owner: UInt32?) throws(EmbeddedServersError) -> ServerAccount {
    let effective = geteuid()
    guard effective == 0 else {
      return ServerAccount(uid: effective, gid: getegid(), name: "uid \(effective)", isOther: false)
    }
    let known = candidates.compactMap { named($0) }.filter { $0.uid != 0 }
    if let owner, let previous = known.first(where: { $0.uid == owner }) { return previous }
    guard let best = known.first else {
      throw EmbeddedServersError(
        .noUnprivilegedUser, "The servers cannot run as root, and no other account is there to run them.",
        reason: "Looked for \(candidates.joined(separator: ", ")).", hint: "adduser --system --group postgres")
    }
    return best
  }

  /// The account of that name in the user database.
  private static func named(_ name: String) -> ServerAccount? {
    var entry = unsafe passwd()
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var found: UnsafeMutablePointer<passwd>?
      let status = unsafe getpwnam_r(name, &entry, base, buffer.count, &found)
      guard status == 0, unsafe found != nil else { return nil }
      return unsafe ServerAccount(uid: entry.pw_uid, gid: entry.pw_gid, name: name, isOther: true)
    }
  }

  /// The home folder of this process's user in the user database.
  static func homeDirectory() -> String? {
    var entry = unsafe passwd()
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var found: UnsafeMutablePointer<passwd>?
      let status = unsafe getpwuid_r(geteuid(), &entry, base, buffer.count, &found)
      guard status == 0, unsafe found != nil, let home = unsafe entry.pw_dir else { return nil }
      return unsafe String(cString: home)
    }
  }
}
