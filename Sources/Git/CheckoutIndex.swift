internal import Glibc

/// What git's index says of a working tree, whatever form it has: in one file or split, with an entry for each file or
/// for whole folders (a sparse index).
///
/// A value read once; it neither locks nor writes anything. Of an index that cannot be read whole it holds nothing: what
/// could be read may be what somebody else's program would not have said.
package struct CheckoutIndex: Sendable {
  package enum Condition: Hashable, Sendable {
    /// There is none: nothing was ever checked out.
    case missing
    case whole
    /// Why, as a clause about the index.
    case unreadable(String)
  }

  /// What it means that a file which HEAD has is not in the working tree.
  package enum Absence: Hashable, Sendable {
    /// It is gone.
    case removed
    /// Nothing: a sparse checkout leaves it out.
    case leftOut
    /// Nobody knows, since the index cannot be read whole.
    case unknown
  }

  /// How much of an index is looked at before it is believed.
  enum Check {
    /// That it is of a known form. A damaged `stat` field then costs a hash that was not needed, and a damaged id names
    /// no object.
    case form
    /// Its checksum too: before its entries are written anew, under a checksum that is right.
    case checksum
  }

  package let condition: Condition
  /// The entries at the folder asked for and below it.
  let file: IndexFile?
  /// When the index was last written: taken from the open file before it is read.
  let written: FileTime
  /// The file that was read; nil unless the condition is `.whole`.
  let status: FileStatus?

  /// Reads what the index at `path` (without NUL) knows of `folder` and everything below it.
  init(at path: [UInt8], below folder: GitPath, _ check: Check = .form) {
    do throws(UnreadableIndex) {
      // Git puts the shared part of a split index in place before the rest. Whoever reads meanwhile may find that the
      // one it needs has gone with the index that named it.
      for _ in 0..<3 {
        guard let main = try CheckoutIndex.contents(of: path, "it") else {
          self.init(.missing)
          return
        }
        let file = try IndexFile(main.bytes, below: folder)
        guard check == .form || file.isSound else { throw UnreadableIndex("its checksum is wrong") }
        if let whole = try CheckoutIndex.joined(file, path, below: folder, check) {
          self.init(.whole, whole, main.status)
          return
        }
      }
      throw UnreadableIndex("it keeps changing")
    } catch {
      self.init(.unreadable(error.reason))
    }
  }

  private init(_ condition: Condition, _ file: IndexFile? = nil, _ status: FileStatus? = nil) {
    self.condition = condition
    self.file = file
    self.status = status
    written = status?.modified ?? FileTime(seconds: .min, nanoseconds: 0)
  }

  /// An index as it is before the first file is added.
  static let empty = CheckoutIndex(
    .whole, try? IndexFile(IndexBuilder(version: 2, capacity: 32).finish(), below: .root))

  /// The index that `main` is, or is a part of; nil if the other part has gone and the index may be another by now.
  private static func joined(
    _ main: IndexFile, _ path: [UInt8], below folder: GitPath, _ check: Check
  ) throws(UnreadableIndex) -> IndexFile? {
    // Few indexes are split. The parts of one are joined entry by entry, of all folders.
    guard main.isLinked, let split = try SplitIndex(IndexFile(main.bytes, below: .root)) else { return main }
    let shared = (GitPath(path).parent ?? .root).appending(split.sharedName.utf8).bytes
    if let base = try contents(of: shared, "its shared part, \(split.sharedName),") {
      return try IndexFile(split.joined(with: base.bytes, check), below: folder)
    }
    let now = try contents(of: path, "it")
    guard now?.bytes.suffix(ObjectID.byteCount) == main.bytes.suffix(ObjectID.byteCount) else { return nil }
    throw UnreadableIndex("its shared part, \(split.sharedName), is missing")
  }

  /// The bytes of a file, and its status before they were read; nil if there is none. `name` begins a clause.
  private static func contents(
    of path: [UInt8], _ name: String
  ) throws(UnreadableIndex) -> (bytes: [UInt8], status: FileStatus)? {
    do throws(GitError) {
      let operation = "read the index"
      let file = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, operation)
      let status = try file.status(operation)
      guard status.isRegular else { throw GitError(.io, operation: operation, message: "it is not a regular file") }
      return (try file.readAll(expecting: Int(clamping: status.size), limit: 4 << 30, operation), status)
    } catch {
      if error.systemError == ENOENT { return nil }
      let reason = error.systemError == ELOOP ? "it is a symbolic link" : error.message
      throw UnreadableIndex("\(name) cannot be read (\(reason))")
    }
  }
}

