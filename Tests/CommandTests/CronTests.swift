internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// `cron print`, `install` and `uninstall`.
@Suite struct CronTests {
  private static let sample = ["--root", "/srv/agent", "--program", "/usr/local/bin/moha-sync"]

  /// A file of the package.
  private func file(_ path: String) throws -> String {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    return try ChildProcess.runChecked("cat", ["\(root)/\(path)"]).stdoutText
  }

  /// A folder with a program `crontab` that keeps the crontab in a file, as cron's own does in its spool.
  private func crontab(_ folder: String) throws -> [String: String] {
    let script = """
      #!/bin/sh
      file='\(folder)/tab'
      case $1 in
        -l) [ -e "$file" ] || { echo "no crontab for tester" >&2; exit 1; }; cat "$file";;
        -) cat > "$file.new" && mv "$file.new" "$file"; echo x >> '\(folder)/writes';;
      esac
      """
    try ChildProcess.runChecked(
      "/bin/sh", ["-c", "printf '%s' \"$1\" > \"$2/crontab\"; chmod 755 \"$2/crontab\"", "sh", script, folder])
    return ["PATH": "\(folder):/usr/bin:/bin"]
  }

  private func put(_ text: String, _ path: String) throws {
    try ChildProcess.runChecked("/bin/sh", ["-c", "printf '%s' \"$1\" > \"$2\"", "sh", text, path])
  }

