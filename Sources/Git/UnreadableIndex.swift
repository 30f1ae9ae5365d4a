/// Why an index cannot be read whole. What is missing or not understood may be any file's entry, so nothing is concluded
/// from what can be read, and nothing is written over it.
struct UnreadableIndex: Error, Hashable {
  /// A clause about the index: "its version is 5".
  let reason: String

  init(_ reason: String) {
    self.reason = reason
  }
}
