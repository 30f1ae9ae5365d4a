internal import Glibc

/// What the kernel knows of this process, as proc(5) has it. What cannot be read is left out.
package enum ProcessMeasures {
  package static func add(to exposition: inout Exposition) {
    let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    // The name in parentheses may hold anything, so that the fields are counted from its end; field 3 is the first.
    if let line = contents("/proc/self/stat"), let end = line.lastIndex(of: ")") {
      let fields = line[line.index(after: end)...].split(separator: " ")
      func field(_ number: Int) -> Double? { number - 3 < fields.count ? Double(fields[number - 3]) : nil }
      if let user = field(14), let system = field(15) {
        exposition.add(.processCPU, value: (user + system) / ticks)
      }
      if let bytes = field(23) { exposition.add(.processVirtualMemory, value: bytes) }
      if let pages = field(24) { exposition.add(.processMemory, value: pages * Double(sysconf(Int32(_SC_PAGESIZE)))) }
      if let start = field(22), let boot = bootTime() {
        exposition.add(.processStart, value: boot + (start / ticks).rounded(.down))
      }
    }
    if let count = openFiles() { exposition.add(.processOpenFiles, value: Double(count)) }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      exposition.add(.processMaximumFiles, value: limit.rlim_cur == .max ? .infinity : Double(limit.rlim_cur))
    }
  }

  /// Seconds since 1970.
  private static func bootTime() -> Double? {
    contents("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
  }

  private static func openFiles() -> Int? {
    guard let folder = opendir("/proc/self/fd") else { return nil }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    // Without `.`, `..` and the descriptor of the listing itself.
    return max(0, count - 3)
  }

  private static func contents(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
      bytes += buffer[..<count]
    }
  }
}
