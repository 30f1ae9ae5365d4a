internal import CLibGit2

/// The library's process-wide state.
enum Library {
  /// Initialises the library, once a process. It is never shut down: other threads may still hold handles.
  ///
  /// Every object, reference and reflog that it writes is to be durable before it reports success; its default leaves
  /// that to the kernel, which takes half a minute. The option is set before anything is opened, because a reference
  /// database remembers what it was when it was made.
  private static let started: Int32 = {
    let count = git_libgit2_init()
    return count < 0 ? count : moha_git_enable_fsync_gitdir(1)
  }()

  static func start() {
    precondition(started >= 0, "libgit2 could not be initialised: \(started)")
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

  /// The folders in which files of this level are looked for.
  static func searchPath(_ level: git_config_level_t) -> [[UInt8]] {
    var buffer = unsafe git_buf()
    defer { unsafe git_buf_dispose(&buffer) }
    guard unsafe moha_git_get_search_path(level.rawValue, &buffer) == 0, let text = unsafe buffer.ptr else { return [] }
    let bytes = unsafe Array(UnsafeRawBufferPointer(start: text, count: buffer.size))
    return bytes.split(separator: UInt8(ascii: ":")).map(Array.init)
  }

  static func start(_ configuration: Repository.Configuration) {
    start()
    if configuration == .hermetic { withoutSearchPaths }
  }
}
