internal import CLibGit2
internal import Glibc

/// Who a commit is by when nobody is named, found where git looks for it.
///
/// A commit must not fail because a server has no `user.name`, so there is a last resort.
enum Identity {
  enum Role: String {
    case author
    case committer
  }

  static let fallback = (name: "moha-sync", email: "moha-sync@localhost")

  static func signature(
    _ role: Role, at time: CommitRequest.Time, _ repository: borrowing RepositoryHandle
  ) -> Signature {
    let variable = role == .author ? "GIT_AUTHOR" : "GIT_COMMITTER"
    func value(_ field: String) -> String? {
      if let value = environment("\(variable)_\(field.uppercased())") { return value }
      return text("\(role).\(field)", repository) ?? text("user.\(field)", repository)
    }
    return Signature(
      name: value("name") ?? fallback.name,
      email: value("email") ?? environment("EMAIL") ?? fallback.email, time: time.seconds,
      offsetMinutes: time.offsetMinutes)
  }

  /// The clock, in the zone of the process.
  static func now() -> CommitRequest.Time {
    var seconds = Glibc.time(nil)
    var local = unsafe tm()
    guard unsafe localtime_r(&seconds, &local) != nil else { return CommitRequest.Time(seconds: Int64(seconds)) }
    return unsafe CommitRequest.Time(seconds: Int64(seconds), offsetMinutes: local.tm_gmtoff / 60)
  }

  /// What git leaves of a name: no control characters, no angle brackets, and no punctuation at its ends.
  static func cleaned(_ text: String) -> String {
    let crud = Set(" .,:;<>\"\\'".unicodeScalars)
    var scalars = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f && $0 != "<" && $0 != ">" }[...]
    while let first = scalars.first, crud.contains(first) { scalars.removeFirst() }
    while let last = scalars.last, crud.contains(last) { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars))
  }

  private static func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe cleaned(String(cString: value))
    return text.isEmpty ? nil : text
  }

  private static func text(_ name: String, _ repository: borrowing RepositoryHandle) -> String? {
    let text = try? repository.configurationText(name)
    let result = text.map { cleaned($0) }
    return result?.isEmpty == false ? result : nil
  }
}
