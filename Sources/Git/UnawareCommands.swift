/// Git commands that were at work when HEAD moved, and may have read it before.
///
/// `git merge`, `git reset` and others read HEAD first and take `index.lock` for what they write later, without a second
/// look at HEAD: what was committed in between is not in what they write, and the person's next commit takes it out. Whoever
/// has moved HEAD therefore holds `index.lock` until those have ended: one that wants the lock gives up with a word about
/// it, as beside any other git command, and its user runs it again. Commands that begin later read the new HEAD.
struct UnawareCommands {
  private var processes: [ProcessTable.Instance]

  /// Those that run now with their current folder in one of `folders`, which are absolute and resolved. A hook's own git
  /// command waits for this process, and is none of them.
  init(in folders: [[UInt8]]) {
    let commands = ProcessTable.gitCommands(in: folders).filter { UnawareCommands.mayWriteIndex($0.arguments) }
    let ancestors = commands.isEmpty ? [] : ProcessTable.ancestors()
    processes = commands.map(\.process).filter { !ancestors.contains($0.number) }
  }

  /// Returns when they have ended, or at `deadline`: one that waits for a person or a network is not waited for.
  mutating func wait(until deadline: ContinuousClock.Instant) {
    while true {
      processes.removeAll { !$0.isAlive }
      guard !processes.isEmpty, ContinuousClock.now < deadline else { return }
      Pause.short()
    }
  }

  /// False for commands that write no index, or compare HEAD with what they have read when they move it (`commit`), or
  /// leave all of that to commands of their own (`pull`). An alias has a name that nobody knows, and counts.
  static func mayWriteIndex(_ arguments: [String]) -> Bool {
    guard let name = GitCommandLine(arguments)?.name else { return false }
    return !harmless.contains(name) && !harmlessPrefixes.contains { name.hasPrefix($0) }
  }

  private static let harmless: Set<String> = [
    "annotate", "archive", "blame", "branch", "bundle", "cat-file", "check-attr", "check-ignore", "commit", "commit-graph",
    "commit-tree", "config", "count-objects", "daemon", "describe", "diff", "diff-files", "diff-index", "diff-tree", "fetch",
    "fetch-pack", "for-each-ref", "format-patch", "fsck", "fsmonitor--daemon", "gc", "grep", "gui", "hash-object", "help",
    "http-backend", "index-pack", "log", "ls-files", "ls-remote", "ls-tree", "maintenance", "merge-base", "multi-pack-index",
    "name-rev", "notes", "pack-objects", "pack-refs", "prune", "prune-packed", "pull", "push", "receive-pack", "reflog",
    "repack", "rev-list", "rev-parse", "send-pack", "shortlog", "show", "show-ref", "status", "tag", "unpack-objects",
    "upload-pack", "var", "verify-pack", "version",
  ]
  private static let harmlessPrefixes = ["credential", "remote-", "send-email", "web--"]
}
