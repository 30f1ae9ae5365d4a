extension GitPath {
  /// True if a tool may put a file of this name into a tree below `folder`.
  ///
  /// Refused: the folder itself and all outside of it, malformed paths, control characters, components that begin
  /// with `-` (commands would take them for options), and `.git` in every spelling that a file system of any
  /// platform takes for it: any case, characters that HFS+ ignores, NTFS's short name, trailing dots, spaces and
  /// streams. `git fsck --strict` refuses the same.
  package func isCommittable(below folder: GitPath) -> Bool {
    guard isWellFormed, !folder.isRoot, isInside(folder), bytes.count > folder.bytes.count else { return false }
    guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return false }
    // U+0080 to U+009F are control characters too.
    guard !zip(bytes, bytes.dropFirst()).contains(where: { $0 == 0xc2 && (0x80...0x9f).contains($1) }) else {
      return false
    }
    return components.allSatisfy { $0.first != UInt8(ascii: "-") && !GitPath.standsForGit($0) }
  }

  private static func standsForGit(_ component: ArraySlice<UInt8>) -> Bool {
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: component, as: UTF8.self).unicodeScalars where !isIgnoredByHFS(scalar) {
      // A stream or a path of Windows begins here: what is before it names the file.
      if scalar == ":" || scalar == "\\" { break }
      text.append(scalar)
    }
    while let last = text.last, last == "." || last == " " { text.removeLast() }
    let name = String(text).utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
    return name.elementsEqual(".git".utf8) || name.elementsEqual("git~1".utf8)
  }

  private static func isIgnoredByHFS(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x200c...0x200f, 0x202a...0x202e, 0x206a...0x206f, 0xfeff: true
    default: false
    }
  }
}
