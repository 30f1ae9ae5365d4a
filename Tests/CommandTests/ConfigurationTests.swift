internal import Postgres
internal import Records
internal import TestSupport
internal import Testing

/// Where settings come from, and which wins.
@Suite struct ConfigurationTests {
  private func host(_ tree: CommandTree) throws -> String { try #require(tree.database.settings.parameters["host"]) }
  private func name(_ tree: CommandTree) throws -> String { try #require(tree.database.settings.parameters["dbname"]) }

  @Test("the variables of existing deployments, of libpq and DATABASE_URL each name the database")
  func variables() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let (host, name) = (try host(tree), try name(tree))
    let surroundings: [[String: String]] = [
      ["DB_HOST": host, "DB_NAME": name, "DB_USER": "postgres", "DB_PORT": "5432", "DB_PASSWORD": "not needed"],
      ["PGHOST": host, "PGDATABASE": name, "PGUSER": "postgres"],
      ["DATABASE_URL": tree.database.url],
      ["DATABASE_URL": tree.database.url, "DB_HOST": "/nowhere", "PGHOST": "/nowhere"],
    ]
    for environment in surroundings {
      let output = try await tree.runBare(["verify"], environment: environment)
      #expect(output.status == 0, "\(environment): \(output.everything)")
      let status = try await tree.runBare(["status", "--json"], environment: environment).json()
      #expect(status["database"]?["embedded"] == .bool(false) && status["database"]?["running"] == .bool(true))
    }
    // A flag wins over all of them.
    let flag = try await tree.runBare(
      ["verify", "--database", "postgresql:///x?host=\(tree.git.base)"],
      environment: ["DATABASE_URL": tree.database.url])
    #expect(flag.status == 69)
  }

  @Test("MAVEN_BASE_DIR names the repository, a folder inside one leads to it, and --root wins")
  func root() async throws {
    let tree = try await CommandTree.sample()
    try await tree.expect(0, "sync")
    let url = ["--database", tree.database.url]
    let base = try await tree.runBare(["verify"] + url, environment: ["MAVEN_BASE_DIR": tree.git.path], folder: "/")
    #expect(base.status == 0, "\(base.everything)")
    let inside = try await tree.runBare(["verify"] + url, folder: tree.git.absolute(".moha/maven/decisions"))
    #expect(inside.status == 0, "\(inside.everything)")
    let flag = try await tree.runBare(
      ["verify", "--root", tree.git.base] + url, environment: ["MAVEN_BASE_DIR": tree.git.path])
    #expect(flag.status == 10)
  }

  @Test("moha-sync.yaml names agent, database and schema, and gives way to environment and flags")
  func file() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.git("mv", ".moha/maven", ".moha/second")
    try tree.git.commit("moved")
    try tree.git.write(
      "moha-sync.yaml", "moha:\n  agent: second\ndatabase:\n  url: \"\(tree.database.url)\"\n  schema: beside\n")
    let synced = try await tree.runBare(["sync", "--json"])
    #expect(synced.status == 0, "\(synced.everything)")
    #expect(try synced.json()["records"]?["decisions"]?.integer == 6)
    #expect(try await tree.value("SELECT count(*) FROM beside.maven_decisions WHERE agent = 'second'") == "6")
    #expect(try await tree.runBare(["verify"]).status == 0)
    #expect(try await tree.runBare(["verify"], environment: ["DATABASE_SCHEMA": "public"]).status == 4)
    #expect(try await tree.runBare(["verify"], environment: ["MOHA_AGENT": "third"]).status == 10)
    #expect(try await tree.runBare(["verify", "--agent", "third"], environment: ["MOHA_AGENT": "second"]).status == 10)
  }

