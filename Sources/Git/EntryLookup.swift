/// Looks one path up in many trees, which mostly share their subtrees.
///
/// What each folder's tree holds under the next component is remembered by the tree's id, so a commit that did
/// not touch a folder costs no read of it.
struct EntryLookup {
  struct Entry: Hashable {
    let id: ObjectID
    let mode: FileMode
  }

  private let components: [ArraySlice<UInt8>]
  /// One map per component, from a tree to its entry of that name.
  private var known: [[ObjectID: Entry?]]

  init(_ path: GitPath) {
    components = path.components
    known = Array(repeating: [:], count: components.count)
  }

  mutating func entry(inTree tree: ObjectID, _ database: borrowing ObjectDatabase) throws(GitError) -> Entry? {
    var tree = tree
    for (level, component) in components.enumerated() {
      let entry: Entry?
      if let remembered = known[level][tree] {
        entry = remembered
      } else {
        entry = try database.child(component, ofTree: tree).map { Entry(id: $0.id, mode: $0.mode) }
        known[level].updateValue(entry, forKey: tree)
      }
      guard let entry else { return nil }
      if level == components.count - 1 { return entry }
      guard entry.mode == .tree else { return nil }
      tree = entry.id
    }
    return nil
  }
}
