import Testing

@testable import moha_sync

@Suite struct ArgumentTests {
  @Test(arguments: [
    (["--root", "x", "verify", "--json"], ["verify", "--root", "x", "--json"]),
    (["--json", "--agent=a", "sync", "--at", "HEAD"], ["sync", "--json", "--agent=a", "--at", "HEAD"]),
    (["verify", "--root", "x"], ["verify", "--root", "x"]),
    (["--help"], ["--help"]),
    (["--root"], ["--root"]),
    ([], []),
  ])
  func globalOptionsMayStandBeforeTheCommand(given: [String], expected: [String]) {
    #expect(GlobalOptions.movedBehindCommand(given) == expected)
  }
}
