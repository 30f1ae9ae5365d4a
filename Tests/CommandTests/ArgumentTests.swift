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
    (["--help"], ["--help"]),
    (["--root"], ["--root"]),
    ([], []),
  ])
  func globalOptionsMayStandBeforeTheCommand(given: [String], expected: [String]) {
    #expect(GlobalOptions.movedBehindCommand(given) == expected)
  }
}
