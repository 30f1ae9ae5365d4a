internal import CLibGit2

/// A signature in the library's form (`git_signature`).
///
/// `@safe`: the pointer is private and freed once by `deinit`.
@safe struct SignatureHandle: ~Copyable {
  private let pointer: UnsafeMutablePointer<git_signature>

  /// `git_signature_new`, after taking out what it refuses; a name of which nothing remains is the fallback's.
  init(_ signature: Signature) throws(GitError) {
    let name = Identity.cleaned(signature.name)
    let email = Identity.cleaned(signature.email)
    var made: UnsafeMutablePointer<git_signature>?
    try check(
      unsafe git_signature_new(
        &made, name.isEmpty ? Identity.fallback.name : name, email.isEmpty ? Identity.fallback.email : email,
        signature.time, Int32(clamping: signature.offsetMinutes)),
      "make a signature")
    guard let made = unsafe made else { throw GitError.last(-1, "make a signature") }
    unsafe pointer = made
  }

  deinit {
    unsafe git_signature_free(pointer)
  }

  borrowing func withPointer<R>(
    _ body: (UnsafePointer<git_signature>) throws(GitError) -> R
  ) throws(GitError) -> R {
    try unsafe body(UnsafePointer(pointer))
  }
}
