internal import CLibGit2

/// Changes to the files of a tree, and the tree objects that they make.
///
/// Only the trees of changed folders are rewritten, and in these every other entry keeps its bytes: an old spelling of
/// a mode, a submodule and a symbolic link included. Nothing goes through the index.
struct TreeEdit {
  /// What a path shall hold; nil for nothing.
  struct Change {
    let path: GitPath
    let content: EntryLookup.Entry?
  }

  /// A tree object that the base may not have.
  struct NewTree {
    let id: ObjectID
    let bytes: [UInt8]
  }

  /// A change, and the components of its path.
  private struct Step {
    let components: [ArraySlice<UInt8>]
    let change: Change
  }

  /// The new content of one name in one tree.
  fileprivate struct Replacement {
    let name: ArraySlice<UInt8>
    let content: EntryLookup.Entry?
  }

  /// Children before parents; the last is the top, unless the result is the base or empty.
  private(set) var newTrees: [NewTree] = []

  /// The tree `base` (nil is empty) with `changes`, sorted by path and each path once. Nil for an empty result.
  ///
  /// Throws `.invalidSpec` for a change that would silently remove other files: a file where a folder stays, or below
  /// what is not a folder. Throws `.missingObject`, `.corrupt`.
  mutating func apply(
    _ changes: [Change], to base: ObjectID?, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> ObjectID? {
    let steps = changes.map { Step(components: $0.path.components, change: $0) }
    return try edit(base, steps[...], level: 0, database)
  }

  /// `steps` share their first `level` components, which are the path of `tree`.
  private mutating func edit(
    _ tree: ObjectID?, _ steps: ArraySlice<Step>, level: Int, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> ObjectID? {
    guard level < TreeLimits.depth else { throw ObjectDatabase.tooDeep([]) }
    var existing: [ArraySlice<UInt8>: EntryLookup.Entry] = [:]
    // By name: in the order of paths, the steps of one name need not be side by side (`a`, `a.b`, `a/b`).
    let groups = Dictionary(grouping: steps) { $0.components[level] }
    let names = NameSet(groups.keys)
    var cursor = try database.tree(tree)
    while let entry = cursor.entry {
      if unsafe names.contains(entry.name) {
        existing[unsafe ArraySlice(entry.name)] = EntryLookup.Entry(id: entry.id, mode: entry.mode)
      }
      try cursor.advance()
    }
    var replacements: [Replacement] = []
    for (name, group) in groups {
      let old = existing[name]
      let new = try content(of: old, group, level: level, database)
      if new != old { replacements.append(Replacement(name: name, content: new)) }
    }
    guard !replacements.isEmpty else { return tree }
    let encoded = try TreeEdit.merge(replacements, into: tree, database)
    guard !encoded.isEmpty else { return nil }
    let id = TreeBuilder.id(ofEncoded: encoded)
    if id != tree { newTrees.append(NewTree(id: id, bytes: encoded)) }
    return id
  }

  /// What one name of a tree holds after the steps for it and for everything below it.
  private mutating func content(
    of old: EntryLookup.Entry?, _ steps: [Step], level: Int, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> EntryLookup.Entry? {
    let leaf = steps.first { $0.components.count == level + 1 }
    let deeper = steps.filter { $0.components.count > level + 1 }
    func refusal(_ path: GitPath, _ message: String) -> GitError {
      GitError(.invalidSpec, operation: "change \(path)", message: message)
    }
    if let leaf, deeper.isEmpty {
      guard old?.mode != .tree else {
        throw refusal(leaf.change.path, "it is a folder, and the files in it would be lost")
      }
      return leaf.change.content
    }
    let isAdding = deeper.contains { $0.change.content != nil }
    if let leaf, leaf.change.content != nil, isAdding {
      throw refusal(leaf.change.path, "it cannot be a file and a folder")
    }
    if let old, old.mode != .tree {
      // Deletions below a file find nothing.
      if !isAdding { return leaf == nil ? old : leaf?.change.content }
      if leaf == nil, let first = deeper.first {
        throw refusal(first.change.path, "a component of its path is not a folder")
      }
    }
    let subtree = old?.mode == .tree ? old?.id : nil
    let result = try edit(subtree, deeper[...], level: level + 1, database)
    if let leaf, let content = leaf.change.content {
      guard result == nil else {
        throw refusal(leaf.change.path, "it is a folder, and the files in it would be lost")
      }
      return content
    }
    return result.map { EntryLookup.Entry(id: $0, mode: .tree) }
  }

  /// The bytes of `tree` with the replacements in git's order.
  private static func merge(
    _ replacements: [Replacement], into tree: ObjectID?, _ database: borrowing ObjectDatabase
  ) throws(GitError) -> [UInt8] {
    let names = NameSet(replacements.map(\.name))
    let added = replacements.filter { $0.content != nil }.sorted { left, right in
      right.withEntry { precedes(left, $0) }
    }
    var next = added.startIndex
    var encoded: [UInt8] = []
    func appendAdded(_ replacement: Replacement) {
      guard let content = replacement.content else { return }
      TreeBuilder.append(replacement.name, mode: content.mode, content.id, to: &encoded)
    }
    var cursor = try database.tree(tree)
    while let entry = cursor.entry {
      if unsafe !names.contains(entry.name) {
        while next < added.endIndex, precedes(added[next], entry) {
          appendAdded(added[next])
          next += 1
        }
        unsafe encoded.append(contentsOf: cursor.encodedEntry)
      }
      try cursor.advance()
    }
    for replacement in added[next...] { appendAdded(replacement) }
    return encoded
  }

  private static func precedes(_ replacement: Replacement, _ entry: RawTreeEntry) -> Bool {
    replacement.withEntry { $0.precedes(entry) }
  }
}

extension TreeEdit.Replacement {
  /// Lends the replacement as an entry, to compare it with others in the order of trees.
  fileprivate func withEntry<R>(_ body: (RawTreeEntry) -> R) -> R {
    unsafe name.withUnsafeBytes { name in
      let mode = content?.mode ?? .regular
      return body(unsafe RawTreeEntry(rawMode: mode.rawMode, mode: mode, name: name, id: content?.id ?? .zero))
    }
  }
}

/// A few names that each entry of a large folder is compared with, without copying the entry's name.
private struct NameSet {
  private let sorted: [ArraySlice<UInt8>]

  init(_ names: some Collection<ArraySlice<UInt8>>) {
    sorted = names.sorted { $0.lexicographicallyPrecedes($1) }
  }

  func contains(_ name: UnsafeRawBufferPointer) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = low + (high - low) / 2
      let order = unsafe sorted[middle].withUnsafeBytes { unsafe compareBytes($0, name) }
      if order == 0 { return true }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return false
  }
}
