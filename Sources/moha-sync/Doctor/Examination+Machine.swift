import ArgumentParser
import EmbeddedServers
import FoundationEssentials
import Git
import Glibc
import Persistence
import Postgres
import Records

extension Examination {
  /// Whether ticks come, and how the last one went.
  func schedule() async -> [Diagnosis] {
    guard let repository = try? outlook.repository.get() else { return [] }
    let path = TickRecord.path(gitDirectory: repository.gitDirectory, agent: outlook.agent)
    let isInstalled = await isScheduled()
    guard let tick = TickRecord(contentsOf: path) else {
      return isInstalled
        ? [.info("schedule", "no-tick-yet", "tick is scheduled, and none has ended yet")]
        : [
          .info(
            "schedule", "not-scheduled", "nothing runs tick: neither crontab nor systemd",
            hint: "moha-sync cron install")
        ]
    }
    let age = Int(Double(time(nil)) - tick.finished)
    var found: [Diagnosis] = []
    if age > 7_200 {
      found.append(
        Diagnosis(
          area: "schedule", code: "tick-late", severity: .warning, found: "the last tick ended \(age / 60) minutes ago",
          cause: isInstalled ? "cron or the timer does not run, or tick hangs" : "nothing runs tick any more",
          hint: isInstalled ? "moha-sync tick -v" : "moha-sync cron install"))
    }
    if tick.exitCode != 0 {
      let steps = tick.steps.filter { $0.exitCode != 0 }.map { printable($0.name) }.joined(separator: ", ")
      found.append(
        Diagnosis(
          area: "schedule", code: "tick-failed", severity: .warning,
          found: "the last tick ended with exit code \(tick.exitCode)\(steps.isEmpty ? "" : " (\(steps))")",
          hint: "moha-sync tick -v", status: ExitStatus(rawValue: Int32(truncatingIfNeeded: tick.exitCode)) ?? .failed))
    }
    return found.isEmpty ? [.ok("schedule", "tick", "the last tick went well, \(max(0, age) / 60) minutes ago")] : found
  }

  private func isScheduled() async -> Bool {
    guard
      let job = try? CronJob(
        root: outlook.root, agent: outlook.agent.name, program: "/usr/bin/true", schedule: CronSchedule(minutes: 10))
    else { return false }
    let home = outlook.environment["HOME"] ?? ""
    let folders = [
      "/etc/systemd/system", "\(outlook.environment["XDG_CONFIG_HOME"] ?? home + "/.config")/systemd/user",
    ]
    if folders.contains(where: { FileManager.default.fileExists(atPath: "\($0)/\(job.unitName).timer") }) {
      return true
    }
    guard let crontab = try? await CrontabProgram(environment: outlook.environment).read(),
      let without = try? crontab.removing(job)
    else { return false }
    return without.bytes.count != crontab.bytes.count
  }

  /// The configuration file, and files with secrets.
  func configuration() async -> [Diagnosis] {
    var found: [Diagnosis] = []
    if case .failure(let error) = outlook.settings {
      let failure = Failure(error)
      let file = "\(outlook.root)/moha-sync.yaml"
      found.append(
        Diagnosis(
          area: "configuration", code: failure.code, severity: .error, found: Examination.words(error),
          cause: "no command can use the configuration as it is", hint: failure.hint,
          remedy: failure.code == "configuration-readable" ? .closeFile(file) : nil,
          status: failure.status == .refused ? .refused : .usage))
    }
    let file = "\(outlook.root)/moha-sync.yaml"
    if let data = FileManager.default.contents(atPath: file) {
      let unknown = ConfigurationKeys(String(decoding: data, as: UTF8.self)).unknown(Settings.keys)
      for (key, nearest) in unknown.prefix(10) {
        found.append(
          Diagnosis(
            area: "configuration", code: "unknown-key", severity: .warning,
            found: "moha-sync.yaml, line \(key.line): \(printable(key.path)) is no setting, and is ignored",
            hint: nearest.map { "write \($0)" } ?? "`moha-sync init` in an empty repository shows the settings"))
      }
      if found.isEmpty { found.append(.ok("configuration", "configuration", "moha-sync.yaml can be used")) }
    } else if found.isEmpty {
      found.append(.ok("configuration", "configuration", "there is no moha-sync.yaml: environment and defaults"))
    }
    let tokens = [tokenFile, outlook.environment["HOME"].map { "\($0)/.moha-token" }].compactMap { $0 }
    for path in tokens {
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
        let mode = attributes[.posixPermissions] as? Int, mode & 0o077 != 0
      else { continue }
      found.append(
        Diagnosis(
          area: "configuration", code: "token-file-readable", severity: .error,
          found: "\(printable(path)) holds tokens, and others can read it",
          cause: "whoever reads it can write records", hint: "chmod 600 \(printable(path)), and make new tokens",
          remedy: .closeFile(path), status: .refused))
    }
    return found
  }