  @Test("a configuration that holds a password and that others can read is refused, with the remedy")
  func readableFile() async throws {
    let tree = try await CommandTree.sample()
    let canary = "canary7f3a"
    let files = [
      "database:\n  url: postgresql://postgres:\(canary)@localhost/records\n",
      "db:\n  host: /nowhere\n  password: \(canary)\n",
      "db: {host: /nowhere, password: \(canary)}\n", "db:\n  host: /nowhere\n  port: 5432\n  password: 12345\n",
      "database:\n  url: postgresql:///x?host=/nowhere\nredis:\n  url: redis://:\(canary)@localhost\n",
      "db:\n  \"password\": \(canary)\n",
      "database:\n  url: \"host=/nowhere password=\(canary)\"\n",
    ]
    for file in files {
      try tree.git.write("moha-sync.yaml", file)
      try ChildProcess.runChecked("chmod", ["644", tree.git.absolute("moha-sync.yaml")])
      let refused = try await tree.runBare(["verify", "--json"])
      #expect(refused.status == 12, "\(file): \(refused.everything)")
      #expect(try refused.json()["error"]?["hint"]?.text?.hasPrefix("chmod 600 ") == true)
      #expect(!refused.everything.contains(canary))
      try ChildProcess.runChecked("chmod", ["600", tree.git.absolute("moha-sync.yaml")])
      let tried = try await tree.runBare(["verify", "--json"])
      #expect(tried.status == 69, "\(file): \(tried.everything)")
      #expect(!tried.everything.contains(canary), "\(tried.everything)")
    }
    // Without a password there is nothing to hide.
    try ChildProcess.runChecked("chmod", ["644", tree.git.absolute("moha-sync.yaml")])
    try tree.git.write(
      "moha-sync.yaml", "database:\n  url: postgresql://maven@localhost:1/maven?host=/nowhere  # no password: here\n")
    let open = try await tree.runBare(["verify"])
    #expect(open.status == 69, "\(open.everything)")
  }

  @Test("a configuration that is no YAML is a usage error that names the file, and quotes nothing of it")
  func brokenFile() async throws {
    let tree = try await CommandTree.sample()
    let files = [
      "database: [canary7f3a\n", "db:\n  password: canary7f3a: x: [\n", "db:\n  password: \"canary7f3a\n",
      "db:\n  password: canary7f3a\n  password: canary7f3a\n", "- canary7f3a\n",
    ]
    for file in files {
      try tree.git.write("moha-sync.yaml", file)
      let output = try await tree.runBare(["verify"])
      #expect(output.status == 2, "\(output.everything)")
      #expect(output.stderrText.contains("moha-sync.yaml") && output.stdout.isEmpty)
      #expect(!output.everything.contains("canary"), "\(output.everything)")
    }
  }