// MARK: - What it says

extension CheckoutIndex {
  /// True if nothing that the index may hold is hidden from this program.
  package var isWhole: Bool {
    if case .unreadable = condition { return false }
    return true
  }

  /// What it means if `path`, which HEAD has, is not in the working tree.
  package func absence(of path: GitPath) -> Absence {
    guard isWhole else { return .unknown }
    return isLeftOut(path) ? .leftOut : .removed
  }

  /// True if a sparse checkout leaves the file out: by its own entry, or with a whole folder.
  package func isLeftOut(_ path: GitPath) -> Bool {
    guard let file else { return false }
    guard let position = file.position(of: path) else { return file.folder(around: path) != nil }
    return file.entry(at: position).isSkipWorktree
  }

  /// The paths at `folder` and below it that have sides of a conflict, in order, each once.
  package func conflicts(below folder: GitPath) -> [GitPath] {
    guard let file else { return [] }
    var paths: [GitPath] = []
    for position in positions(at: folder, file) where file.entry(at: position).stage > 0 {
      let path = GitPath(Array(file.path(at: position)))
      if paths.last != path { paths.append(path) }
    }
    return paths
  }

  /// The positions of the entries at `folder` and below it.
  private func positions(at folder: GitPath, _ file: IndexFile) -> [Int] {
    let below = file.positions(below: folder)
    guard !folder.isRoot else { return Array(below) }
    // Names such as `folder.x` sort in between.
    let start = file.lowerBound(of: folder)
    return (start..<below.lowerBound).filter { file.compare($0, folder) == 0 } + below
  }

  /// What is known of one folder: the tree that its entries make, or that of a folder around it.
  enum Subtree {
    /// The id of the tree, or that of no entries at all.
    case tree(ObjectID)
    /// The folder lies at this path in this tree.
    case inside(ObjectID, GitPath)
    /// The entries make no tree: there are conflicts, or a file is where the folder would be.
    case none
  }

  func subtree(of folder: GitPath) throws(GitError) -> Subtree {
    guard let file else { return condition == .missing ? .tree(.emptyTree) : .none }
    let inner = folder.isRoot ? folder : GitPath(folder.bytes + [GitPath.separator])
    if let around = file.folder(around: inner) {
      let (id, length) = (file.entry(at: around).id, file.path(at: around).count)
      return length == inner.bytes.count ? .tree(id) : .inside(id, GitPath(Array(folder.bytes[length...])))
    }
    if !folder.isRoot, file.position(of: folder) != nil { return .none }
    var builder = TreeBuilder()
    for position in file.positions(below: folder) {
      let entry = file.entry(at: position)
      if entry.stage > 0 { return .none }
      // Git leaves out what is only announced.
      guard !entry.isIntentToAdd, let mode = FileMode(rawMode: entry.mode) else { continue }
      let path = file.path(at: position).dropFirst(inner.bytes.count)
      if entry.isFolder {
        try builder.append(folder: GitPath(Array(path.dropLast())), id: entry.id)
      } else {
        try builder.append(GitPath(Array(path)), id: entry.id, mode: mode)
      }
    }
    return .tree(builder.finish() ?? .emptyTree)
  }
}

extension Repository {
  /// What the index of the working tree says of `folder` and everything below it.
  package func checkoutIndex(below folder: GitPath = .root) -> CheckoutIndex {
    CheckoutIndex(at: indexPath, below: folder)
  }

  /// Whether `path` is missing from the working tree without having been removed, as far as anybody can tell.
  package func isLeftOut(_ path: GitPath) -> Bool {
    checkoutIndex(below: path.parent ?? .root).absence(of: path) != .removed
  }

  /// The id of the tree that the index would make of `folder` if it were committed now, whether or not that tree is in
  /// the object database; `.emptyTree` if the index has nothing there.
  ///
  /// `index` was read below `folder`, or a folder around it. Nil if there are conflicts, a file in the folder's place, or
  /// an index that cannot be read whole. Throws `.missingObject`, `.corrupt` where the folder is part of one that the
  /// index knows by its tree alone.
  package func subtree(of folder: GitPath, in index: CheckoutIndex) throws(GitError) -> ObjectID? {
    switch try index.subtree(of: folder) {
    case .none: return nil
    case .tree(let id): return id
    case .inside(let tree, let path):
      guard let entry = try database.entry(at: path, inTree: tree) else { return .emptyTree }
      return entry.mode == .tree ? entry.id : nil
    }
  }

  nonisolated var indexPath: [UInt8] { gitDirectoryBytes + Array("/index".utf8) }
}
