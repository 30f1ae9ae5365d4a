import Records
import TestSupport

/// Lines that a careless codec would take for structure, and text that bites.
let hostileFragments: [String] = [
  "## Action", "## Reasoning", "## Metadata", "## Outcome", "## Description", "# Decision Record", "# Milestone: x",
  "---", "--- ", "----", "\\---", "\\\\---", "```", "```json", "````", "  ```", "   ```json", "    ```", "{\"a\": 1}",
  "{",
  "**Timestamp:** 2026-01-13T03:56:13Z", "**Outcome:** none", "**Metadata:** {\"a\": 1}", "**Metadata:** {broken",
  "\\**Metadata:** {}", "*Recorded by Maven*", "*Milestone recorded by Maven*", "### 2026-01-11T08:30:00Z - BIRTH",
  "## [2026-01-17T20:29:50.332321+00:00] GIT_SYNC", "\\## [2026-01-17T20:29:50Z] FORGED", "### [01:45Z] TYPE - TITLE",
  "## [NOTE] 2026-01-18 15:49:06", "## Archive: Day 1 (2026-01-11) - Genesis", "- **BIRTH** [08:30Z]: text",
  "## Log Format", "## What's Working Now:", "<<<<<<< HEAD", "=======", ">>>>>>> other", "\\<<<<<<< HEAD", "", " ",
  "\t",
  "\r", "plain text", "  indented", "trailing  ", "caf\u{E9}", "cafe\u{301}", "💎", "\u{0}", "\u{241B}", "\u{241B}0",
  "\u{2028}", "\u{FEFF}", "a\rb", "\\", "\\\\", "*", "`x`", "-", "#", "##", "### ", "## [", "###  [",
]

extension SeededGenerator {
  mutating func text(lines: Int) -> String {
    var text = ""
    for _ in 0..<below(lines + 1) {
      for _ in 0..<(below(4) == 0 ? 2 : 1) { text += pick(hostileFragments) }
      text += pick(["\n", "\n", "\n", "\r\n", "\n\n", ""])
    }
    return text
  }

  /// Text of one line that is not empty.
  mutating func line() -> String {
    pick(["buy", "TRIPLE_DOWN", "x - y", "[x]", "**x:**", "Milestone: x", "ß é", "# x", "\\x", "a\u{0}b"])
      + text(lines: 1)
  }

  mutating func instant() -> Instant? {
    let span = UInt64(bitPattern: Instant.latest.microseconds &- Instant.earliest.microseconds)
    return Instant(microseconds: Instant.earliest.microseconds + Int64(next() % span))
  }

  mutating func decimal() -> ExactDecimal {
    ExactDecimal(pick(["98.0", "0.95", "100", "007", "-0.0", "12.50", "0.950", "1.0", "33.333", "-4"]))
      ?? ExactDecimal(1)
  }

  mutating func number() -> JSONNumber {
    let digits = String(next() % 1_000_000)
    let spelling =
      pick(["", "-"]) + pick(["0", "1", digits.drop { $0 == "0" }.isEmpty ? "7" : digits])
      + pick(["", ".5", ".50", ".0", ".\(next() % 1_000)"])
      + pick(["", "", "e2", "E-2", "e+10", "e-30", "e0", "e100"])
    return JSONNumber(spelling) ?? JSONNumber(1)
  }

  mutating func json(depth: Int) -> JSONValue {
    switch below(depth > 0 ? 8 : 6) {
    case 0: return .null
    case 1: return .bool(next() % 2 == 0)
    case 2, 3: return .number(number())
    case 4: return .string(text(lines: 2))
    case 5: return .string(pick(["", "a", "\"quoted\"", "tab\there", "\u{1}", "\u{7F}", "/", "é", "💎"]))
    case 6: return .array((0..<below(4)).map { _ in json(depth: depth - 1) })
    default: return object(depth: depth - 1)
    }
  }

  mutating func object(depth: Int) -> JSONValue {
    .object(
      (0..<below(5)).map { _ in
        JSONValue.Member(JSONString(pick(["a", "b", "aa", "é", "key", "moha:json", "", "Z"])), json(depth: depth))
      })
  }

  mutating func decision() -> Decision? {
    instant().map { time in
      Decision(
        decisionType: line(), asset: pick([nil, "BTC", "BTC,ETH", " "]),
        riskLevel: pick(["low", "HIGH", "Severe", "odd one"]),
        confidence: decimal(), decidedAt: time, action: text(lines: 6), reasoning: text(lines: 12),
        outcome: below(2) == 0 ? nil : text(lines: 5), metadata: below(3) == 0 ? .emptyObject : json(depth: 3))
    }
  }

  mutating func milestone() -> Milestone {
    Milestone(
      title: line(), category: pick([nil, "trading", "a b"]), significance: below(2) == 0 ? nil : line(),
      achievedAt: below(4) == 0 ? nil : instant(), description: text(lines: 12),
      metadata: below(3) == 0 ? .emptyObject : json(depth: 3))
  }

  mutating func event() -> Event? {
    instant().map { time in
      Event(
        type: line(), title: pick([nil, "TITLE"]), time: time, content: text(lines: 12),
        metadata: below(3) == 0 ? .emptyObject : json(depth: 3))
    }
  }

  /// An amount of at most two decimals, in any spelling.
  mutating func amount() -> ExactDecimal {
    ExactDecimal(pick(["0", "-0.0", "12.5", "10500.25", "-0.01", "007", "+3", ".5", "9999999999999.99", "1.00"]))
      ?? ExactDecimal(1)
  }

  mutating func snapshot() -> Snapshot? {
    instant().map { time in
      Snapshot(
        cause: pick(Snapshot.Cause.allCases), takenAt: time, totalValue: amount(), availableBalance: amount(),
        marginUsed: amount(), unrealizedPnL: amount(),
        openPositions: .array((0..<below(3)).map { _ in object(depth: 2) }),
        changes: .init(
          day: below(2) == 0 ? nil : amount(), week: below(2) == 0 ? nil : amount(),
          month: below(2) == 0 ? nil : amount(), allTime: below(2) == 0 ? nil : amount()),
        notes: below(2) == 0 ? nil : text(lines: 5), metadata: below(3) == 0 ? .emptyObject : json(depth: 3))
    }
  }

  mutating func record() -> Record {
    switch below(4) {
    case 2: if let snapshot = snapshot() { return .snapshot(snapshot) }
    case 0: if let decision = decision() { return .decision(decision) }
    case 1: if let event = event() { return .event(event) }
    default: break
    }
    return .milestone(milestone())
  }
}

let decisionPath = RecordPath(".moha/maven/decisions/decision_20260113_035613.md")
let milestonePath = RecordPath(".moha/maven/milestones/milestone_20260113_040520_first.md")
let snapshotPath = RecordPath(".moha/maven/portfolio/snapshot_20260113_035613.json")
let logPath = RecordPath(".moha/maven/session_log.md")

extension String {
  var utf8Bytes: [UInt8] { Array(utf8) }
}
