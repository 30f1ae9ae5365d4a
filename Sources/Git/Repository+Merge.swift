internal import CLibGit2

extension Repository {
  /// Merges two versions of a text line by line, as `git merge-file --union` does: where both have changed the same
  /// place, it gets the lines of `ours` and then those of `theirs`. Nothing is read from, or written to, the repository.
  ///
  /// Nil for bytes that are no text to git.
  package nonisolated static func unionMerge(
    base: [UInt8], ours: [UInt8], theirs: [UInt8]
  ) throws(GitError) -> [UInt8]? {
    Library.start()
    // Git's own test for binary content.
    guard ![base, ours, theirs].contains(where: { $0.prefix(8_000).contains(0) }) else { return nil }
    // The library takes no empty input: an empty array has no address.
    if theirs.isEmpty || ours.isEmpty || base.isEmpty { return try unionMergeOfLines(base, ours, theirs) }
    var options = unsafe git_merge_file_options()
    try check(
      unsafe git_merge_file_options_init(&options, UInt32(GIT_MERGE_FILE_OPTIONS_VERSION)), "merge two versions")
    unsafe options.favor = GIT_MERGE_FILE_FAVOR_UNION
    var result = unsafe git_merge_file_result()
    defer { unsafe git_merge_file_result_free(&result) }
    try unsafe withInput(base) { (base) throws(GitError) in
      try unsafe withInput(ours) { (ours) throws(GitError) in
        try unsafe withInput(theirs) { (theirs) throws(GitError) in
          _ = try check(unsafe git_merge_file(&result, base, ours, theirs, &options), "merge two versions")
        }
      }
    }
    guard unsafe result.automergeable == 1 else { return nil }
    return unsafe Array(UnsafeRawBufferPointer(start: result.ptr, count: result.len))
  }

  /// The same where one of the three is empty: an empty line in front of each makes them merge as text.
  private nonisolated static func unionMergeOfLines(
    _ base: [UInt8], _ ours: [UInt8], _ theirs: [UInt8]
  ) throws(GitError) -> [UInt8]? {
    let lead: [UInt8] = [UInt8(ascii: "\n")]
    guard let merged = try unionMerge(base: lead + base, ours: lead + ours, theirs: lead + theirs) else { return nil }
    return Array(merged.dropFirst(merged.first == lead.first ? 1 : 0))
  }

  private nonisolated static func withInput<R>(
    _ bytes: [UInt8], _ body: (UnsafePointer<git_merge_file_input>) throws(GitError) -> R
  ) throws(GitError) -> R {
    unsafe try bytes.withUnsafeRawBytes { (buffer) throws(GitError) in
      var input = unsafe git_merge_file_input()
      try check(
        unsafe git_merge_file_input_init(&input, UInt32(GIT_MERGE_FILE_INPUT_VERSION)), "merge two versions")
      unsafe input.ptr = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
      unsafe input.size = buffer.count
      return try unsafe body(&input)
    }
  }
}
