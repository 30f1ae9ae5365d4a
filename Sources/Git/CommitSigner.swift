internal import CLibGit2
internal import Glibc

/// Signs commits as `git commit` would (`commit.gpgSign`), where that can be done with nobody at hand.
///
/// Which key, and in which form (`user.signingKey`, `gpg.format`), is taken from all of git's configuration. The program
/// is taken from the user's and the machine's alone: a repository that could name one would run what it likes. A key that
/// needs a passphrase, a touch, or a window fails, or ends after the time limit; the commit is then made without a
/// signature, and says why. No command is run to find a key (`gpg.ssh.defaultKeyCommand`).
struct CommitSigner {
  private enum Format: String {
    case openpgp
    case x509
    case ssh

    var usualProgram: String {
      switch self {
      case .openpgp: "gpg"
      case .x509: "gpgsm"
      case .ssh: "ssh-keygen"
      }
    }
  }

  /// Why there is no signature, as a clause.
  struct Failure: Error {
    let reason: String
  }

  private let format: Format?
  private let formatName: String
  private let program: String
  private let key: String?
  /// What a relative name of a key is relative to.
  private let workTree: String?

  /// Nil if commits are not to be signed.
  init?(_ repository: borrowing RepositoryHandle, workTree: String?) throws(GitError) {
    guard try repository.configuration("commit.gpgsign", fallback: false) else { return nil }
    formatName = (try? repository.configurationText("gpg.format")) ?? Format.openpgp.rawValue
    let format = Format(rawValue: formatName)
    let names = (format.map { ["gpg.\($0.rawValue).program"] } ?? []) + (format == .openpgp ? ["gpg.program"] : [])
    program = try repository.trustedConfigurationText(names) ?? format?.usualProgram ?? ""
    key = try? repository.configurationText("user.signingkey")
    self.format = format
    self.workTree = workTree
  }

  /// The bytes of the commit with a signature in its header.
  ///
  /// `folder` is where files may be made that only the holder of the writer's lock makes; they are removed.
  func sign(
    _ commit: [UInt8], by committer: Signature, folder: [UInt8], limit: Duration
  ) throws(Failure) -> [UInt8] {
    guard let format else { throw Failure(reason: "gpg.format is \(CommitSigner.printable(formatName))") }
    guard let program = UnattendedProgram(named: program) else {
      throw Failure(
        reason: "the program \(CommitSigner.printable(program)) is not found; it is taken from the user's configuration")
    }
    let signature: [UInt8]
    do throws(UnattendedProgram.Failure) {
      switch format {
      case .openpgp, .x509:
        let committer = "\(Identity.cleaned(committer.name)) <\(Identity.cleaned(committer.email))>"
        signature = try gnupg(program, commit, key ?? committer, limit)
      case .ssh: signature = try ssh(program, commit, folder, limit)
      }
    } catch {
      throw Failure(reason: "\(program.name) \(error.reason)")
    }
    return try CommitSigner.inserting(signature, into: commit)
  }

  /// `gpg` and `gpgsm`: the text on standard input, the signature on standard output, what happened on standard error.
  private func gnupg(
    _ program: UnattendedProgram, _ commit: [UInt8], _ key: String, _ limit: Duration
  ) throws(UnattendedProgram.Failure) -> [UInt8] {
    // Another program than GnuPG's knows only what git itself would tell it.
    let unattended = program.name.hasPrefix("gpg") ? ["--batch", "--no-tty", "--pinentry-mode", "error"] : []
    let run = try program.run(unattended + ["--status-fd=2", "-bsau", key], input: commit, limit: limit)
    let lines = run.errors.split(separator: UInt8(ascii: "\n"))
    guard run.status == 0, lines.contains(where: { $0.starts(with: "[GNUPG:] SIG_CREATED ".utf8) }) else {
      throw UnattendedProgram.Failure(reason: CommitSigner.complaint(run))
    }
    return run.output
  }

