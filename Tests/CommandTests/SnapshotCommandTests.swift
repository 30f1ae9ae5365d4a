internal import Records
internal import TestSupport
internal import Testing

/// `snapshot`: from Redis to git, and back after a flush.
@Suite(.timeLimit(.minutes(8))) struct SnapshotCommandTests {
  @Test("positions and prices become a file, a commit and a row, computed to the cent")
  func take() async throws {
    let scene = try await RedisScene()
    try await scene.expect(0, "sync")
    try scene.open("BTC", "long", entry: "64000.10", size: "0.125")
    try scene.open("ETH", "short", entry: "3000", size: "1.5")
    try scene.price("BTC", "65000.30")
    try scene.price("ETH", "3100.01")
    let answer = try await scene.expect(0, "snapshot", "--balance", "1000.005", "--notes", "first", "--json").json()
    let snapshot = try #require(answer["snapshot"])
    // 0.125 × 1000.20 = 125.025; 1.5 × -100.01 = -150.015; 8000.0125 + 4500 tied up.
    #expect(snapshot["unrealized_pnl_usd"] == .number(try #require(JSONNumber("-24.99"))))
    #expect(snapshot["margin_used_usd"] == .number(try #require(JSONNumber("12500.01"))))
    #expect(snapshot["available_balance_usd"] == .number(try #require(JSONNumber("1000.01"))))
    #expect(snapshot["total_value_usd"] == .number(try #require(JSONNumber("13475.03"))))
    #expect(answer["success"] == true && answer["git_persisted"] == true)
    #expect(
      try await scene.tree.value(
        "SELECT total_value_usd || ' ' || position_count || ' ' || snapshot_type || ' ' || notes FROM maven_portfolio_snaps"
      ) == "13475.03 2 manual first")
    #expect(try scene.files.count == 1 && scene.tree.git.git("status", "--porcelain") == "")
    try await scene.expect(0, "verify")
    // The next one takes the balance over, and knows the change since the first.
    try scene.price("BTC", "66000.30")
    let next = try #require(try await scene.expect(0, "snapshot", "--json").json()["snapshot"])
    #expect(next["pnl_all_time"] == .number(try #require(JSONNumber("125.00"))))
    #expect(next["metadata"]?["balance_from"]?.text?.hasPrefix("snapshot_") == true)
    let text = try await scene.expect(0, "snapshot").stdoutText
    #expect(text.contains("BTC") && text.contains("recorded") && text.contains("USD"))
  }

  @Test("what cannot be counted is not left out: nothing is written without a balance, a price or a whole position")
  func refusals() async throws {
    let scene = try await RedisScene()
    try scene.open("BTC", "long", entry: "64000", size: "1")
    let head = try scene.tree.git.git("rev-parse", "HEAD")
    try scene.price("BTC", "65000")
    #expect(try await scene.expect(1, "snapshot").stderrText.contains("--balance"))
    _ = try scene.server.cli("DEL", "market:BTC:price")
    let unpriced = try await scene.expect(1, "snapshot", "--balance", "1")
    #expect(unpriced.stderrText.contains("no price of BTC") && unpriced.stderrText.contains("cache price set BTC"))
    try scene.price("BTC", "65000")
    _ = try scene.server.cli("HSET", "position:ETH", "side", "up")
    #expect(try await scene.expect(1, "snapshot", "--balance", "1").stderrText.contains("position:ETH"))
    _ = try scene.server.cli("DEL", "position:ETH")
    for wrong in [["--balance", "1e3"], ["--price", "BTC"], ["--price", "a b=1"], ["--type", "hourly"]] {
      let output = try await scene.run(["snapshot"] + wrong)
      #expect(output.status == 2, "\(wrong): \(output.everything)")
    }
    try scene.open("BTC", "long", entry: "9999999999999", size: "9")
    #expect(try await scene.expect(2, "snapshot", "--balance", "1").stderrText.contains("9,999,999,999,999"))
    #expect(try scene.tree.git.git("rev-parse", "HEAD") == head && scene.files.isEmpty)
    try scene.server.kill()
    #expect(try await scene.expect(69, "snapshot", "--balance", "1").everything.isEmpty == false)
  }

  @Test("after a flush the positions of the newest snapshot come back, and only where there are none")
  func flush() async throws {
    let scene = try await RedisScene()
    try scene.open("BTC", "long", entry: "64000.10", size: "0.125")
    try scene.open("ETH", "short", entry: "3000", size: "1.5")
    for asset in ["BTC", "ETH"] { try scene.price(asset, "3000") }
    try await scene.expect(0, "snapshot", "--balance", "10")
    // What is closed while Redis knows the positions stays closed.
    _ = try scene.server.cli("DEL", "position:ETH")
    try await scene.expect(0, "tick")
    #expect(try scene.server.cli("EXISTS", "position:ETH") == "0")
    _ = try scene.server.cli("FLUSHALL")
    try scene.open("BTC", "short", entry: "1", size: "2")
    let tick = try await scene.expect(0, "tick")
    #expect(tick.stderrText.contains("put back from snapshot_") && tick.stderrText.contains("ETH"))
    #expect(try scene.server.cli("HGET", "position:ETH", "size") == "1.5")
    #expect(try scene.server.cli("HGET", "position:ETH", "opened_at") == "2026-01-13T03:56:13.000000+00:00")
    #expect(try scene.server.cli("HGET", "position:BTC", "side") == "short")
    #expect(try await scene.expect(0, "tick").everything == "")
    _ = try scene.server.cli("FLUSHALL")
    let restored = try await scene.expect(0, "snapshot", "restore", "--json").json()
    #expect(restored["restored"] == ["BTC", "ETH"])
    #expect(try scene.server.cli("HGET", "position:BTC", "entry") == "64000.10")
    #expect(try await scene.expect(0, "snapshot", "restore", "--json").json()["restored"] == [])
  }

  @Test("tick takes a snapshot when the newest is old enough, and says what keeps it from it")
  func scheduled() async throws {
    let scene = try await RedisScene()
    func step(_ arguments: [String] = [], _ environment: [String: String] = [:], status: Int32 = 0) async throws
      -> String?
    {
      let output = try await scene.run(["tick", "--json"] + arguments, environment: environment)
      #expect(output.status == status, "\(output.everything)")
      guard case .array(let steps)? = try output.json()["steps"] else { return nil }
      return steps.first { $0["name"]?.text == "snapshot" }?["status"]?.text
    }
    #expect(try await step() == "not-due")
    try scene.open("BTC", "long", entry: "64000", size: "1")
    #expect(try await step() == "skipped")
    // Taken long ago, as a clone of yesterday has it.
    let old =
      #"{"snapshot_at": "2026-01-01T00:00:00Z", "snapshot_type": "manual", "total_value_usd": 5, "available_balance_usd": 5}"#
    try scene.tree.git.write(".moha/maven/portfolio/snapshot_20260101_000000.json", old)
    #expect(try await step(status: 3) == "incomplete")
    #expect(try await step([], ["SNAPSHOT_MINUTES": "0"]) == "off")
    try scene.price("BTC", "65000")
    #expect(try await step() == "taken")
    #expect(try await step() == "not-due")
    #expect(
      try await scene.tree.value(
        "SELECT total_value_usd || ' ' || snapshot_type || ' ' || pnl_30d FROM maven_portfolio_snaps ORDER BY id DESC LIMIT 1"
      )
        == "65005.00 scheduled 65000.00")
    try await scene.expect(0, "verify")
    try scene.server.kill()
    #expect(try await step() == "skipped")
  }
}

extension RedisScene {
  fileprivate func open(_ asset: String, _ side: String, entry: String, size: String) throws {
    _ = try server.cli(
      "HSET", "position:\(asset)", "side", side, "entry", entry, "size", size, "opened_at", "2026-01-13T03:56:13Z")
  }

  fileprivate func price(_ asset: String, _ price: String) throws {
    _ = try server.cli("SET", "market:\(asset):price", price, "EX", "60")
  }

  fileprivate var files: [String] {
    get throws {
      try tree.git.git("ls-files", ".moha/maven/portfolio").split(separator: "\n").map(String.init)
    }
  }
}
