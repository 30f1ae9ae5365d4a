/// The lines that git puts around the versions of a conflict that nobody has resolved.
enum ConflictMarkers {
  /// Whether the bytes hold a conflict from its first line to its last: `<<<<<<< `, `=======`, `>>>>>>> ` at the start of
  /// lines, in this order. The writer of records escapes such lines in a text.
  static func isIn(_ bytes: [UInt8]) -> Bool {
    guard bytes.firstOffset(of: Array("<<<<<<< ".utf8)) != nil else { return false }
    var expected = 0
    for line in bytes.split(separator: 0x0A) {
      if line.starts(with: "<<<<<<< ".utf8) {
        expected = 1
      } else if expected == 1, line.starts(with: "=======".utf8) {
        expected = 2
      } else if expected == 2, line.starts(with: ">>>>>>> ".utf8) {
        return true
      }
    }
    return false
  }
}
