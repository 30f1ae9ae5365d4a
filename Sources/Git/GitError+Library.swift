internal import CLibGit2
internal import Glibc

extension GitError {
  /// The failure that the library has just reported on this thread.
  ///
  /// To be called at once: "git_error_last … the last error that occurred … in the current thread", and a later
  /// call overwrites it. Clears it afterwards, so that an old message is never taken for a new one.
  static func last(_ status: Int32, _ operation: String) -> GitError {
    let systemError = errno
    var message = "libgit2 returned \(status)"
    var errorClass: Int32 = 0
    if let error = unsafe git_error_last() {
      errorClass = unsafe error.pointee.klass
      if let text = unsafe error.pointee.message { message = unsafe String(cString: text) }
    }
    git_error_clear()
    let isSystem = errorClass == Int32(bitPattern: GIT_ERROR_OS.rawValue)
    return GitError(
      code(status: status, errorClass: errorClass, message: message, systemError: isSystem ? systemError : 0),
      operation: operation, message: message, libraryCode: status, libraryClass: errorClass,
      systemError: isSystem ? systemError : 0)
  }

  private static func code(status: Int32, errorClass: Int32, message: String, systemError: Int32) -> Code {
    let errorClass = git_error_t(rawValue: UInt32(bitPattern: errorClass))
    switch git_error_code(rawValue: status) {
    case GIT_EOWNER: return .ownership
    case GIT_ENOTFOUND:
      // The check of ownership looks for safe.directory, and reports that it found none.
      if errorClass == GIT_ERROR_CONFIG && message.contains("safe.directory") { return .ownership }
      return errorClass == GIT_ERROR_ODB ? .missingObject : .notFound
    case GIT_EAMBIGUOUS: return .ambiguous
    case GIT_EINVALIDSPEC, GIT_EPEEL: return .invalidSpec
    case GIT_EBAREREPO: return .bareRepository
    case GIT_EUNBORNBRANCH: return .unbornBranch
    case GIT_ELOCKED: return .locked
    case GIT_EMODIFIED: return .modified
    case GIT_EMISMATCH: return .corrupt
    default: break
    }
    if message.contains("unsupported extension") || message.contains("unsupported repository version") {
      return .unsupported
    }
    switch errorClass {
    case GIT_ERROR_ZLIB, GIT_ERROR_OBJECT, GIT_ERROR_TREE, GIT_ERROR_ODB, GIT_ERROR_TAG, GIT_ERROR_INDEX:
      return .corrupt
    case GIT_ERROR_OS:
      return systemError == EACCES || systemError == EPERM ? .permissionDenied : .io
    case GIT_ERROR_FILESYSTEM: return .io
    default: return .other
    }
  }

  /// A failure of a system call, with the system's own text for `systemError`.
  static func system(_ systemError: Int32, _ operation: String) -> GitError {
    let code: Code =
      switch systemError {
      case EACCES, EPERM: .permissionDenied
      case ENOENT: .notFound
      default: .io
      }
    return GitError(
      code, operation: operation, message: systemMessage(systemError), systemError: systemError)
  }
}

/// The system's text for an error number, for instance "Permission denied".
func systemMessage(_ systemError: Int32) -> String {
  var buffer = [CChar](repeating: 0, count: 128)
  // The POSIX form fills the buffer and cuts what does not fit.
  guard unsafe strerror_r(systemError, &buffer, buffer.count) == 0 else { return "error \(systemError)" }
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Turns a negative status into the library's error.
@discardableResult
func check(_ status: Int32, _ operation: @autoclosure () -> String) throws(GitError) -> Int32 {
  guard status >= 0 else { throw GitError.last(status, operation()) }
  return status
}
