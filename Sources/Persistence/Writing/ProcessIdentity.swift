internal import FoundationEssentials
internal import Glibc

/// A process, told apart from a later one with the same id by its start time.
struct ProcessIdentity: Hashable, Sendable {
  let pid: Int32
  /// Clock ticks since boot, as /proc tells, behind the boot's own id.
  let startTime: String

  static let current: ProcessIdentity = {
    let pid = getpid()
    return ProcessIdentity(pid: pid, startTime: startTime(of: pid) ?? "unknown")
  }()

  var isAlive: Bool { ProcessIdentity.startTime(of: pid) == startTime }

  private static let boot: String = {
    let data = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id") ?? Data()
    return String(decoding: data.prefix(8), as: UTF8.self)
  }()

  private static func startTime(of pid: Int32) -> String? {
    guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
    // The second field is the program's name in parentheses and may hold anything; the 22nd is the start time.
    let text = String(decoding: data, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > 19 ? "\(boot)-\(fields[19])" : nil
  }
}
