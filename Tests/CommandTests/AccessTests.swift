internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// Repositories that this user may not write, or not trust.
@Suite struct AccessTests {
  @Test(
    "a repository of another owner: exit 10 with the exact line that trusts it, and never a wildcard",
    .enabled(if: geteuid() == 0, "only root can give a folder away"))
  func ownership() async throws {
    let tree = try await CommandTree.sample()
    try ChildProcess.runChecked("chown", ["-R", "nobody", tree.git.path])
    let line = "git config --global --add safe.directory \(tree.git.path)"
    let output = try await tree.run("verify")
    #expect(output.status == 10, "\(output.everything)")
    #expect(output.stderrText.contains(line), "\(output.stderrText)")
    #expect(!output.stderrText.contains("safe.directory *") && !output.stderrText.contains("safe.directory '*'"))
    let json = try await tree.run("sync", "--json")
    #expect(json.status == 10)
    #expect(try json.json()["error"]?["code"]?.text == "git-ownership")

    // The remedy works as printed.
    let environment = tree.environment
    let remedy = try await Program.run(["/bin/sh", "-c", line], environment: environment, folder: "/")
    #expect(remedy.status == 0, "\(remedy.everything)")
    try await tree.expect(0, "sync")
  }

  @Test(
    "a read-only disk: a clear message, nothing half done, and readers still work",
    .enabled(if: geteuid() == 0, "only root can mount"))
  func readOnlyDisk() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try tree.write(decision: 7)
    let dump = try tree.dump()
    func onReadOnlyDisk(_ arguments: String) async throws -> ChildProcess.Output {
      // The mount is seen by this one process and goes with it.
      try await Program.run(
        [
          "unshare", "--mount", "/bin/sh", "-c",
          "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\" && exec \"$0\" \(arguments) --database \"$1\"",
          try Program.path(), tree.database.url,
        ], environment: tree.environment, folder: tree.git.path)
    }
    for command in ["sync", "reconcile", "reconcile --json"] {
      let output = try await onReadOnlyDisk(command)
      #expect(output.status == 1, "\(output.everything)")
      #expect(output.everything.contains("Read-only file system") && output.everything.contains("Nothing was changed"))
    }
    #expect(try tree.dump() == dump)
    let verify = try await onReadOnlyDisk("verify")
    #expect(verify.status == 4, "\(verify.everything)")
    let plan = try await onReadOnlyDisk("reconcile --dry-run")
    #expect(plan.status == 4, "\(plan.everything)")
    // The disk came back.
    try await tree.expect(0, "reconcile")
  }

  @Test(
    "a git folder that this user may not write: a clear message and nothing half done",
    .enabled(if: geteuid() == 0, "needs a user who may not write"))
  func unwritableGitFolder() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    try tree.write(decision: 7)
    let dump = try tree.dump()
    try ChildProcess.runChecked("chmod", ["755", tree.git.base])
    try ChildProcess.runChecked(
      "git", ["config", "--file", "\(tree.git.base)/.gitconfig", "safe.directory", tree.git.path])
    let program = "\(tree.git.base)/moha-sync"
    try ChildProcess.runChecked("cp", [try Program.path(), program])
    func asNobody(_ command: String) async throws -> ChildProcess.Output {
      try await Program.run(
        [
          "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", program, command, "--database",
          tree.database.url,
        ],
        environment: tree.environment, folder: tree.git.path)
    }
    for command in ["sync", "reconcile"] {
      let output = try await asNobody(command)
      #expect(output.status == 1, "\(output.everything)")
      #expect(
        output.stderrText.contains("Permission denied") && output.stderrText.contains("Nothing was changed"),
        "\(output.everything)")
    }
    #expect(try tree.dump() == dump)
  }
}
