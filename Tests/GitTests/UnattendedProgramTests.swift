internal import Glibc
internal import TestSupport
internal import Testing

@testable internal import Git

@Suite("A program that is run with nobody at hand")
struct UnattendedProgramTests {
  private func run(
    _ script: String, input: [UInt8] = [], limit: Duration = .seconds(60)
  ) throws -> UnattendedProgram.Output {
    try #require(UnattendedProgram(named: "sh")).run(["-c", script], input: input, limit: limit)
  }

  @Test("gets its input, and its outputs and its status are told")
  func exchange() throws {
    let found = try run("cat; echo complaint >&2; exit 3", input: Array("text".utf8))
    #expect(found.status == 3)
    #expect(found.output == Array("text".utf8))
    #expect(found.errors == Array("complaint\n".utf8))
    #expect(try run("kill -TERM $$").status == nil)
  }

  @Test("may be given and print more than any buffer holds, in any order")
  func large() throws {
    let input = [UInt8](repeating: 0x61, count: 3_000_000)
    let counted = try run("head -c 2000000 /dev/zero; head -c 2000000 /dev/zero >&2; wc -c >&2", input: input)
    #expect(counted.status == 0)
    #expect(counted.output.count == 65_536)
    // One that does not read ends as it likes, and ends nobody else.
    #expect(try run("exit 0", input: input).status == 0)
    #expect(try run("exec 0<&-; head -c 100000 /dev/zero >&2", input: input).status == 0)
  }

  @Test("has no terminal, no screen to ask on, and signals as usual")
  func surroundings() throws {
    let found = try run("tty; (: </dev/tty) 2>&1 | grep -c . ; echo \"$DISPLAY$SSH_ASKPASS:$SSH_ASKPASS_REQUIRE:$LC_ALL\"; ps -o sid= -p $$; echo $$; grep SigBlk /proc/self/status")
    let lines = String(decoding: found.output, as: UTF8.self).split(separator: "\n").map {
      $0.trimmingPrefix { $0 == " " }
    }
    #expect(lines[0] == "not a tty")
    #expect(lines[1] == "1")
    #expect(lines[2] == ":never:C")
    // The leader of a session of its own.
    #expect(lines[3] == lines[4])
    #expect(lines[5].hasSuffix("0000000000000000"))
  }

  @Test("is ended with all that it started when its time is over")
  func limit() throws {
    let folder = try TemporaryDirectory()
    let script = "sh -c 'sleep 1000 & echo $! >\(folder.path)/a; wait' & echo $! >\(folder.path)/b; echo $$ >\(folder.path)/c; wait"
    #expect(throws: UnattendedProgram.Failure.self) { try run(script, limit: .seconds(2)) }
    for name in ["a", "b", "c"] {
      let pid = try #require(
        Int32(ChildProcess.runChecked("cat", ["\(folder.path)/\(name)"]).stdoutText.filter(\.isNumber)))
      // A child of nobody we know is a zombie until it is waited for.
      while kill(pid, 0) == 0, try ChildProcess.run("grep", ["-q", "State:.Z", "/proc/\(pid)/status"]).status != 0 {}
    }
  }

  @Test("that leaves somebody behind who holds its output is not waited for longer than it runs")
  func leftBehind() throws {
    let found = try run("sleep 1000 & echo $!", limit: .seconds(600))
    #expect(found.status == 0)
    let pid = try #require(Int32(String(decoding: found.output, as: UTF8.self).filter(\.isNumber)))
    #expect(kill(pid, SIGKILL) == 0)
  }

  @Test("is named absolutely, or is in an absolute folder of PATH")
  func names() {
    #expect(UnattendedProgram(named: "sh")?.name == "sh")
    #expect(UnattendedProgram(named: "/bin/sh")?.name == "sh")
    for name in ["./sh", "bin/sh", "../bin/sh", "", "no-such-program", "."] {
      #expect(UnattendedProgram(named: name) == nil)
    }
  }

  @Test("that is not there cannot be run")
  func missing() throws {
    let program = try #require(UnattendedProgram(named: "/nowhere/gpg"))
    let failure = #expect(throws: UnattendedProgram.Failure.self) {
      try program.run([], input: [], limit: .seconds(60))
    }
    #expect(failure?.reason == "cannot be run: No such file or directory")
  }
}
