internal import CLibGit2

extension Repository {
  /// Who last changed each line of a file as it is in `commit`: hunks in line order that cover the file.
  ///
  /// Throws `.notFound` if the commit has no such file.
  package func blame(_ path: GitPath, at commit: ObjectID) throws(GitError) -> [BlameHunk] {
    let operation = "blame \(path) at \(commit)"
    let tree = try CommitHandle(commit, in: handle).tree
    guard path.isWellFormed, let entry = try database.entry(at: path, inTree: tree), entry.mode.isBlob else {
      throw GitError(.notFound, operation: operation, message: "the commit holds no such file")
    }
    return try handle.blame(path, at: commit, operation: operation)
  }
}

extension RepositoryHandle {
  /// `path` holds no NUL.
  fileprivate borrowing func blame(
    _ path: GitPath, at commit: ObjectID, operation: String
  ) throws(GitError) -> [BlameHunk] {
    unsafe try withPointer { (repository) throws(GitError) in
      try unsafe CStrings.withCString(path.bytes) { (path) throws(GitError) in
        var options = git_blame_options()
        try check(
          unsafe git_blame_options_init(&options, UInt32(GIT_BLAME_OPTIONS_VERSION)), operation)
        options.newest_commit = commit.oid
        var blame: OpaquePointer?
        try check(unsafe git_blame_file(&blame, repository, path, &options), operation)
        defer { unsafe git_blame_free(blame) }
        var hunks: [BlameHunk] = []
        for index in 0..<(unsafe git_blame_get_hunk_count(blame)) {
          guard let hunk = unsafe git_blame_get_hunk_byindex(blame, index)?.pointee else { break }
          unsafe hunks.append(
            BlameHunk(
              startLine: Int(hunk.final_start_line_number), lineCount: Int(hunk.lines_in_hunk),
              commit: ObjectID(hunk.final_commit_id), author: Signature(hunk.final_signature)))
        }
        return hunks
      }
    }
  }
}
