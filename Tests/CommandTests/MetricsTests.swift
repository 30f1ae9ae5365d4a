internal import Glibc
internal import Records
internal import Telemetry
internal import TestSupport
internal import Testing

/// `/metrics`, the text file of a tick, and what uses their names.
@Suite struct MetricsTests {
  struct Sample: Sendable {
    let name: String
    let labels: [String: String]
    let value: Double
  }

  /// The samples of a text, whose label values hold no comma or escape.
  static func samples(_ text: String) throws -> [Sample] {
    let body = text.contains("\r\n\r\n") ? text[try #require(text.firstRange(of: "\r\n\r\n")).upperBound...] : text[...]
    return try body.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }.map { line in
      let space = try #require(line.lastIndex(of: " "))
      let value = try #require(Double(line[line.index(after: space)...].replacing("Inf", with: "inf")))
      let series = line[..<space]
      let name = series.prefix { $0 != "{" }
      var labels: [String: String] = [:]
      for pair in series.dropFirst(name.count + 1).dropLast().split(separator: ",") {
        let parts = pair.split(separator: "=", maxSplits: 1)
        try #require(parts.count == 2)
        labels[String(parts[0])] = String(parts[1].dropFirst().dropLast())
      }
      return Sample(name: String(name), labels: labels, value: value)
    }
  }

  /// The family of a sample's name: a histogram's has three endings.
  private static func family(_ name: String) -> MetricFamily? {
    for family in MetricFamily.all {
      if family.name == name, family.kind != .histogram { return family }
      if family.kind == .histogram, ["_bucket", "_sum", "_count"].contains(where: { family.name + $0 == name }) {
        return family
      }
    }
    return nil
  }

  private func value(_ samples: [Sample], _ name: String, _ labels: [String: String] = [:]) -> Double? {
    samples.first { $0.name == name && $0.labels == labels }?.value
  }

  @Test("a scrape has every family of the catalogue and no other, with exactly its labels")
  func scrape() async throws {
    let watched = try await WatchedTree.start(on: PostgresServer.shared())
    try await watched.tree.expect(0, "tick")
    let text = try watched.get("/metrics")
    #expect(text.contains("text/plain; version=0.0.4"))
    let samples = try MetricsTests.samples(text)
    for sample in samples {
      let family = try #require(MetricsTests.family(sample.name), "\(sample.name) is in no catalogue")
      let expected = Set(family.labels + (sample.name.hasSuffix("_bucket") ? ["le"] : []))
      #expect(Set(sample.labels.keys) == expected, "\(sample)")
    }
    let found = Set(samples.compactMap { MetricsTests.family($0.name)?.name })
    #expect(found == Set(MetricFamily.all.map(\.name)))
    let types = text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("# TYPE ") }.map {
      $0.split(separator: " ")[2]
    }
    #expect(types.map { String($0) } == MetricFamily.all.map(\.name))

