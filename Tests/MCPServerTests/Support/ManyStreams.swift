internal import DedicatedThread
internal import Glibc

/// Many connections at once, on one thread: each sends one request and collects what comes.
actor ManyStreams {
  private nonisolated let thread = DedicatedThread(name: "many-streams")
  private let port: Int
  private var sockets: [Int32] = []
  private var received: [[UInt8]] = []

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  init(port: Int) {
    self.port = port
  }

  /// Opens connections that post `body` as a request to listen. They come in portions, each once the one before is
  /// served: the queue of a busy server is short.
  func open(_ count: Int, _ body: String, until text: String) throws {
    var headers = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
    for (name, value) in Headers.usual + Headers.modern("subscriptions/listen") { headers += "\(name): \(value)\r\n" }
    let request = Array("\(headers)\r\n\(body)".utf8)
    for _ in 0..<count {
      let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(port).bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard status == 0 else { throw TestFailure("connect: \(String(cString: strerror(errno)))") }
      guard send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
        throw TestFailure("send: \(String(cString: strerror(errno)))")
      }
      sockets.append(socket)
      received.append([])
      if sockets.count.isMultiple(of: 100) { try expect(text, from: sockets.count - 100) }
    }
  }

  /// Waits until the connections from `start` on have received a text, and forgets what they received.
  func expect(_ text: String, from start: Int = 0) throws {
    let deadline = ContinuousClock.now + .seconds(90)
    var waiting = Set(start..<sockets.count)
    while ContinuousClock.now < deadline {
      let indices = Array(waiting)
      var entries = indices.map { pollfd(fd: sockets[$0], events: Int16(POLLIN), revents: 0) }
      guard poll(&entries, nfds_t(entries.count), 500) > 0 else { continue }
      for (entry, index) in zip(entries, indices) where entry.revents != 0 {
        var chunk = [UInt8](repeating: 0, count: 8_192)
        let bytes = recv(entry.fd, &chunk, chunk.count, 0)
        guard bytes > 0 else { throw TestFailure("a stream was closed") }
        received[index] += chunk[..<bytes]
        if String(decoding: received[index], as: UTF8.self).contains(text) {
          received[index] = []
          waiting.remove(index)
        }
      }
      if waiting.isEmpty { return }
    }
    throw TestFailure("\(waiting.count) streams were not told")
  }

  func close() {
    for socket in sockets { Glibc.close(socket) }
    sockets = []
    received = []
  }
}
