internal import CLibGit2

/// The library's process-wide state.
enum Library {
  /// Initialises the library, once a process. It is never shut down: other threads may still hold handles.
  private static let started: Int32 = git_libgit2_init()

  static func start() {
    precondition(started >= 0, "git_libgit2_init failed with \(started)")
  }

  /// Empties the search paths for configuration, so that no file of the machine or the user has a say.
  private static let withoutSearchPaths: Void = {
    let levels = [
      GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA,
    ]
    for level in levels {
      let status = unsafe moha_git_set_search_path(level.rawValue, "")
      precondition(status == 0, "GIT_OPT_SET_SEARCH_PATH failed with \(status)")
    }
  }()

  static func start(_ configuration: Repository.Configuration) {
    start()
    if configuration == .hermetic { withoutSearchPaths }
  }

  /// Makes every object, reference and reflog that the library writes durable before it reports success: its
  /// default is to leave that to the kernel, which takes half a minute.
  static let writesAreDurable: Void = {
    start()
    let status = moha_git_enable_fsync_gitdir(1)
    precondition(status == 0, "GIT_OPT_ENABLE_FSYNC_GITDIR failed with \(status)")
  }()
}
