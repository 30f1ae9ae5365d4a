internal import Glibc

extension Repository {
  /// The commits at which a shallow clone was cut; empty for a full one.
  package func shallowCommits() throws(GitError) -> Set<ObjectID> { try shallowBoundary() }

  /// The commits at which `git clone --depth` cut the history; empty for a full clone.
  ///
  /// Read afresh each time, since a fetch can deepen the clone: libgit2 1.5 knows whether there is such a file, but
  /// its walks do not heed it.
  func shallowBoundary() throws(GitError) -> Set<ObjectID> {
    let operation = "read the shallow boundary"
    let path = commonDirectoryBytes + Array("/shallow".utf8)
    let number = try unsafe CStrings.withCString(path) { (path) throws(GitError) in
      let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
      guard number >= 0 || errno == ENOENT else { throw GitError.system(errno, operation) }
      return number
    }
    guard number >= 0 else { return [] }
    let file = Descriptor(owning: number)
    let size = try file.status(operation).size
    let bytes = try file.readAll(expecting: Int(clamping: size), limit: 64 << 20, operation)
    var boundary: Set<ObjectID> = []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let id = ObjectID(hex: String(decoding: line, as: UTF8.self)) else {
        throw GitError(.corrupt, operation: operation, message: "a line is no object id")
      }
      boundary.insert(id)
    }
    return boundary
  }
}
