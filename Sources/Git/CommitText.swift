/// What a commit object says: its tree, its parent, who made it, and why.
///
/// Encoded here, not by `git_commit_create_buffer`, which wants to read the tree first: another program may have removed
/// it, since nothing names it yet.
struct CommitText {
  let tree: ObjectID
  let parent: ObjectID?
  let author: Signature
  let committer: Signature
  /// Ends with a newline; no NUL.
  let message: String

  /// The bytes of the object: lines of a header, an empty line, the message (gitformat-signature(5) shows one).
  var encoded: [UInt8] {
    var text = "tree \(tree)\n"
    if let parent { text += "parent \(parent)\n" }
    text += "author \(author.line)\ncommitter \(committer.line)\n\n"
    return Array(text.utf8) + message.utf8
  }
}

extension Signature {
  /// As commits and reflogs have it: name, address, seconds since 1970, and the offset from UTC as hours and minutes.
  /// A name of which nothing remains is the fallback's; git knows no time before 1970.
  fileprivate var line: String {
    let name = Identity.cleaned(name)
    let email = Identity.cleaned(email)
    // Git reads no offset of more hours than two digits say.
    let minutes = min(offsetMinutes.magnitude, 99 * 60 + 59)
    func padded(_ number: UInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(name.isEmpty ? Identity.fallback.name : name) <\(email.isEmpty ? Identity.fallback.email : email)> "
      + "\(max(time, 0)) \(offsetMinutes < 0 ? "-" : "+")\(padded(minutes / 60))\(padded(minutes % 60))"
  }
}
