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
}