    #expect(value(samples, "moha_records", ["agent": "maven", "kind": "decisions"]) == 6)
    #expect(value(samples, "moha_projection_lag_commits", ["agent": "maven"]) == 0)
    #expect(value(samples, "moha_differences_remaining", ["agent": "maven"]) == 0)
    #expect(value(samples, "moha_tick_last_exit_code", ["agent": "maven"]) == 0)
    let success = try #require(value(samples, "moha_tick_last_success_timestamp_seconds", ["agent": "maven"]))
    #expect(abs(success - Double(time(nil))) < 600)
    let start = try #require(value(samples, "process_start_time_seconds"))
    #expect(abs(start - Double(time(nil))) < 600)
    #expect((value(samples, "process_resident_memory_bytes") ?? 0) > 1_000_000)
  }

  @Test("requests and writes are counted by method, kind and outcome, and the lag by commits")
  func counts() async throws {
    let watched = try await WatchedTree.start(on: PostgresServer.shared())
    func call(_ method: String, _ parameters: String) throws -> String {
      let meta =
        #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
      let body = #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":{\#(parameters)\#(meta)}}"#
      var head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:\(watched.port)\r\nConnection: close\r\n"
      head += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
      head += "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: \(method)\r\n"
      if method == "tools/call" { head += "Mcp-Name: maven_record_decision\r\n" }
      head += "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
      return try ChildProcess.runChecked(
        "/bin/bash",
        ["-c", "exec 3<>\"/dev/tcp/127.0.0.1/$1\"; printf '%s' \"$2\" >&3; cat <&3", "bash", "\(watched.port)", head]
      ).stdoutText
    }
    let arguments =
      #""decision_type":"buy","asset":"BTC","action":"a","reasoning":"r","confidence":80,"risk_level":"low""#
    let answer = try call("tools/call", #""name":"maven_record_decision","arguments":{\#(arguments)},"#)
    #expect(answer.contains("Decision recorded"), "\(answer)")
    _ = try call("tools/list", "")
    _ = try call("tools/list", "")
    _ = try call("no/such\(UInt32.random(in: 0..<1_000))", "")
    let samples = try MetricsTests.samples(try watched.get("/metrics"))
    #expect(value(samples, "moha_writes_total", ["kind": "decision", "outcome": "committed"]) == 1)
    #expect(value(samples, "moha_write_duration_seconds_count") == 1)
    #expect(value(samples, "moha_mcp_requests_total", ["method": "tools/call", "outcome": "ok"]) == 1)
    #expect(value(samples, "moha_mcp_requests_total", ["method": "tools/list", "outcome": "ok"]) == 2)
    #expect(value(samples, "moha_mcp_requests_total", ["method": "other", "outcome": "error"]) == 1)
    #expect(value(samples, "moha_mcp_request_duration_seconds_count", ["method": "tools/list"]) == 2)
    // The write was committed, and no reconcile has seen it yet.
    #expect(value(samples, "moha_projection_lag_commits", ["agent": "maven"]) == 1)
    try await watched.tree.expect(0, "reconcile")
    let after = try MetricsTests.samples(try watched.get("/metrics"))
    #expect(value(after, "moha_projection_lag_commits", ["agent": "maven"]) == 0)
  }

  @Test("where a token is needed, the metrics need it and the probes do not")
  func token() async throws {
    let tree = try await CommandTree.sample()
    let file = "\(tree.git.base)/token"
    try ChildProcess.runChecked("/bin/sh", ["-c", "umask 077; echo 0123456789abcdef0123 >\"$1\"", "sh", file])
    let port = try WatchedTree.freePort()
    let server = try tree.start("serve", "--port", "\(port)", "--token-file", file, "--quiet")
    defer { server.signal(SIGKILL) }
    func status(_ path: String, _ headers: String = "") throws -> String {
      try ChildProcess.run(
        "/bin/bash",
        [
          "-c", "exec 3<>\"/dev/tcp/127.0.0.1/$1\" && printf '%s' \"$2\" >&3 && head -n 1 <&3", "bash", "\(port)",
          "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\(headers)\r\n",
        ]
      ).stdoutText
    }
    let deadline = ContinuousClock.now + .seconds(30)
    while try !status("/healthz").contains("200"), ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(try status("/healthz").contains("200") && status("/readyz").contains("200"))
    #expect(try status("/metrics").contains("401"))
    #expect(try status("/metrics", "Authorization: Bearer 0123456789abcdef0123\r\n").contains("200"))
  }

  @Test("a tick writes its text file whole, for every reader, also when a step failed, and remembers the last good one")
  func textFile() async throws {
    let tree = try await CommandTree.sample()
    let file = "\(tree.git.base)/moha.prom"
    try await tree.expect(0, "tick", "--metrics", file)
    let text = try ChildProcess.runChecked("cat", [file]).stdoutText
    let samples = try MetricsTests.samples(text)
    #expect(Set(samples.compactMap { MetricsTests.family($0.name)?.name }) == Set(MetricFamily.ofTick.map(\.name)))
    #expect(value(samples, "moha_differences", ["agent": "maven", "class": "missing"]) == 11)
    #expect(value(samples, "moha_differences_remaining", ["agent": "maven"]) == 0)
    #expect(value(samples, "moha_tick_step_exit_code", ["agent": "maven", "step": "reconcile"]) == 0)
    #expect(try ChildProcess.runChecked("stat", ["-c", "%a", file]).stdoutText == "644\n")

    let away = "postgresql:///records?host=\(tree.git.base)"
    let failed = try await tree.runBare(["tick", "--database", away], environment: ["MOHA_METRICS_FILE": file])
    #expect(failed.status == 69, "\(failed.everything)")
    let after = try MetricsTests.samples(try ChildProcess.runChecked("cat", [file]).stdoutText)
    let agent = ["agent": "maven"]
    #expect(value(after, "moha_tick_last_exit_code", agent) == 69)
    #expect(
      value(after, "moha_tick_last_success_timestamp_seconds", agent)
        == value(samples, "moha_tick_last_success_timestamp_seconds", agent))
    #expect(value(after, "moha_tick_step_exit_code", ["agent": "maven", "step": "reconcile"]) == 69)
    #expect(value(after, "moha_differences_remaining", agent) == 0)
    let names = try ChildProcess.runChecked("ls", ["-A", tree.git.base]).stdoutText
    #expect(!names.contains(".tmp"), "\(names)")

    // A tick that has no tree to work on says so too, and a file that cannot be written is a warning.
    let elsewhere = try await tree.runBare(["tick", "--metrics", file], folder: tree.git.base)
    #expect(elsewhere.status == 10, "\(elsewhere.everything)")
    let none = try MetricsTests.samples(try ChildProcess.runChecked("cat", [file]).stdoutText)
    #expect(value(none, "moha_tick_last_exit_code", agent) == 10)
    let warned = try await tree.run("tick", "--metrics", "\(tree.git.base)/no/such/folder.prom")
    #expect(warned.status == 0 && warned.stderrText.contains("no/such/folder.prom"), "\(warned.everything)")
  }

  // MARK: Who uses the names

  private static func file(_ name: String) throws -> String {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    return try ChildProcess.runChecked("cat", ["\(root)/cron/\(name)"]).stdoutText
  }

  /// The expressions of the rules and of the dashboard.
  private static func expressions() throws -> [String] {
    let rules = try file("alerts.yml").split(separator: "\n").compactMap { line in
      line.firstRange(of: " expr: ").map { String(line[$0.upperBound...]) }
    }
    func collect(_ value: JSONValue) -> [String] {
      switch value {
      case .object(let members):
        members.flatMap { member in
          ["expr", "definition"].contains(member.key.text)
            ? [member.value.text].compactMap { $0 } : collect(member.value)
        }
      case .array(let elements): elements.flatMap(collect)
      default: []
      }
    }
    let panels = collect(try JSONValue.parse(Array(try file("grafana-dashboard.json").utf8)))
    try #require(rules.count > 15 && panels.count > 25)
    return rules + panels
  }

  /// Words that PromQL and Grafana have, and labels of Prometheus's own.
  private static let language: Set<String> = [
    "time", "max", "min", "sum", "by", "or", "absent", "rate", "increase", "changes", "histogram_quantile", "offset",
    "label_values", "instance", "job", "le",
  ]

  @Test("rules and dashboard use names and labels of the catalogue, and every family is in one of them")
  func names() throws {
    let labels = Set(MetricFamily.all.flatMap(\.labels))
    var used: Set<String> = []
    for expression in try MetricsTests.expressions() {
      // Without what is quoted or a duration.
      var plain = ""
      for (index, part) in expression.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
      where index % 2 == 0 { plain += part }
      let words = plain.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "$") }.map { String($0) }
      var families: [MetricFamily] = []
      for word in words where word.first?.isLetter == true {
        if let family = MetricsTests.family(word) {
          families.append(family)
        } else {
          #expect(MetricsTests.language.contains(word) || labels.contains(word), "\(word) in \(expression)")
        }
      }
      #expect(!families.isEmpty, "\(expression)")
      let known = families.map { Set($0.labels).union(["instance", "job", "le"]) }
      for word in words where labels.contains(word) {
        // A version is a label of one family, and a word of none.
        #expect(known.allSatisfy { $0.contains(word) }, "\(word) is no label of \(families.map(\.name))")
      }
      used.formUnion(families.map(\.name))
    }
    #expect(used == Set(MetricFamily.all.map(\.name)))
  }

  @Test("every rule has a summary and a runbook that names a command of the program")
  func runbooks() throws {
    let lines = try MetricsTests.file("alerts.yml").split(separator: "\n")
    let alerts = lines.filter { $0.contains("- alert: ") }.count
    #expect(lines.filter { $0.contains(" summary: \"") }.count == alerts)
    let runbooks = lines.filter { $0.contains(" runbook: \"") }
    #expect(runbooks.count == alerts)
    let commands = [
      "tick", "doctor", "health", "verify", "reconcile", "sync", "adopt", "commit", "cron", "up", "serve", "log",
    ]
    for line in runbooks where !line.contains("LimitNOFILE") {
      #expect(commands.contains { line.contains("`moha-sync \($0)") }, "\(line)")
      #expect(!line.contains("--allow-removals") && !line.contains("--force") && !line.contains("rm "), "\(line)")
    }
  }
}
