/// Files that editors and file systems leave in a folder, and that are nobody's record.
enum Litter {
  /// Whether a file's name is an editor's lock (`.#x`), its rescue copy (`#x#`), or a swap file (`.x.swp`).
  static func isName(_ name: [UInt8]) -> Bool {
    if name.starts(with: ".#".utf8) { return true }
    if name.count > 2, name.first == UInt8(ascii: "#"), name.last == UInt8(ascii: "#") { return true }
    guard name.first == UInt8(ascii: "."), name.count > 5 else { return false }
    // vim goes on from .swp to .swo, .swn and so on while the names are taken.
    let suffix = name.suffix(4)
    return suffix.starts(with: ".sw".utf8) && (UInt8(ascii: "a")...UInt8(ascii: "p")).contains(suffix[suffix.endIndex - 1])
  }
}
