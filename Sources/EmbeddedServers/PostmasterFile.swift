/// `postmaster.pid`: what a running Postgres says about itself in its data folder.
///
/// Line by line: pid, data folder, start time, port, socket folder, TCP address, shared memory, status. The file
/// grows while the server starts, so that later lines may be missing.
struct PostmasterFile: Hashable, Sendable {
  /// nil when the first line is not a process number.
  let pid: Int32?
  let isReady: Bool
  let isStopping: Bool

  init(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // A standalone backend writes its pid negated.
    pid = lines.first.flatMap { Int32(String(decoding: $0, as: UTF8.self)) }.flatMap { $0 == .min ? nil : abs($0) }
    let status = lines.count > 7 ? lines[7] : []
    isReady = status.starts(with: "ready".utf8)
    isStopping = status.starts(with: "stopping".utf8)
  }
}
