internal import Glibc

/// Bytes to and from NUL-terminated strings.
enum CStrings {
  /// The number of bytes before the NUL.
  static func length(_ string: UnsafePointer<CChar>) -> Int {
    unsafe strlen(string)
  }

  /// Lends `bytes` as a NUL-terminated string. `bytes` must hold no NUL: the rest would be cut off.
  static func withCString<R>(
    _ bytes: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) throws(GitError) -> R
  ) throws(GitError) -> R {
    var terminated = [UInt8]()
    terminated.reserveCapacity(bytes.count + 1)
    terminated.append(contentsOf: bytes)
    terminated.append(0)
    // The closure's own error type is lost by the standard library's signature, so a Result carries it.
    let result = unsafe terminated.withUnsafeBytes { buffer -> Result<R, GitError> in
      guard let base = buffer.baseAddress else {
        return .failure(GitError(.other, operation: "lend a string", message: "no memory"))
      }
      do throws(GitError) {
        return .success(unsafe try body(base.assumingMemoryBound(to: CChar.self)))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
