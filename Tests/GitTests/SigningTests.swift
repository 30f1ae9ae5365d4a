internal import Glibc
internal import TestSupport
internal import Testing

/// Each test commits by `commit-fixture`, for which the configuration of a user counts who is made for the test.
@Suite("Signed commits")
struct SigningTests {
  /// A repository whose user has this configuration; what GnuPG keeps is in the scratch, too.
  private final class Signer {
    let scratch: GitScratch

    init(_ configuration: [String: String]) throws {
      scratch = try GitScratch.withHistory()
      scratch.environment["GIT_CONFIG_GLOBAL"] = nil
      mkdir(scratch.base + "/.gnupg", 0o700)
      set(["commit.gpgsign": "true"].merging(configuration) { $1 })
    }

    deinit {
      // GnuPG leaves servers running.
      _ = try? ChildProcess.run("gpgconf", ["--kill", "all"], environment: scratch.environment)
    }

    func set(_ configuration: [String: String]) {
      for (name, value) in configuration { _ = try? scratch.git("config", "--global", name, value) }
    }

    func shell(_ script: String) throws {
      try ChildProcess.runChecked(
        "sh", ["-ec", script], environment: scratch.environment, workingDirectory: scratch.base)
    }

    /// Makes a commit, and returns what was said of its signature, empty for nothing.
    func commit(_ name: String = "x") throws -> String {
      let run = try ChildProcess.run(
        TestProgram.path("commit-fixture"), [scratch.path, name, "1", "user"], environment: scratch.environment,
        workingDirectory: scratch.base)
      #expect(run.status == 0, "\(run.stderrText)")
      #expect(try run.stdoutText == scratch.git("rev-parse", "HEAD") + "\n")
      try scratch.expectSound()
      try scratch.expectTidy()
      let left = try ChildProcess.runChecked("find", [scratch.absolute(".git/moha-sync"), "-name", "signing*"])
      #expect(left.stdoutText == "")
      return run.stderrText
    }

    /// What git says of HEAD's signature: `G` and `U` are good ones, of a key that is trusted or not; `N` is none.
    func verdict() throws -> String { try scratch.git("log", "-1", "--format=%G?") }

    func script(_ name: String, _ body: String) throws -> String {
      let path = "\(scratch.base)/\(name)"
      try scratch.write("../\(name)", "#!/bin/sh\n\(body)\n")
      chmod(path, 0o755)
      return path
    }
  }

  private func makeKey(_ signer: Signer, passphrase: String = "", name: String = "committer@example.org") throws {
    try signer.shell(
      """
      gpg --batch --quiet --passphrase '\(passphrase)' --pinentry-mode loopback --quick-generate-key \
      'Test Committer <\(name)>' ed25519 sign never
      gpgconf --kill all
      """)
  }

  private func makeSSHKey(_ signer: Signer, passphrase: String = "") throws {
    try signer.shell(
      """
      ssh-keygen -q -t ed25519 -N '\(passphrase)' -f id
      printf '%s ' 'committer@example.org' >signers; cat id.pub >>signers
      """)
    signer.set(["gpg.ssh.allowedSignersFile": signer.scratch.base + "/signers", "gpg.format": "ssh"])
  }

  @Test("with a key of OpenPGP: the committer's, or the configured one")
  func openPGP() throws {
    let signer = try Signer([:])
    try makeKey(signer)
    try makeKey(signer, name: "other@example.org")
    #expect(try signer.commit() == "")
    #expect(["G", "U"].contains(try signer.verdict()))
    try signer.scratch.git("verify-commit", "HEAD")
    #expect(try signer.scratch.git("log", "-1", "--format=%GS").contains("committer@example.org"))
    // In the repository's own configuration.
    try signer.scratch.git("config", "user.signingKey", "other@example.org")
    #expect(try signer.commit("y") == "")
    #expect(try signer.scratch.git("log", "-1", "--format=%GS").contains("other@example.org"))
    #expect(try signer.scratch.git("log", "-1", "--format=%B") == "maven: y 0\n")
  }

