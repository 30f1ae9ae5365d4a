internal import Glibc
internal import Records
internal import TestSupport
internal import Testing

/// Pushes and heartbeats, which may fail or hang and never fail the job.
@Suite struct PushAndPingTests {
  private func withRemote(_ tree: CommandTree) throws -> String {
    let remote = "\(tree.git.base)/remote.git"
    try tree.git.git("init", "--quiet", "--bare", remote)
    try tree.git.git("remote", "add", "origin", remote)
    return remote
  }

  @Test("the branch, and nothing else, is pushed after the commit; no hook runs")
  func pushes() async throws {
    let tree = try await CommandTree.sample()
    let remote = try withRemote(tree)
    try tree.git.git("branch", "other")
    try tree.git.git("tag", "-a", "-m", "t", "v1")
    try tree.git.git("config", "push.followTags", "true")
    try tree.git.write(".git/hooks/pre-push", "#!/bin/sh\ntouch '\(tree.git.base)/hooked'\nexit 1\n")
    try ChildProcess.runChecked("chmod", ["755", tree.git.absolute(".git/hooks/pre-push")])
    try tree.write(decision: 7)
    let first = try await tree.runBare(["commit", "--push", "--json"]).json()
    #expect(first["push"]?["status"]?.text == "pushed", "\(first)")
    let head = try tree.git.git("rev-parse", "HEAD")
    #expect(try tree.git.git("ls-remote", "--heads", "--tags", remote) == "\(head)\trefs/heads/main")
    #expect(try ChildProcess.run("test", ["-e", "\(tree.git.base)/hooked"]).status != 0)
    // With nothing to commit, what an earlier push left is pushed.
    try tree.write(decision: 8)
    #expect(try await tree.runBare(["commit", "--quiet"]).status == 0)
    let tick = try await tree.expect(0, "tick", "--push", "origin", "--json").json()
    #expect(tick["push"]?["status"]?.text == "pushed" && tick["push"]?["remote"]?.text == "origin")
    #expect(try tree.git.git("ls-remote", remote, "refs/heads/main").hasPrefix(try tree.git.git("rev-parse", "HEAD")))
    #expect(try await tree.expect(0, "tick", "--push").everything == "")
  }

  @Test("a push that fails is a warning without the password of the URL, and the commit stands")
  func fails() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.git("remote", "add", "origin", "http://me:canary-Pa55@127.0.0.1:9/r.git?token=canary-Pa55")
    try tree.write(decision: 7)
    let output = try await tree.runBare(["commit", "--push"])
    #expect(output.status == 0, "\(output.everything)")
    #expect(output.stderrText.contains("the push to origin failed") && !output.everything.contains("canary"))
    #expect(try tree.git.git("status", "--porcelain") == "")
    let tick = try await tree.expect(0, "tick", "--push", "--json")
    #expect(try tick.json()["push"]?["status"]?.text == "failed" && !tick.everything.contains("canary"))

