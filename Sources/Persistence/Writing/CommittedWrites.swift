internal import FoundationEssentials
internal import Git
internal import Glibc

/// Which commit took which write: a line for each commit, the newest last, for writers who waited while another committed
/// for them.
///
/// A help, not a record: it is not synchronised, and only the newest lines are kept. A line is a commit's id and the names
/// of its journal entries, with the path of those that took another name.
struct CommittedWrites {
  private let path: String
  private let files: PrivateFiles
  private static let limit = 256 << 10

  init(journal: WriteJournal) {
    files = journal.files
    path = String(journal.folder.dropLast("journal".count)) + "committed"
  }

  /// Under the lock of commits.
  func add(_ writes: [String: GitPath], to commit: ObjectID) {
    let words = writes.sorted { $0.key < $1.key }.map { "\($0.key)=\(hex($0.value.bytes))" }
    let line = Array("\(commit) \(words.joined(separator: " "))\n".utf8)
    var old = FileManager.default.contents(atPath: path).map { Array($0) } ?? []
    guard old.count + line.count > CommittedWrites.limit else {
      let file = files.open(path, O_WRONLY | O_CREAT)
      guard file >= 0 else { return }
      _ = line.write(to: file, at: old.count)
      close(file)
      return
    }
    old = Array(old.suffix(CommittedWrites.limit / 2).drop { $0 != UInt8(ascii: "\n") }.dropFirst())
    try? files.putDerived(old + line, at: path)
  }

  /// The commit that took all of the writes, and their paths; nil where that is not known any more.
  func commit(of names: [String]) -> (commit: ObjectID, places: [String: GitPath])? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n").reversed() {
      let words = line.split(separator: " ")
      guard let commit = words.first.flatMap({ ObjectID(hex: $0) }) else { continue }
      var places: [String: GitPath] = [:]
      for word in words.dropFirst() {
        let parts = word.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let bytes = [UInt8](hexadecimal: parts[1]) else { continue }
        places[String(parts[0])] = GitPath(bytes)
      }
      if names.allSatisfy({ places[$0] != nil }) { return (commit, places) }
    }
    return nil
  }
}

extension [UInt8] {
  /// Nil for anything but pairs of hexadecimal digits.
  fileprivate init?(hexadecimal text: Substring) {
    let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == text.utf8.count, digits.count % 2 == 0 else { return nil }
    self = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