  /// Disks and versions.
  func machine() async -> [Diagnosis] {
    var found: [Diagnosis] = []
    var folders = [("the repository", outlook.root)]
    if (try? outlook.settings.get())?.database == nil {
      folders.append(("the state folder", outlook.servers.stateDirectory))
    }
    for (name, path) in folders {
      guard let disk = Disk(path) else { continue }
      if let kind = disk.volatileKind {
        found.append(
          Diagnosis(
            area: "machine", code: "volatile-disk", severity: .warning, found: "\(name) is on \(kind)",
            cause: "what is written there is gone after a restart of the machine", hint: "move it to a disk"))
      } else if let kind = disk.networkKind {
        found.append(
          Diagnosis(
            area: "machine", code: "network-disk", severity: .warning, found: "\(name) is on \(kind)",
            cause: "locks and synchronisation of a network file system may not hold", hint: "move it to a local disk"))
      }
      if disk.free < 1 << 30, disk.free < disk.total / 20 {
        found.append(
          Diagnosis(
            area: "machine", code: "disk-full", severity: disk.free < 64 << 20 ? .error : .warning,
            found: "\(name) has \(disk.free >> 20) MiB left", cause: "a write without room fails, and says so",
            hint: "df -h \(printable(path))", status: disk.free < 64 << 20 ? .failed : .partlyDone))
      }
    }
    if found.isEmpty { found.append(.ok("machine", "disks", "the disks have room and keep what is written")) }
    found.append(
      .ok(
        "machine", "versions",
        "moha-sync \(MohaSync.configuration.version), libgit2 \(Repository.libraryVersion), libpq "
          + Connection.libraryVersion))
    return found
  }
}

/// The file system that holds a path, or the nearest folder above it that exists.
struct Disk: Sendable {
  let free: Int
  let total: Int
  /// As the kernel names it, such as `ext4`; empty where it does not say.
  private let kind: String

  init?(_ path: String) {
    var folder = path
    var status = statvfs()
    while statvfs(folder, &status) != 0 {
      guard let slash = folder.lastIndex(of: "/"), folder != "/" else { return nil }
      folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
    }
    func bytes(_ blocks: UInt) -> Int {
      Int(clamping: blocks.multipliedReportingOverflow(by: status.f_frsize).partialValue)
    }
    free = bytes(status.f_bavail)
    total = bytes(status.f_blocks)
    kind = Disk.kind(of: folder)
  }

  var volatileKind: String? { ["tmpfs", "ramfs"].contains(kind) ? kind : nil }

  var networkKind: String? {
    ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs"].contains(kind) ? kind : nil
  }

  /// Of the mount with the longest path above the folder; of several there, the last, which hides the others.
  private static func kind(of folder: String) -> String {
    let data = FileManager.default.contents(atPath: "/proc/self/mounts")
    var found = (length: -1, kind: "")
    for line in String(decoding: data ?? .init(), as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 2 else { continue }
      let point = fields[1].replacing("\\040", with: " ")
      let isAbove = point == "/" || folder == point || folder.hasPrefix(point + "/")
      if isAbove, point.utf8.count >= found.length { found = (point.utf8.count, String(fields[2])) }
    }
    return found.kind
  }
}
