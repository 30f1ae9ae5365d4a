internal import CLibGit2
internal import Glibc

/// Whether git may store other bytes for a file than those on disk: line endings, `filter`, encodings.
///
/// A snapshot's ids are those of the bytes on disk. Where a conversion took place, the id in the index is that of the
/// converted bytes, and must not be used. No conversion is ever run here.
struct ContentConversion {
  /// True if any configuration or attribute in sight could ask for one. Grows while a walk finds attribute files.
  var isPossible: Bool

  /// Looks where git would look, except for attribute files below the folder walked.
  init(
    for folder: GitPath, _ index: StatCache, _ workTree: borrowing WorkTree, gitDirectory: [UInt8],
    _ repository: borrowing RepositoryHandle
  ) throws(GitError) {
    isPossible = try repository.configuresConversion() || index.holdsAttributes
    if isPossible { return }
    let shared = [gitDirectory + Array("/info/attributes".utf8), Array("/etc/gitattributes".utf8)]
    for path in shared {
      let exists = try unsafe CStrings.withCString(path) { (path) throws(GitError) in unsafe access(path, F_OK) == 0 }
      if exists { isPossible = true }
    }
    var parent = folder.parent
    while let ancestor = parent, !isPossible {
      if (try? workTree.open(ancestor.appending(".gitattributes".utf8).bytes, flags: moha_o_path)) != nil {
        isPossible = true
      }
      parent = ancestor.parent
    }
  }

  /// True if the blob `id`, which git made from the file at `path` with `size` bytes, has the file's own bytes.
  ///
  /// Line endings and keyword expansion change the size whenever they change anything. A filter or another encoding
  /// need not, so files with either are not trusted.
  func isIdentity(
    _ path: GitPath, id: ObjectID, size: Int64, _ database: borrowing ObjectDatabase,
    _ repository: borrowing RepositoryHandle
  ) throws(GitError) -> Bool {
    guard isPossible else { return true }
    guard let header = try database.header(id), header.size == size else { return false }
    return try !repository.hasFilter(path)
  }
}

extension RepositoryHandle {
  /// Reads one boolean of the configuration; `fallback` if it is not set. A value that is no boolean counts as true.
  borrowing func configuration(_ name: String, fallback: Bool) throws(GitError) -> Bool {
    unsafe try withConfiguration { (configuration) throws(GitError) in
      var value: Int32 = 0
      let status = unsafe git_config_get_bool(&value, configuration, name)
      git_error_clear()
      if status == GIT_ENOTFOUND.rawValue { return fallback }
      return status < 0 || value != 0
    }
  }

  fileprivate borrowing func configuresConversion() throws(GitError) -> Bool {
    if try configuration("core.autocrlf", fallback: false) { return true }
    // `core.attributesFile`, or its default below the user's configuration folder.
    if try configuration("core.attributesfile", fallback: false) { return true }
    var buffer = unsafe git_buf()
    defer { unsafe git_buf_dispose(&buffer) }
    let status = unsafe git_config_find_xdg(&buffer)
    git_error_clear()
    guard status == 0, let text = unsafe buffer.ptr else { return false }
    let configurationFile = unsafe GitPath(String(cString: text))
    guard let folder = configurationFile.parent else { return false }
    return try unsafe CStrings.withCString(folder.appending("attributes".utf8).bytes) { (path) throws(GitError) in
      unsafe access(path, F_OK) == 0
    }
  }

  fileprivate borrowing func hasFilter(_ path: GitPath) throws(GitError) -> Bool {
    unsafe try withPointer { (repository) throws(GitError) in
      try unsafe CStrings.withCString(path.bytes) { (path) throws(GitError) in
        for name in ["filter", "working-tree-encoding"] {
          var value: UnsafePointer<CChar>?
          try check(unsafe git_attr_get(&value, repository, 0, path, name), "read the attributes of a file")
          if unsafe git_attr_value(value) != GIT_ATTR_VALUE_UNSPECIFIED { return true }
        }
        return false
      }
    }
  }

  private borrowing func withConfiguration<R>(
    _ body: (OpaquePointer?) throws(GitError) -> R
  ) throws(GitError) -> R {
    unsafe try withPointer { (repository) throws(GitError) in
      var configuration: OpaquePointer?
      try check(unsafe git_repository_config_snapshot(&configuration, repository), "read the configuration")
      defer { unsafe git_config_free(configuration) }
      return try unsafe body(configuration)
    }
  }
}
