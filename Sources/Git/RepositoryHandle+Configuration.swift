internal import CLibGit2

extension RepositoryHandle {
  /// Lends all configuration that counts, as it is now (`git_repository_config_snapshot`).
  borrowing func withConfigurationSnapshot<R>(
    _ body: (OpaquePointer?) throws(GitError) -> R
  ) throws(GitError) -> R {
    unsafe try withPointer { (repository) throws(GitError) in
      var configuration: OpaquePointer?
      try check(unsafe git_repository_config_snapshot(&configuration, repository), "read the configuration")
      defer { unsafe git_config_free(configuration) }
      return try unsafe body(configuration)
    }
  }

  /// One value of the configuration. Throws `.notFound` if it is not set.
  borrowing func configurationText(_ name: String) throws(GitError) -> String {
    unsafe try withConfigurationSnapshot { (configuration) throws(GitError) in
      var value: UnsafePointer<CChar>?
      try check(unsafe git_config_get_string(&value, configuration, name), "read \(name)")
      guard let value = unsafe value else { return "" }
      return unsafe String(cString: value)
    }
  }

  /// The first of these values that the user or the machine has set, whatever the repository's own configuration says:
  /// for what must not come from a repository. The user's comes before the machine's. Nil if none is set.
  borrowing func trustedConfigurationText(_ names: [String]) throws(GitError) -> String? {
    unsafe try withPointer { (repository) throws(GitError) in
      var configuration: OpaquePointer?
      try check(unsafe git_repository_config(&configuration, repository), "read the configuration")
      defer { unsafe git_config_free(configuration) }
      for level in [GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_SYSTEM] {
        var part: OpaquePointer?
        // Fails where there is no such file.
        guard unsafe git_config_open_level(&part, configuration, level) == 0 else { continue }
        defer { unsafe git_config_free(part) }
        for name in names {
          var value = unsafe git_buf()
          defer { unsafe git_buf_dispose(&value) }
          guard unsafe git_config_get_string_buf(&value, part, name) == 0, let text = unsafe value.ptr else { continue }
          return unsafe String(cString: text)
        }
      }
      git_error_clear()
      return nil
    }
  }
}