    for name in ["-f", "--mirror", "nowhere", "ext::touch hooked", tree.git.base] {
      let output = try await tree.runBare(["commit", "--push=\(name)", "--json"])
      #expect(try output.status == 0 && output.json()["push"]?["status"]?.text == "failed", "\(name)")
    }
    try tree.git.git("remote", "add", "evil", "ext::sh -c touch% \(tree.git.base)/hooked")
    let evil = try await tree.runBare(["commit", "--push", "evil", "--json"])
    #expect(try evil.json()["push"]?["status"]?.text == "failed")
    #expect(try ChildProcess.run("test", ["-e", "\(tree.git.base)/hooked"]).status != 0)
    // A branch that went another way at the remote is never forced.
    let remote = "\(tree.git.base)/other.git"
    try tree.git.git("clone", "--quiet", "--bare", tree.git.path, remote)
    try tree.git.git("remote", "set-url", "origin", remote)
    try tree.git.git("commit", "--quiet", "--amend", "-m", "amended")
    let theirs = try tree.git.git("ls-remote", remote, "refs/heads/main")
    #expect(try await tree.runBare(["commit", "--push", "--json"]).json()["push"]?["status"]?.text == "failed")
    #expect(try tree.git.git("ls-remote", remote, "refs/heads/main") == theirs)
  }

  @Test("a push that hangs ends at its limit with all that it started")
  func hangs() async throws {
    let tree = try await CommandTree.sample()
    try tree.git.git("remote", "add", "origin", "ssh://git@example.invalid/r.git")
    let mark = "61\(getpid())"
    try tree.git.git("config", "core.sshCommand", "sleep \(mark) #")
    try tree.write(decision: 7)
    let clock = ContinuousClock()
    let start = clock.now
    let output = try await tree.runBare(["commit", "--push", "--push-timeout", "2"])
    #expect(output.status == 0 && output.stderrText.contains("did not end in time"), "\(output.everything)")
    #expect(clock.now - start < .seconds(30))
    #expect(try tree.git.git("log", "-1", "--format=%s") == "maven: 1 decision")
    let left = try ChildProcess.run("pgrep", ["-f", "sleep \(mark)"])
    #expect(left.status == 1, "\(left.stdoutText)")
  }

  /// A real HTTP server that writes down the paths it is asked for.
  ///
  /// - Parameter target: where it sends whoever asks; nil for an answer of its own.
  private func server(_ folder: String, hangs: Bool = false, redirectingTo target: String? = nil) throws -> (program: RunningProgram, port: String) {
    let script = """
      import http.server, sys, time
      class Handler(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              open('\(folder)/paths', 'a').write(self.path + '\\n')
              if \(hangs ? "True" : "False"): time.sleep(60)
              target = '\(target ?? "")'
              self.send_response(302 if target else 200)
              if target: self.send_header('Location', target + self.path)
              self.send_header('Content-Length', '2'); self.end_headers(); self.wfile.write(b'OK')
          def log_message(self, *a): pass
      server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
      open('\(folder)/port.new', 'w').write(str(server.server_port))
      import os; os.rename('\(folder)/port.new', '\(folder)/port')
      server.serve_forever()
      """
    let program = try RunningProgram("python3", ["-c", script], timeout: .seconds(900))
    let deadline = ContinuousClock.now + .seconds(30)
    while try ChildProcess.run("test", ["-e", "\(folder)/port"]).status != 0 {
      try #require(ContinuousClock.now < deadline && !program.hasEnded)
    }
    return (program, try ChildProcess.runChecked("cat", ["\(folder)/port"]).stdoutText)
  }

  private func paths(_ folder: String) throws -> [String] {
    try ChildProcess.runChecked("cat", ["\(folder)/paths"]).stdoutText.split(separator: "\n").map(String.init)
  }

  @Test("the heartbeat gets a start and the result: the plain URL for success, the exit code for failure")
  func pings() async throws {
    let folder = try TemporaryDirectory()
    let (program, port) = try server(folder.path)
    let tree = try await CommandTree.sample()
    let url = "http://127.0.0.1:\(port)/secret-id/"
    #expect(try await tree.expect(0, "tick", "--ping", url).everything == "")
    let document = try await tree.run(["tick", "--json"], environment: ["MOHA_PING_URL": url + "?a=b"])
    #expect(try document.json()["ping"]?.text == "sent" && !document.everything.contains("secret-id"))
    try tree.git.write(CommandTree.decisionFile(7), "no decision\n")
    try tree.git.write("moha-sync.yaml", "tick:\n  ping: \(url)\n")
    try await tree.expect(3, "tick")
    let nowhere = try await tree.runBare(["tick", "--ping", url, "--root", "/"], folder: "/")
    #expect(nowhere.status == 10)
    program.signal(SIGTERM)
    _ = try await program.output()
    #expect(
      try paths(folder.path) == [
        "/secret-id/start", "/secret-id", "/secret-id/start?a=b", "/secret-id?a=b", "/secret-id/start", "/secret-id/3",
        "/secret-id/10",
      ])
  }

  @Test("a heartbeat that is sent elsewhere is not followed: nobody else gets the URL, and it counts as failed")
  func redirected() async throws {
    let (elsewhere, first) = (try TemporaryDirectory(), try TemporaryDirectory())
    let (target, targetPort) = try server(elsewhere.path)
    let (program, port) = try server(first.path, redirectingTo: "http://127.0.0.1:\(targetPort)")
    let tree = try await CommandTree.sample()
    let document = try await tree.expect(0, "tick", "--json", "--ping", "http://127.0.0.1:\(port)/secret-id").json()
    #expect(document["ping"]?.text == "failed" && document["ok"] == .bool(true), "\(document)")
    for server in [target, program] {
      server.signal(SIGTERM)
      _ = try await server.output()
    }
    #expect(try paths(first.path) == ["/secret-id/start", "/secret-id"])
    #expect(try ChildProcess.run("test", ["-e", "\(elsewhere.path)/paths"]).status == 1)
  }

  @Test("a heartbeat that is away or hangs neither fails the job nor holds it up, and a bad URL is a usage error")
  func noPing() async throws {
    let folder = try TemporaryDirectory()
    let (program, port) = try server(folder.path, hangs: true)
    let tree = try await CommandTree.sample()
    #expect(try await tree.expect(0, "tick", "--ping", "http://127.0.0.1:9/x").everything == "")
    let clock = ContinuousClock()
    let start = clock.now
    let hung = try await tree.expect(0, "tick", "--json", "--ping", "http://127.0.0.1:\(port)/x").json()
    #expect(hung["ping"]?.text == "failed" && hung["ok"] == .bool(true))
    #expect(clock.now - start < .seconds(55))
    program.signal(SIGTERM)
    _ = try await program.output()
    for url in ["ftp://h/x", "http://", "https://a b", "file:///etc/passwd"] {
      try await tree.expect(2, "tick", "--ping", url)
      #expect(try await tree.run(["tick"], environment: ["MOHA_PING_URL": url]).status == 2)
    }
  }
}