  @Test("the files in cron/ are what cron print prints")
  func files() async throws {
    let tree = try await CommandTree()
    let printed = try await tree.runBare(["cron", "print"] + Self.sample)
    #expect(printed.status == 0, "\(printed.everything)")
    #expect(printed.stdoutText == (try file("cron/moha-sync.crontab")))
    let units = try await tree.runBare(["cron", "print", "--systemd", "--json"] + Self.sample).json()
    guard case .array(let list)? = units["units"] else { return #expect(Bool(false), "\(units)") }
    #expect(try list.map { $0["text"]?.text } == [file("cron/moha-sync.service"), file("cron/moha-sync.timer")])
  }

  @Test("install keeps every other line, twice is once, two roots live side by side, and uninstall takes its own out")
  func install() async throws {
    let folder = try TemporaryDirectory()
    let environment = try crontab(folder.path)
    let trees = [try await CommandTree.sample(), try await CommandTree.sample()]
    func run(_ tree: Int, _ arguments: String...) async throws -> ChildProcess.Output {
      try await trees[tree].runBare(["cron"] + arguments, environment: environment)
    }
    func tab() throws -> String { try ChildProcess.runChecked("cat", ["\(folder.path)/tab"]).stdoutText }

    #expect(try await run(0, "install").status == 0)
    let first = try tab()
    #expect(first == (try await run(0, "print").stdoutText))
    #expect(try await run(0, "uninstall").status == 0)
    #expect(try tab() == "")

    let mine = "MAILTO=me\n# caf\u{e9}\n5 4 * * 0 echo '100\\%'\n"
    try put(mine, "\(folder.path)/tab")
    #expect(try await run(0, "install").status == 0)
    #expect(try tab() == mine + first)
    #expect(try await run(1, "install", "--every", "1h").status == 0)
    let both = try tab()
    #expect(both.hasPrefix(mine + first) && both.contains("\n0 */1 * * * "))
    let writes = try ChildProcess.runChecked("cat", ["\(folder.path)/writes"]).stdoutText
    for tree in 0...1 { #expect(try await run(tree, "install", "--every", tree == 0 ? "10m" : "1h").status == 0) }
    #expect(try tab() == both)
    #expect(try ChildProcess.runChecked("cat", ["\(folder.path)/writes"]).stdoutText == writes)
    // Another interval replaces the block where it stands.
    #expect(try await run(0, "install", "--every", "30m").status == 0)
    #expect(try tab() == both.replacing("*/10 * * * *", with: "*/30 * * * *"))
    for tree in 0...1 { #expect(try await run(tree, "uninstall").status == 0) }
    #expect(try tab() == mine)
    // A block that somebody has cut is not guessed at.
    try put(first.split(separator: "\n").dropLast().joined(separator: "\n"), "\(folder.path)/tab")
    let damaged = try await run(0, "install", "--json")
    #expect(damaged.status == 1)
    #expect(try damaged.json()["error"]?["code"]?.text == "crontab-damaged")
  }

  @Test("without a crontab program there is an error with a way out, and an interval that cron cannot say is usage")
  func missing() async throws {
    let tree = try await CommandTree.sample()
    let folder = try TemporaryDirectory()
    let output = try await tree.runBare(["cron", "install"], environment: ["PATH": folder.path])
    #expect(output.status == 1 && output.stderrText.contains("--systemd"), "\(output.everything)")
    for interval in ["7m", "5h", "25h", "0m", "10", "x"] {
      #expect(try await tree.runBare(["cron", "print", "--every", interval]).status == 2, "\(interval)")
    }
    #expect(try await tree.runBare(["cron", "print", "--user"]).status == 2)
    #expect(try await tree.runBare(["cron", "print"], folder: "/").status == 10)
  }

  @Test("a root with spaces, quotes and percent signs is quoted for cron, the shell and systemd; a newline is refused")
  func quoting() async throws {
    let tree = try await CommandTree.sample()
    let root = "\(tree.git.base)/it's 100% \"my\" $HOME;x"
    try ChildProcess.runChecked("cp", ["-r", tree.git.path, root])
    let block = try await tree.runBare(["cron", "print", "--root", root])
    #expect(block.status == 0, "\(block.everything)")
    let line = try #require(block.stdoutText.split(separator: "\n").first { $0.hasPrefix("*/10") })
    #expect(!line.replacing("\\%", with: "").contains("%"))
    // As cron hands it to the shell; the root is the word after --root.
    let command = line.dropFirst("*/10 * * * * ".count).replacing("\\%", with: "%")
    let words = try ChildProcess.runChecked("/bin/sh", ["-c", "timeout() { printf '%s\\n' \"$@\"; }; \(command)"])
      .stdoutText
    let list = words.split(separator: "\n").map(String.init)
    let position = try #require(list.firstIndex(of: "--root"))
    #expect(list[position + 1] == root && list.contains("tick") && list.contains("--quiet"))

    let folder = try TemporaryDirectory()
    let units = try await tree.runBare(
      ["cron", "install", "--systemd", "--user", "--root", root], environment: ["XDG_CONFIG_HOME": folder.path])
    #expect(units.status == 0, "\(units.everything)")
    let names = try ChildProcess.runChecked("ls", ["\(folder.path)/systemd/user"]).stdoutText.split(separator: "\n")
    #expect(names.count == 2)
    let service = try ChildProcess.runChecked("cat", ["\(folder.path)/systemd/user/\(names[0])"]).stdoutText
    #expect(service.contains("--root \"\(tree.git.base)/it's 100%% \\\"my\\\" $$HOME;x\" --quiet tick"))
    #expect(
      try await tree.runBare(
        ["cron", "uninstall", "--systemd", "--user", "--root", root], environment: ["XDG_CONFIG_HOME": folder.path]
      ).status == 0)
    #expect(try ChildProcess.runChecked("ls", ["\(folder.path)/systemd/user"]).stdoutText == "")

    let newline = "\(tree.git.base)/a\nb"
    try ChildProcess.runChecked("cp", ["-r", tree.git.path, newline])
    #expect(try await tree.runBare(["cron", "print", "--root", newline]).status == 2)
  }

  @Test("the line that is installed runs")
  func runs() async throws {
    let tree = try await CommandTree.sample()
    let line = try #require(
      try await tree.runBare(["cron", "print"]).stdoutText.split(separator: "\n").first { $0.hasPrefix("*/10") })
    let command = line.dropFirst("*/10 * * * * ".count).replacing("--jitter 60", with: "--jitter 0")
    let output = try await Program.run(
      ["/bin/sh", "-c", String(command)],
      environment: tree.environment.merging(["DATABASE_URL": tree.database.url]) { $1 },
      folder: "/")
    #expect(output.status == 0 && output.everything == "", "\(output.everything)")
    try await tree.expect(0, "verify")
  }
}
