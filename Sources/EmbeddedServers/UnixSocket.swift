internal import Glibc

/// A short conversation with a server on a Unix socket.
enum UnixSocket {
  /// Whether a server accepts connections at `path`. Does not block: a full backlog counts as accepting.
  static func accepts(_ path: String) -> Bool {
    guard let descriptor = connected(to: path) else { return false }
    _ = close(descriptor)
    return true
  }

  /// Waits until nobody accepts connections at `path`; false when somebody still does after 5 s.
  ///
  /// The kernel takes a killed process's memory, and with it its command line, before it closes its sockets.
  static func becomesSilent(_ path: String) async throws(EmbeddedServersError) -> Bool {
    try await waitUntil(limit: .seconds(5)) { () throws(EmbeddedServersError) in !accepts(path) }
  }

  /// Sends `request` and returns the first bytes of the answer.
  ///
  /// Blocks for at most `milliseconds`; nil when nobody answers by then.
  static func answer(of path: String, to request: [UInt8], milliseconds: CInt) -> [UInt8]? {
    guard let descriptor = connected(to: path) else { return nil }
    defer { _ = close(descriptor) }
    // The server may close the connection first, and that must not end this process.
    let sent = unsafe request.withUnsafeBytes { buffer in
      unsafe send(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_NOSIGNAL))
    }
    guard sent == request.count else { return nil }
    var readable = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&readable, 1, milliseconds) == 1 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
    }
    return count > 0 ? Array(bytes.prefix(count)) : nil
  }

  private static func connected(to path: String) -> CInt? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { buffer in
      guard bytes.count < buffer.count else { return false }
      unsafe buffer.copyBytes(from: bytes)
      return true
    }
    guard fits else { return nil }
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, kind, 0)
    guard descriptor >= 0 else { return nil }
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if status == 0 || errno == EAGAIN { return descriptor }
    _ = close(descriptor)
    return nil
  }
}
