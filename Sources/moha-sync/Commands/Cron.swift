import ArgumentParser
import FoundationEssentials
import Git
import Glibc
import Records

/// Has `tick` run by cron or by systemd.
struct Cron: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cron", abstract: "Have tick run by cron or systemd.",
    discussion: """
      Cron knows nothing of your shell's environment: put what the job needs (database, ping URL) into \
      moha-sync.yaml, ~/.pgpass, or variables at the top of the crontab.
      """,
    subcommands: [Print.self, Install.self, Uninstall.self])

  struct Options: ParsableArguments {
    @OptionGroup var global: GlobalOptions
    @Option(help: ArgumentHelp("How often: 5m, 10m, 1h, 1d …", valueName: "interval"))
    var every = CronSchedule(minutes: 10)
    @Flag(help: "A systemd service and timer instead of crontab lines.")
    var systemd = false
    @Flag(help: "With --systemd: units of your own, in ~/.config/systemd/user.")
    var user = false
    @Option(help: ArgumentHelp("The program's path, where it is not this one.", valueName: "path"))
    var program: String?

    func validate() throws {
      if user && !systemd { throw ValidationError("--user belongs to --systemd: a crontab is always the user's own") }
    }

    /// - Parameter needsRepository: false lets a root be named that is not on this machine.
    func job(needsRepository: Bool) async throws -> CronJob {
      var (root, agent) = (global.root ?? "", global.agent ?? "maven")
      do {
        let workspace = try await Workspace(global)
        (root, agent) = (workspace.root, workspace.settings.agent.name)
      } catch let error as GitError where !needsRepository && global.root?.hasPrefix("/") == true {
        guard error.code == .notARepository || error.code == .notFound, Agent(agent) != nil else { throw error }
        while root.count > 1, root.hasSuffix("/") { root.removeLast() }
      }
      return try CronJob(root: root, agent: agent, program: program ?? Options.thisProgram(), schedule: every)
    }

    /// The folder of the units.
    var unitFolder: String {
      guard user else { return "/etc/systemd/system" }
      let environment = ProcessInfo.processInfo.environment
      let configuration = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      return "\(configuration ?? (environment["HOME"] ?? "") + "/.config")/systemd/user"
    }

    func units(_ job: CronJob) -> [CronJob.Unit] {
      var status = stat()
      var owner: String?
      if !user, stat(job.root, &status) == 0, status.st_uid != 0, let entry = getpwuid(status.st_uid) {
        owner = String(cString: entry.pointee.pw_name)
      }
      return job.units(isUser: user, owner: owner)
    }

    private static func thisProgram() throws -> String {
      var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
      let count = readlink("/proc/self/exe", &buffer, buffer.count)
      guard count > 0 else {
        throw CommandFailure(
          code: "program-unknown", message: "the path of this program is unknown", hint: "name it with --program",
          status: .failed)
      }
      return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  struct Print: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the crontab lines, or the units.")
    @OptionGroup var options: Options

    func run() async throws {
      let job = try await options.job(needsRepository: false)
      guard options.systemd else {
        let text = try job.crontab()
        return options.global.json
          ? Output.writeJSON(.object([.init("schema", 1), .init("crontab", .string(text))])) : Output.write(text)
      }
      let units = options.units(job)
      if options.global.json {
        let list = units.map { unit -> JSONValue in
          .object([.init("name", .string(unit.name)), .init("text", .string(unit.text))])
        }
        Output.writeJSON(.object([.init("schema", 1), .init("units", .array(list))]))
      } else {
        Output.write(units.map { "# \(options.unitFolder)/\($0.name)\n\($0.text)" }.joined(separator: "\n"))
      }
    }
  }

  struct Install: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put the lines into your crontab, or write the units.",
      discussion: "Every other line of the crontab stays as it is; twice is the same as once.")
    @OptionGroup var options: Options

    func run() async throws {
      let job = try await options.job(needsRepository: true)
      guard options.systemd else {
        let block = try job.crontab()
        let crontab = CrontabProgram(environment: ProcessInfo.processInfo.environment)
        let old = try await crontab.read()
        let new = try old.installing(block, of: job)
        if new.bytes != old.bytes { try await crontab.write(new) }
        return Cron.report(options, isChanged: new.bytes != old.bytes, "in the crontab", next: nil)
      }
      let isChanged = try UnitFolder(path: options.unitFolder).install(options.units(job))
      let manager = options.user ? "systemctl --user" : "systemctl"
      Cron.report(
        options, isChanged: isChanged, "in \(options.unitFolder)",
        next: "\(manager) daemon-reload && \(manager) enable --now \(job.unitName).timer")
    }
  }

  struct Uninstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take the lines out of your crontab, or remove the units.")
    @OptionGroup var options: Options

    func run() async throws {
      let job = try await options.job(needsRepository: false)
      guard options.systemd else {
        let crontab = CrontabProgram(environment: ProcessInfo.processInfo.environment)
        let old = try await crontab.read()
        let new = try old.removing(job)
        if new.bytes != old.bytes { try await crontab.write(new) }
        return Cron.report(options, isChanged: new.bytes != old.bytes, "not in the crontab", next: nil)
      }
      let isChanged = try UnitFolder(path: options.unitFolder).uninstall(options.units(job))
      Cron.report(
        options, isChanged: isChanged, "not in \(options.unitFolder)",
        next: isChanged ? "systemctl\(options.user ? " --user" : "") daemon-reload" : nil)
    }
  }

  private static func report(_ options: Options, isChanged: Bool, _ place: String, next: String?) {
    if options.global.json {
      Output.writeJSON(
        .object([
          .init("schema", 1), .init("changed", .bool(isChanged)), .init("next", next.map { .string($0) } ?? .null),
        ]))
    } else if !options.global.quiet {
      Output.write("\(isChanged ? "now" : "already") \(place)\n")
      if let next { Output.write("next: \(next)\n") }
    }
  }
}

/// A folder of systemd units; only files with the names of a job's own are touched.
struct UnitFolder {
  let path: String

  /// Returns whether a file changed.
  func install(_ units: [CronJob.Unit]) throws -> Bool {
    var isChanged = false
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for unit in units {
        let file = "\(path)/\(unit.name)"
        if FileManager.default.contents(atPath: file) == Data(unit.text.utf8) { continue }
        try Data(unit.text.utf8).write(to: URL(filePath: file), options: .atomic)
        isChanged = true
      }
    } catch {
      throw failure("written")
    }
    return isChanged
  }

  func uninstall(_ units: [CronJob.Unit]) throws -> Bool {
    var isChanged = false
    for unit in units where FileManager.default.fileExists(atPath: "\(path)/\(unit.name)") {
      guard unlink("\(path)/\(unit.name)") == 0 else { throw failure("removed") }
      isChanged = true
    }
    return isChanged
  }

  private func failure(_ what: String) -> CommandFailure {
    CommandFailure(
      code: "units-failed", message: "the units in \(path) cannot be \(what)",
      hint: "--user takes a folder of your own; `moha-sync cron print --systemd` shows the units", status: .failed)
  }
}
