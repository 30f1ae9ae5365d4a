internal import Glibc

/// Programs of git that may remove objects which are new and have no name yet.
enum ObjectRemover {
  /// Those at work in a repository, whose folders are absolute and resolved.
  ///
  /// `git gc` does its work by commands of its own, each of which looks for itself at what is named. Where these cannot be
  /// told by their current folder (another user's, or a `--git-dir` from elsewhere), the process in `gc.pid`, which
  /// `git gc` leaves in the git folder, stands for them. `expiry` is the value of `gc.pruneExpire`.
  static func running(in folders: [[UInt8]], gcFile: [UInt8], _ expiry: String?) -> [ProcessTable.Instance] {
    let commands = ProcessTable.gitCommands(in: folders)
    var found = commands.filter { GitCommandLine($0.arguments)?.name != "gc" && removes($0.arguments, expiry) }
      .map(\.process)
    if let process = holder(of: gcFile), ProcessTable.isGit(process), let instance = ProcessTable.Instance(process),
      !commands.contains(where: { $0.process == instance }),
      removes(ProcessTable.arguments(of: process) ?? ["git", "prune"], expiry)
    {
      found.append(instance)
    }
    return found
  }

  /// The process that `gc.pid` names, if it is one of this machine; nil if there is no such file.
  private static func holder(of gcFile: [UInt8]) -> Int32? {
    guard let file = try? Descriptor(opening: gcFile, O_RDONLY | O_NOFOLLOW, "look for git gc"),
      let bytes = try? file.readAll(expecting: 64, limit: 4_096, "look for git gc")
    else { return nil }
    let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    guard words.count == 2, let process = Int32(words[0]), words[1] == ProcessTable.hostName else { return nil }
    return process
  }

  /// True for the command line of a command that removes unnamed objects, however new they are.
  ///
  /// `git gc` gives `git prune` and `git repack` a time, two weeks ago unless told otherwise; what is younger stays.
  static func removes(_ arguments: [String], _ expiry: String?) -> Bool {
    guard let command = GitCommandLine(arguments) else { return false }
    let options = command.options
    switch command.name {
    case "gc":
      if options.contains("--no-prune") { return false }
      return reachesNew(value(of: ["--prune"], options) ?? expiry ?? "2.weeks.ago")
    case "prune":
      if options.contains("-n") || options.contains("--dry-run") { return false }
      return reachesNew(value(of: ["--expire"], options) ?? "now")
    case "repack":
      // Only packs that are made of everything leave out what nothing names.
      let isOfAll = options.contains { option in
        option == "--cruft" || option.hasPrefix("-") && !option.hasPrefix("--") && option.lowercased().contains("a")
      }
      return isOfAll && reachesNew(value(of: ["--unpack-unreachable", "--cruft-expiration"], options) ?? "now")
    default: return false
    }
  }

  /// The value of an option, as `--name=value` or as two words; a name alone has the value of the default, two weeks.
  private static func value(of names: [String], _ options: ArraySlice<String>) -> String? {
    for (position, option) in zip(options.indices, options) {
      for name in names {
        if option.hasPrefix(name + "=") { return String(option.dropFirst(name.count + 1)) }
        guard option == name else { continue }
        let next = options[(position + 1)...].first
        return next.flatMap { $0.hasPrefix("-") || name == "--prune" ? nil : $0 } ?? "2.weeks.ago"
      }
    }
    return nil
  }

  /// False for a time that is days ago or more, or never: what a commit has just written is younger.
  private static func reachesNew(_ expiry: String) -> Bool {
    !["day", "week", "fortnight", "month", "year", "never", "false"].contains { expiry.lowercased().contains($0) }
  }
}