  /// `ssh-keygen -Y sign`: the text in a file, the signature in another one beside it.
  private func ssh(
    _ program: UnattendedProgram, _ commit: [UInt8], _ folder: [UInt8], _ limit: Duration
  ) throws(UnattendedProgram.Failure) -> [UInt8] {
    guard let key, !key.isEmpty else {
      throw UnattendedProgram.Failure(reason: "has no key: user.signingKey is not set")
    }
    let files = SigningFiles(in: folder)
    defer { files.remove() }
    files.remove()
    try files.write(commit, to: files.text)
    var keyFile = key
    var options: [String] = []
    if let literal = CommitSigner.literalKey(key) {
      // A public key itself: the private one is with an agent.
      try files.write(Array((literal + "\n").utf8), to: files.key)
      keyFile = String(decoding: files.key, as: UTF8.self)
      options = ["-U"]
    } else if key.hasPrefix("~/"), let home = unsafe getenv("HOME") {
      keyFile = unsafe String(cString: home) + key.dropFirst(1)
    } else if !key.hasPrefix("/"), let workTree {
      keyFile = "\(workTree)/\(key)"
    }
    let text = String(decoding: files.text, as: UTF8.self)
    let run = try program.run(
      ["-Y", "sign", "-n", "git", "-f", keyFile] + options + [text], input: [], limit: limit)
    guard run.status == 0 else { throw UnattendedProgram.Failure(reason: CommitSigner.complaint(run)) }
    return try files.readSignature()
  }

  /// The public key that a value is, rather than the name of a file with one.
  private static func literalKey(_ value: String) -> Substring? {
    if value.hasPrefix("key::") { return value.dropFirst(5) }
    return value.hasPrefix("ssh-") ? value[...] : nil
  }

  /// The commit with the header `gpgsig`, the last one, whose further lines begin with a space.
  private static func inserting(_ signature: [UInt8], into commit: [UInt8]) throws(Failure) -> [UInt8] {
    let newline = UInt8(ascii: "\n")
    let lines = signature.filter { $0 != UInt8(ascii: "\r") }.split(separator: newline)
    guard lines.first?.starts(with: "-----BEGIN ".utf8) == true, !signature.contains(0),
      let end = commit.firstRange(of: [newline, newline])?.lowerBound
    else { throw Failure(reason: "the program printed no signature") }
    var header = Array("\ngpgsig".utf8)
    for (number, line) in signature.split(separator: newline, omittingEmptySubsequences: false).enumerated() {
      // The last piece is what follows the final newline.
      if number > 0 { header.append(newline) }
      header.append(UInt8(ascii: " "))
      header += line.filter { $0 != UInt8(ascii: "\r") }
    }
    return commit[..<end] + header + commit[end...]
  }

  /// What a program that failed said last.
  private static func complaint(_ run: UnattendedProgram.Output) -> String {
    let lines = run.errors.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    if let last = lines.last(where: { !$0.hasPrefix("[GNUPG:]") }) { return "failed: \(printable(last))" }
    return run.status.map { "failed with status \($0)" } ?? "was ended by a signal"
  }

  /// For a line of a message: no control characters, and no more than 200 others.
  private static func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }.prefix(200)))
  }
}

/// The files by which `ssh-keygen` is told what to sign. Each is gone when the signature is there.
struct SigningFiles {
  let text: [UInt8]
  let key: [UInt8]
  private let signature: [UInt8]

  init(in folder: [UInt8]) {
    text = folder + Array("/signing.text".utf8)
    key = folder + Array("/signing.key".utf8)
    signature = text + Array(".sig".utf8)
  }

  func write(_ bytes: [UInt8], to path: [UInt8]) throws(UnattendedProgram.Failure) {
    let operation = "write what is to be signed"
    do throws(GitError) {
      let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, operation)
      try file.write(bytes, operation)
    } catch {
      throw UnattendedProgram.Failure(reason: "\(error)")
    }
  }

  func readSignature() throws(UnattendedProgram.Failure) -> [UInt8] {
    let operation = "read the signature"
    do throws(GitError) {
      let file = try Descriptor(opening: signature, O_RDONLY | O_NOFOLLOW, operation)
      return try file.readAll(expecting: 1_024, limit: 64 << 10, operation)
    } catch {
      throw UnattendedProgram.Failure(reason: "\(error)")
    }
  }

  func remove() {
    for path in [text, key, signature] { try? removeFile(at: path, "remove a temporary file") }
  }
}