  @Test("with a key of SSH: in a file, or with an agent")
  func ssh() throws {
    let signer = try Signer([:])
    try makeSSHKey(signer)
    signer.set(["user.signingKey": "~/id"])
    #expect(try signer.commit() == "")
    #expect(try signer.verdict() == "G")
    try signer.scratch.git("verify-commit", "HEAD")
    // The public key's file and the public key itself; the private key's file is gone.
    try signer.shell("ssh-agent -a agent >agent.pid; SSH_AUTH_SOCK=agent ssh-add -q id; mv id elsewhere")
    defer { try? signer.shell("kill $(sed -n 's/.*SSH_AGENT_PID=\\([0-9]*\\).*/\\1/p' agent.pid)") }
    signer.scratch.environment["SSH_AUTH_SOCK"] = signer.scratch.base + "/agent"
    let literal = String(decoding: try signer.scratch.read("../id.pub"), as: UTF8.self).split(separator: "\n")[0]
    for value in [signer.scratch.base + "/id.pub", "key::\(literal)", String(literal)] {
      signer.set(["user.signingKey": value])
      #expect(try signer.commit("x\(value.utf8.count)") == "")
      #expect(try signer.verdict() == "G")
    }
  }

  @Test("with a certificate of X.509")
  func x509() throws {
    let signer = try Signer(["gpg.format": "x509"])
    try signer.scratch.write(
      "../parameters",
      """
      %no-protection
      Key-Type: RSA
      Key-Length: 2048
      Key-Usage: sign
      Serial: random
      Name-DN: CN=Test Committer
      Name-Email: committer@example.org

      """)
    try signer.shell(
      """
      echo disable-crl-checks >.gnupg/gpgsm.conf
      gpgsm --batch --pinentry-mode loopback --passphrase-fd 0 --gen-key parameters </dev/null >certificate
      gpgsm --batch --quiet --import certificate
      gpgsm --batch --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10 " S relax" }' >.gnupg/trustlist.txt
      gpgconf --kill all
      """)
    signer.set(["user.signingKey": "committer@example.org"])
    #expect(try signer.commit() == "")
    try signer.scratch.git("verify-commit", "HEAD")
  }

  @Test("a key that wants a passphrase fails, and the commit is made without", arguments: ["openpgp", "ssh"])
  func passphrase(format: String) throws {
    let signer = try Signer(["gpg.format": format])
    if format == "ssh" {
      try makeSSHKey(signer, passphrase: "secret")
      signer.set(["user.signingKey": signer.scratch.base + "/id"])
    } else {
      try makeKey(signer, passphrase: "secret")
    }
    // Whoever would be asked leaves a trace.
    signer.scratch.environment["SSH_ASKPASS"] = try signer.script("ask", "touch '\(signer.scratch.base)/asked'; echo secret")
    signer.scratch.environment["DISPLAY"] = ":0"
    let said = try signer.commit()
    #expect(said.hasPrefix("unsigned: \(format == "ssh" ? "ssh-keygen" : "gpg") failed: "), "\(said)")
    #expect(said.split(separator: "\n").count == 1)
    #expect(try signer.verdict() == "N")
    #expect(access(signer.scratch.base + "/asked", F_OK) != 0)
  }

  @Test(
    "a program that the repository's own configuration names is not run",
    arguments: ["gpg.program", "gpg.openpgp.program", "gpg.ssh.program", "gpg.ssh.defaultKeyCommand"])
  func untrusted(name: String) throws {
    let signer = try Signer(["gpg.format": name.contains("ssh") ? "ssh" : "openpgp"])
    let program = try signer.script("evil", "touch '\(signer.scratch.base)/run'; exit 1")
    try signer.scratch.git("config", name, program)
    if name.contains("ssh.program") {
      try makeSSHKey(signer)
      try signer.scratch.git("config", "user.signingKey", signer.scratch.base + "/id")
    } else {
      try makeKey(signer)
    }
    let said = try signer.commit()
    #expect(access(signer.scratch.base + "/run", F_OK) != 0)
    if name == "gpg.ssh.defaultKeyCommand" {
      #expect(said == "unsigned: ssh-keygen has no key: user.signingKey is not set\n")
    } else {
      #expect(said == "")
      // Git itself does run it.
      try signer.scratch.git("config", "--unset", name)
      try signer.scratch.git("verify-commit", "HEAD")
    }
  }

