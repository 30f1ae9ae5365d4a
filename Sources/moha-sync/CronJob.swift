import ArgumentParser

/// How often the periodic run comes: `10m`, `2h`, `1d`.
struct CronSchedule: ExpressibleByArgument, Hashable, Sendable {
  let minutes: Int

  init(minutes: Int) {
    self.minutes = minutes
  }

  init?(argument: String) {
    let factors: [Character: Int] = ["m": 1, "h": 60, "d": 1_440]
    guard let unit = argument.last, let factor = factors[unit], let number = Int(argument.dropLast()),
      (1...1_440).contains(number), number * factor <= 1_440
    else { return nil }
    minutes = number * factor
  }

  /// The first five fields of a crontab line; nil for what cron cannot say, such as every seven minutes.
  var fields: String? {
    if minutes == 1_440 { return "0 0 * * *" }
    if minutes >= 60 { return minutes % 60 == 0 && 24 % (minutes / 60) == 0 ? "0 */\(minutes / 60) * * *" : nil }
    return 60 % minutes == 0 ? (minutes == 1 ? "* * * * *" : "*/\(minutes) * * * *") : nil
  }

  /// Seconds over which runs that start at the same minute are spread: at most a tenth of the interval.
  var jitter: Int { min(60, minutes * 6) }
}

/// The periodic run of one repository, as the system's schedulers are told about it.
///
/// Everything that is made from a path is quoted for the shell, for cron or for systemd; a path that cannot be is
/// refused.
struct CronJob: Sendable {
  /// The absolute path of the working tree.
  let root: String
  let agent: String
  /// The absolute path of this program.
  let program: String
  let schedule: CronSchedule

  /// Seconds after which a run is ended from outside, should its own limits fail.
  private static let limit = 900

  init(root: String, agent: String, program: String, schedule: CronSchedule) throws {
    for path in [root, program]
    where !path.hasPrefix("/") || path.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
      throw CommandFailure(
        code: "invalid-path",
        message: "\(printable(path)) cannot stand in a crontab or a unit: it holds a control character",
        hint: "rename the folder", status: .usage)
    }
    self.root = root
    self.agent = agent
    self.program = program
    self.schedule = schedule
  }

  private var agentOption: String { agent == "maven" ? "" : " --agent \(agent)" }

  // MARK: crontab

  var beginLine: String { "# BEGIN moha-sync \(agent) \(root)" }
  var endLine: String { "# END moha-sync \(agent) \(root)" }

  /// The lines for a crontab, with the lines that mark their begin and end.
  func crontab() throws -> String {
    guard let fields = schedule.fields else {
      throw CommandFailure(
        code: "invalid-interval", message: "cron cannot run a job every \(schedule.minutes) minutes",
        hint: "take a part of an hour or a day, such as 5m, 10m, 30m, 1h, 6h or 1d; or --systemd", status: .usage)
    }
    let command =
      "timeout -k 10 \(CronJob.limit) \(CronJob.shellQuoted(program)) --root \(CronJob.shellQuoted(root))\(agentOption) "
      + "--quiet tick --jitter \(schedule.jitter)"
    // Cron takes an unescaped % for the end of the command, in quotes too.
    return """
      \(beginLine)
      # One command: commit, rotate, reconcile. Silent unless something needs a person; cron mails that.
      \(fields) \(command.replacing("%", with: "\\%"))
      \(endLine)

      """
  }

  private static func shellQuoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        || "/._-+,:@".utf8.contains(byte)
    }
    return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
  }

  // MARK: systemd

  struct Unit: Sendable {
    let name: String
    let text: String
  }

  /// `moha-sync-<agent>-<folder>-<hash of the root>`: readable, and another name for another root.
  var unitName: String {
    let folder = root.split(separator: "/").last ?? "root"
    let plain = String(
      folder.unicodeScalars.prefix(32).map { scalar in
        let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
        return isPlain ? Character(scalar) : "_"
      })
    var hash: UInt32 = 2_166_136_261
    for byte in root.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return "moha-sync-\(agent)-\(plain)-\(String(hash, radix: 16))"
  }

  /// - Parameters:
  ///   - isUser: for the user's own systemd, which may not set up most sandboxes.
  ///   - owner: whose rights the job gets; nil for the manager's own.
  func units(isUser: Bool, owner: String?) -> [Unit] {
    let root = CronJob.unitQuoted(root)
    var service = """
      [Unit]
      Description=moha-sync: commit and reconcile \(self.root.replacing("%", with: "%%"))

      [Service]
      Type=oneshot
      ExecStart=\(CronJob.unitQuoted(program)) --root \(root)\(agentOption) --quiet tick
      # Another run has the lock; it is no failure.
      SuccessExitStatus=11
      TimeoutStartSec=\(CronJob.limit)
      # A database of its own that the first run starts goes on when the run has ended.
      KillMode=process
      NoNewPrivileges=yes
      LockPersonality=yes
      RestrictRealtime=yes
      RestrictSUIDSGID=yes
      SystemCallArchitectures=native

      """
    if !isUser {
      if let owner { service += "User=\(owner)\n" }
      service += """
        ProtectSystem=strict
        ReadWritePaths=\(root)
        # The embedded servers, where no other database is configured, and metrics; not there, it is no error.
        ReadWritePaths=-/var/lib/moha-sync -/tmp -/var/lib/prometheus/node-exporter
        ProtectHome=read-only
        ProtectKernelTunables=yes
        ProtectKernelModules=yes
        ProtectControlGroups=yes
        ProtectClock=yes
        PrivateDevices=yes
        RestrictNamespaces=yes
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6

        """
    }
    let timer = """
      [Unit]
      Description=moha-sync every \(schedule.minutes) minutes

      [Timer]
      OnBootSec=2min
      OnUnitInactiveSec=\(schedule.minutes)min
      RandomizedDelaySec=\(schedule.jitter)

      [Install]
      WantedBy=timers.target

      """
    return [Unit(name: "\(unitName).service", text: service), Unit(name: "\(unitName).timer", text: timer)]
  }

  /// A word of a unit: in quotes, with systemd's own escapes for `%` and `$`.
  private static func unitQuoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("%", with: "%%")
      .replacing("$", with: "$$")
    let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "'") && $0 != UInt8(ascii: ";") }
    return isPlain && escaped == text ? text : "\"\(escaped)\""
  }
}
