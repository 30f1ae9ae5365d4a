/// An index of which most entries are in a second file, `sharedindex.<its checksum>`, that other indexes may use too
/// (`core.splitIndex`, `git update-index --split-index`), and how the two become one.
///
/// The main file's extension `link` names the shared file, and says which of its entries are gone and which have others
/// in their place. The main file's entries are these replacements, without names and in order, then entries that the
/// shared file does not have.
struct SplitIndex {
  /// The checksum at the end of the shared file, which is also its name.
  let shared: ObjectID
  private let main: IndexFile
  /// The two bitmaps.
  private let changes: ArraySlice<UInt8>

  /// Nil if the index is in one file. `main` has the entries of the whole repository.
  init?(_ main: IndexFile) throws(UnreadableIndex) {
    guard let link = main.extensions.first(where: { $0.name == "link" }) else { return nil }
    guard link.content.count >= ObjectID.byteCount else {
      throw UnreadableIndex("its link to a shared part is damaged")
    }
    shared = IndexFile.id(main.bytes, at: link.content.lowerBound)
    changes = main.bytes[link.content].dropFirst(ObjectID.byteCount)
    self.main = main
    // So git writes one that is to be split the next time.
    if shared == .zero { return nil }
  }

  /// The name of the shared file, which is in the folder of the index.
  var sharedName: String { "sharedindex.\(shared)" }

  /// The bytes of an index in one file that says the same; `base` is what is in the shared one.
  ///
  /// Entries keep their `stat` data and flags, and the main file its other extensions. The shared file's hold nothing
  /// but positions.
  func joined(with base: [UInt8], _ check: CheckoutIndex.Check) throws(UnreadableIndex) -> [UInt8] {
    let damage = UnreadableIndex("its shared part, \(sharedName), is damaged")
    guard base.count > ObjectID.byteCount, IndexFile.id(base, at: base.count - ObjectID.byteCount) == shared else {
      throw damage
    }
    let file: IndexFile
    do throws(UnreadableIndex) {
      file = try IndexFile(base, below: .root)
    } catch {
      throw UnreadableIndex("its shared part, \(sharedName), cannot be read: \(error.reason)")
    }
    guard check == .form || file.isSound, file.namelessCount == 0 else { throw damage }
    let (removed, replaced) = try changes(of: file.count)
    guard main.namelessCount == replaced.count else {
      throw UnreadableIndex("its link to a shared part is damaged: it replaces other entries than it has")
    }
    var builder = IndexBuilder(version: main.version, capacity: base.count + main.bytes.count)
    var added = replaced.count
    var replacement = 0
    for position in 0..<file.count {
      let path = file.path(at: position)
      while added < main.count, SplitIndex.precedes(main, added, file, position) {
        builder.append(header: main.header(at: added), path: main.path(at: added))
        added += 1
      }
      if replacement < replaced.count, replaced[replacement] == position {
        builder.append(header: main.header(at: replacement), path: path)
        replacement += 1
      } else if !removed.contains(position) {
        builder.append(header: file.header(at: position), path: path)
      }
    }
    for position in added..<main.count {
      builder.append(header: main.header(at: position), path: main.path(at: position))
    }
    for item in main.extensions where item.name != "link" {
      builder.append(extension: item.name, main.bytes[item.content])
    }
    return builder.finishUnchecked()
  }

  /// Which of the shared file's `count` entries are gone, and which are replaced, ascending. None is both.
  private func changes(of count: Int) throws(UnreadableIndex) -> (removed: Set<Int>, replaced: [Int]) {
    guard !changes.isEmpty else { return ([], []) }
    guard let removed = BitmapEWAH.positions(in: changes, below: count),
      let replaced = BitmapEWAH.positions(in: changes.dropFirst(removed.size), below: count),
      removed.size + replaced.size == changes.count
    else { throw UnreadableIndex("its link to a shared part is damaged") }
    let gone = Set(removed.positions)
    guard gone.isDisjoint(with: replaced.positions) else {
      throw UnreadableIndex("its link to a shared part is damaged: an entry is both gone and replaced")
    }
    return (gone, replaced.positions)
  }

  /// True if an entry of the main file sorts before one of the shared file: by path, then by stage.
  private static func precedes(_ main: IndexFile, _ added: Int, _ file: IndexFile, _ position: Int) -> Bool {
    let (left, right) = (main.path(at: added), file.path(at: position))
    if left.elementsEqual(right) { return main.entry(at: added).stage < file.entry(at: position).stage }
    return left.lexicographicallyPrecedes(right)
  }
}