  @Test("a program of the user's own is run as git would run it", arguments: ["gpg.program", "gpg.openpgp.program"])
  func trusted(name: String) throws {
    let signer = try Signer([:])
    try makeKey(signer)
    let program = try signer.script("wrapper", "echo \"$@\" >'\(signer.scratch.base)/arguments'; exec gpg \"$@\"")
    signer.set([name: program])
    #expect(try signer.commit() == "")
    let arguments = String(decoding: try signer.scratch.read("../arguments"), as: UTF8.self)
    #expect(arguments == "--status-fd=2 -bsau Test Committer <committer@example.org>\n")
    try signer.scratch.git("verify-commit", "HEAD")
  }

  @Test(
    "what cannot sign is said in a line",
    arguments: [
      (["gpg.program": "/nowhere/gpg"], "gpg cannot be run: No such file or directory"),
      (["gpg.program": "no-such-program"], "the program no-such-program is not found"),
      (["gpg.program": "./gpg"], "the program ./gpg is not found"),
      (["gpg.program": "/bin/true"], "true failed"), (["gpg.program": "/bin/false"], "false failed with status 1"),
      (["gpg.format": "other"], "gpg.format is other"),
      (["gpg.format": "ssh"], "ssh-keygen has no key"), (["user.signingKey": "nobody@example.org"], "gpg failed: "),
      (["gpg.format": "ssh", "user.signingKey": "/nowhere/id"], "ssh-keygen failed: "),
    ] as [([String: String], String)])
  func unsigned(configuration: [String: String], reason: String) throws {
    let signer = try Signer(configuration)
    let said = try signer.commit()
    #expect(said.hasPrefix("unsigned: \(reason)"), "\(said)")
    #expect(try !signer.scratch.git("-c", "gpg.format=openpgp", "cat-file", "commit", "HEAD").contains("gpgsig"))
  }

  @Test("a program that prints what is no signature does not get it into a commit")
  func noSignature() throws {
    let signer = try Signer([:])
    for body in [":", "echo x", "echo; echo; echo parent x", "printf '%s\\0' '-----BEGIN x'"] {
      signer.set(["gpg.program": try signer.script("fake", "cat >/dev/null; \(body); echo '[GNUPG:] SIG_CREATED ' >&2")])
      let said = try signer.commit("x\(body.utf8.count)")
      #expect(said == "unsigned: the program printed no signature\n")
    }
  }

  @Test("a program that hangs is ended with all that it started, and the commit is made")
  func hanging() throws {
    let signer = try Signer([:])
    let pid = signer.scratch.base + "/pid"
    signer.set(["gpg.program": try signer.script("hang", "sleep 1000 & echo $! >'\(pid)'; wait")])
    #expect(try signer.commit() == "unsigned: hang did not end within 5 seconds\n")
    let child = String(decoding: try signer.scratch.read("../pid"), as: UTF8.self).filter(\.isNumber)
    while try ChildProcess.run("grep", ["-q", "State:.[^Z]", "/proc/\(child)/status"]).status == 0 {}
  }

  @Test("where it is not wanted nothing is run")
  func notWanted() throws {
    let signer = try Signer([:])
    signer.set(["gpg.program": try signer.script("evil", "touch '\(signer.scratch.base)/run'")])
    try signer.scratch.git("config", "commit.gpgsign", "false")
    #expect(try signer.commit() == "")
    #expect(try signer.verdict() == "N")
    #expect(access(signer.scratch.base + "/run", F_OK) != 0)
  }
}
