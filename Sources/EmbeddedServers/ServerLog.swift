internal import Glibc
internal import SystemPackage

/// The log file of one server.
///
/// The server appends to it; this type reads its end, adds a line of its own, and starts a new file when it has
/// grown too long. The previous file is kept beside it as `.1`. Only the servers' account can read or write it.
struct ServerLog: Sendable {
  let path: String
  let account: ServerAccount

  /// At a start, a longer log (10 MiB) becomes `.1`.
  static let rotationSize: Int64 = 10 << 20
  /// How far back `tail` looks, in bytes.
  private static let window: Int64 = 65_536

  /// Before a server is started, which would make the file with what the umask leaves of its own idea.
  func prepare() throws(EmbeddedServersError) {
    try attempt("rotate the log \(path)") { () throws(Errno) in
      guard let found = try FileSystem.attributes(of: path), found.size > ServerLog.rotationSize else { return }
      try FileSystem.rename(path, to: "\(path).1")
    }
    try attempt("make the log \(path)") { () throws(Errno) in _ = try open() }
  }

  /// Now, as a place in the log: see `text(since:)`.
  func position() -> Int64 {
    guard let found = try? FileSystem.attributes(of: path) else { return 0 }
    return found.size
  }

  /// What was logged since `position`, at most its last 64 KiB. Empty when the log cannot be read.
  func text(since position: Int64) -> String {
    do throws(Errno) {
      let file = try OpenFile(file: path, writing: false)
      let found = try file.attributes()
      guard found.kind == .file else { return "" }
      let start = max(position, found.size - ServerLog.window, 0)
      let bytes = try file.read(from: start, limit: Int(ServerLog.window))
      return String(decoding: bytes, as: UTF8.self)
    } catch {
      return ""
    }
  }

  /// The last lines, without the final line feed.
  func tail(lines: Int, since position: Int64 = 0) -> String {
    let all = text(since: position).split(separator: "\n", omittingEmptySubsequences: true)
    return all.suffix(max(lines, 0)).joined(separator: "\n")
  }

  /// Adds a line about something that was done to the server from outside.
  func append(_ line: String) throws(EmbeddedServersError) {
    try attempt("write to the log \(path)") { () throws(Errno) in
      try open().write(Array("\(ServerLog.timestamp()) moha-sync: \(line)\n".utf8))
    }
  }

  /// Opens the file to append to it, and makes it if it is missing.
  private func open() throws(Errno) -> OpenFile {
    let file = try OpenFile(file: path, writing: true, appending: true, creation: .ifMissing)
    let found = try file.attributes()
    // Root writes into a folder of the servers' account: a hard link planted there must not be followed.
    guard found.kind == .file, found.links == 1 else { throw Errno.permissionDenied }
    if account.isOther, found.uid != account.uid {
      guard found.uid == ServerAccount.effectiveUser else { throw Errno.permissionDenied }
      try file.setOwner(account)
    }
    // A server of an older version may have made it.
    if found.mode != 0o600 { try file.setPermissions(0o600) }
    return file
  }

  /// Now in UTC, as `2026-01-31 23:59:59 UTC`.
  private static func timestamp() -> String {
    var now = time(nil)
    var parts = unsafe tm()
    unsafe gmtime_r(&now, &parts)
    func padded(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let day = unsafe "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
    let hour = unsafe "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
    return "\(day) \(hour) UTC"
  }
}