  @Test("init makes a skeleton that syncs, and never overwrites")
  func skeleton() async throws {
    let tree = try await CommandTree()
    try await tree.expect(0, "init")
    let synced = try await tree.expect(0, "sync", "--json").json()
    #expect(synced["records"] == ["decisions": 0, "milestones": 0, "memory": 0, "portfolio_snaps": 0])
    try tree.git.write("moha-sync.yaml", "# mine\n")
    try tree.git.write(".moha/maven/identity.json", #"{"name": "Mine"}"#)
    try await tree.expect(0, "init")
    let mine = try ChildProcess.runChecked(
      "cat", ["moha-sync.yaml", ".moha/maven/identity.json"], workingDirectory: tree.git.path)
    #expect(mine.stdoutText == "# mine\n{\"name\": \"Mine\"}")
  }

  @Test("a password with URL characters opens the database and is printed nowhere; a wrong one ends with 69")
  func password() async throws {
    let server = try await PostgresServer.start()
    let tree = try await CommandTree.sample(server: server)
    let role = PostgresServer.passwordRole
    let (password, encoded) = ("p@ss:w/rd?#%&=x", "p%40ss%3Aw%2Frd%3F%23%25%26%3Dx")
    try await tree.sql("CREATE ROLE \(role) SUPERUSER LOGIN PASSWORD '\(password)'")
    let socket = try host(tree).split(separator: "/").joined(separator: "%2F")
    let name = try name(tree)
    func url(_ password: String) -> String { "postgresql://\(role):\(password)@%2F\(socket)/\(name)" }

    var printed = ""
    for command in ["sync", "verify", "status", "reconcile", "migrate"] {
      for form in [["--json"], ["-v"]] {
        let output = try await tree.runBare([command, "--database", url(encoded)] + form)
        #expect(output.status == 0, "\(output.everything)")
        printed += output.everything
      }
    }
    let variables = ["DB_HOST": try host(tree), "DB_NAME": name, "DB_USER": role, "DB_PASSWORD": password]
    let fromVariables = try await tree.runBare(["status", "--json"], environment: variables)
    #expect(try fromVariables.json()["database"]?["running"] == .bool(true))
    printed += fromVariables.everything
    printed += try tree.dump()

    for command in ["sync", "verify", "migrate"] {
      let wrong = try await tree.runBare([command, "--json", "--database", url("canary%40x")])
      #expect(wrong.status == 69, "\(wrong.everything)")
      #expect(try wrong.json()["error"]?["code"]?.text == "postgres-authentication-failed")
      let none = try await tree.runBare([command, "--database", url("")])
      #expect(none.status == 69 && none.stdout.isEmpty, "\(none.everything)")
      printed += wrong.everything + none.everything
    }
    // Not percent-encoded: libpq cannot read it, and its own message would quote it.
    let unreadable = try await tree.runBare(["verify", "--database", url(password)])
    #expect(unreadable.status == 2, "\(unreadable.everything)")
    printed += unreadable.everything
    for secret in [password, encoded, "canary", "w/rd", "w%2Frd"] {
      #expect(!printed.contains(secret), "\(secret)")
    }
  }

  @Test("config show names every setting, its value and where that is from, and no secret")
  func shown() async throws {
    let tree = try await CommandTree.sample()
    let canary = "canary7f3a"
    let file = """
      moha:
        layout: dated
      database:
        url: postgresql://u:\(canary)@file.example/records
      redis:
        host: cache.example
        port: 6390
      tick:
        timeout: 30
        ping: https://\(canary)@ping.example/\(canary)
      """
    try tree.git.write("moha-sync.yaml", file)
    try ChildProcess.runChecked("chmod", ["600", tree.git.absolute("moha-sync.yaml")])
    let path = JSONValue.string(tree.git.absolute("moha-sync.yaml"))
    func settings(_ arguments: [String], _ variables: [String: String] = [:]) async throws -> (JSONValue) ->
      [JSONValue?]
    {
      let output = try await tree.runBare(["config", "show", "--json"] + arguments, environment: variables)
      #expect(output.status == 0 && !output.everything.contains(canary), "\(output.everything)")
      let shape: JSONShape = #"{"key": "text", "value": "text?", "origin": "flag|environment|file|default", "names": ["text"]}"#
      guard case .array(let all)? = try output.json()["settings"] else { return { _ in [] } }
      for setting in all { #expect(shape.violations(in: setting) == []) }
      return { key in
        guard let setting = all.first(where: { $0["key"] == key }) else { return [] }
        return [setting["value"], setting["origin"], setting["names"]]
      }
    }
    let plain = try await settings([])
    #expect(plain("moha.layout") == ["dated", "file", [path]])
    #expect(plain("moha.commit") == ["each-write", "default", []])
    #expect(plain("database.url") == ["postgresql://u@file.example/records", "file", [path]])
    #expect(plain("redis.url") == ["redis://cache.example:6390/0", "file", [path]])
    #expect(plain("tick.timeout") == ["30", "file", [path]])
    #expect(plain("tick.ping") == ["https://ping.example/…", "file", [path]])
    #expect(plain("tick.metrics") == [.null, "default", []])
    let variables = [
      "DATABASE_URL": "postgresql://v:\(canary)@variable.example/records", "REDIS_PORT": "6391", "MOHA_AGENT": "second",
      "MOHA_METRICS_FILE": "/x", "MAVEN_MCP_PORT": "3101", "MAVEN_BASE_DIR": tree.git.path,
    ]
    let varied = try await settings(["--agent", "third"], variables)
    #expect(varied("root") == [.string(tree.git.path), "environment", ["MAVEN_BASE_DIR"]])
    #expect(varied("moha.agent") == ["third", "flag", ["--agent"]])
    #expect(varied("database.url") == ["postgresql://v@variable.example/records", "environment", ["DATABASE_URL"]])
    #expect(varied("redis.url") == ["redis://cache.example:6391/0", "file", [path]])
    #expect(varied("tick.metrics") == ["/x", "environment", ["MOHA_METRICS_FILE"]])
    #expect(varied("serve.port") == ["3101", "environment", ["MAVEN_MCP_PORT"]])
    let text = try await tree.runBare(["config", "--origin"], environment: ["MOHA_AGENT": "second"])
    #expect(text.stdoutText.contains("second") && text.stdoutText.contains("environment MOHA_AGENT"))
    #expect(!text.everything.contains(canary))
  }

  @Test("completion prints a script that the shell takes", arguments: ["bash"])
  func completion(shell: String) async throws {
    let tree = try await CommandTree.sample()
    let output = try await tree.runBare(["completion", shell])
    #expect(output.status == 0 && output.stdoutText.contains("reconcile"))
    try tree.git.write("../completion", output.stdoutText)
    try ChildProcess.runChecked(shell, ["-n", "\(tree.git.base)/completion"])
    #expect(try await tree.runBare(["completion", "csh"]).status == 2)
  }
}
