import FoundationEssentials

/// The process that listens on a TCP port of this machine, as proc(5) has it. Those of other users are seen by root
/// alone.
struct PortHolder: Sendable {
  let process: Int32
  /// What the kernel calls it.
  let name: String

  /// Nil where the URL is of another machine, nobody listens, or who does cannot be seen.
  init?(url: String) {
    let authority = url.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" }
    guard let colon = authority.lastIndex(of: ":"), let port = UInt16(authority[authority.index(after: colon)...]),
      ["127.0.0.1", "localhost", "[::1]"].contains(String(authority[..<colon]))
    else { return nil }
    let sockets = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { PortHolder.listeners(on: port, in: $0) })
    guard !sockets.isEmpty else { return nil }
    let manager = FileManager.default
    for process in ((try? manager.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap({ Int32($0) }) {
      let folder = "/proc/\(process)/fd"
      for descriptor in (try? manager.contentsOfDirectory(atPath: folder)) ?? [] {
        guard let target = try? manager.destinationOfSymbolicLink(atPath: "\(folder)/\(descriptor)"),
          sockets.contains(target)
        else { continue }
        let name = manager.contents(atPath: "/proc/\(process)/comm").map { String(decoding: $0, as: UTF8.self) } ?? ""
        self.process = process
        self.name = String(name.prefix { $0 != "\n" })
        return
      }
    }
    return nil
  }

  /// What links to the sockets that listen on the port: `socket:[inode]`.
  private static func listeners(on port: UInt16, in table: String) -> [String] {
    let data = FileManager.default.contents(atPath: table) ?? Data()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap { line in
      // Number, local address, remote address, state, and six more until the inode; 0A is LISTEN.
      let fields = line.split(separator: " ")
      guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
        UInt16(fields[1][fields[1].index(after: colon)...], radix: 16) == port
      else { return nil }
      return "socket:[\(fields[9])]"
    }
  }
}
