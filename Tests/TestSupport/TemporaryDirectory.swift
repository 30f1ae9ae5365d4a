internal import Glibc

/// A folder under `/tmp` that is removed, with all in it, when the last reference goes.
///
/// Its path is short, because a Unix socket's path may have no more than 107 bytes.
package final class TemporaryDirectory: Sendable {
  /// The absolute path, without a slash at the end.
  package let path: String

  /// Makes the folder, readable by its owner alone.
  package init(prefix: String = "moha") throws {
    path = try Self.make(prefix: prefix)
  }

  deinit {
    Self.remove(path)
  }

  /// Makes a folder that someone else removes.
  static func make(prefix: String) throws -> String {
    var template = Array("/tmp/\(prefix)-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ChildProcess.Failure(operation: "mkdtemp", status: errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Removes a folder and everything in it. Links are removed, not followed.
  package static func remove(_ path: String) {
    _ = try? ChildProcess.run("rm", ["-rf", "--", path])
  }
}
