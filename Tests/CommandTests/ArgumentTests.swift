import Records
import TestSupport
import Testing

@testable import moha_sync

@Suite struct ArgumentTests {
  @Test(arguments: [
    (["--root", "x", "verify", "--json"], ["verify", "--root", "x", "--json"]),
    (["--json", "--agent=a", "sync", "--at", "HEAD"], ["sync", "--json", "--agent=a", "--at", "HEAD"]),
    (["verify", "--root", "x"], ["verify", "--root", "x"]),
    (["--json", "cache", "price", "get", "BTC"], ["cache", "price", "get", "--json", "BTC"]),
    (["--json", "cache", "limit", "x", "--max", "1"], ["cache", "limit", "--json", "x", "--max", "1"]),
    (["--root", "x", "lock", "run", "job", "--", "ls"], ["lock", "run", "--root", "x", "job", "--", "ls"]),
    (["--json", "cache", "price"], ["cache", "price", "--json"]),
    (["--json", "snapshot", "restore"], ["snapshot", "restore", "--json"]),
    (["--json", "search", "search"], ["search", "--json", "search"]),
    (["-q", "restore", "--at", "HEAD"], ["restore", "-q", "--at", "HEAD"]),
    (["--help"], ["--help"]),
    (["--root"], ["--root"]),
    ([], []),
  ])
  func globalOptionsMayStandBeforeTheCommand(given: [String], expected: [String]) {
    #expect(GlobalOptions.movedBehindCommand(given) == expected)
  }

  @Test(
    "with an input the options still count: a key among them makes one record of two calls, and a member in both is refused"
  )
  func optionsBesideAnInput() async throws {
    let tree = try await CommandTree.sample()
    let input = "\(tree.git.base)/request"
    try tree.git.write("../request", #"{"total_value_usd": 1250.50, "available_balance_usd": 1000}"#)
    let line = [
      "record", "snapshot", "--input", input, "--metadata", #"{"by": "hand"}"#, "--idempotency-key", "k", "--json",
    ]
    let first = try await tree.run(line).json()
    let second = try await tree.run(line).json()
    #expect(first["success"] == .bool(true) && second["data"]?["repeated"] == .bool(true))
    #expect(try tree.git.git("ls-files", ".moha/maven/portfolio").split(separator: "\n").count == 1)
    let path = try #require(first["data"]?["path"]?.text)
    #expect(try JSONValue.parse(try tree.git.git("show", "HEAD:\(path)"))["metadata"]?["by"] == "hand")
    try tree.git.write("../request", #"{"event_type": "NOTE", "content": "a", "idempotency_key": "l"}"#)
    let twice = try await tree.run("record", "event", "--input", input, "--idempotency-key", "m")
    #expect(twice.status == 2 && twice.stderrText.contains("idempotency_key is given twice"), "\(twice.everything)")
    let foreign = try await tree.run("record", "event", "--input", input, "--asset", "BTC")
    #expect(
      foreign.status == 2 && foreign.stderrText.contains("asset is no argument of event"), "\(foreign.everything)")
  }
}
