internal import CLibGit2

/// Encodes trees bottom-up from sorted files, keeping nothing but the folders that are open.
///
/// Sorted full paths are in the order in which git sorts each tree, so entries are only ever appended.
struct TreeBuilder {
  private struct Folder {
    /// Without the folders above it; empty for the top.
    let name: [UInt8]
    var encoded: [UInt8] = []
  }

  /// From the top to the folder of the last file.
  private var open = [Folder(name: [])]
  /// The path of the deepest open folder with its final `/`; empty for the top.
  private var prefix: [UInt8] = []
  private var last: GitPath?

  /// Adds a file at `path`, relative to the top. Paths must ascend by their bytes, each only once.
  mutating func append(_ path: GitPath, id: ObjectID, mode: FileMode) throws(GitError) {
    let operation = "build a tree"
    if let last, !(last < path) {
      throw GitError(.invalidSpec, operation: operation, message: "the files are not in order at \(path)")
    }
    last = path
    guard !path.isRoot, path.isWellFormed, mode != .tree else {
      throw GitError(.invalidSpec, operation: operation, message: "\(path) cannot name a file in a tree")
    }
    append(path, mode, id)
  }

  /// Adds a whole folder, of which only the tree is known; no other path lies in it. It takes part in the order as if
  /// its path ended in `/`.
  mutating func append(folder path: GitPath, id: ObjectID) throws(GitError) {
    let operation = "build a tree"
    let place = GitPath(path.bytes + [GitPath.separator])
    if let last, !(last < place) {
      throw GitError(.invalidSpec, operation: operation, message: "the files are not in order at \(path)")
    }
    last = place
    guard !path.isRoot, path.isWellFormed else {
      throw GitError(.invalidSpec, operation: operation, message: "\(path) cannot name a folder in a tree")
    }
    append(path, .tree, id)
  }

  private mutating func append(_ path: GitPath, _ mode: FileMode, _ id: ObjectID) {
    let name = path.lastComponent
    let folder = path.bytes[..<name.startIndex]
    if !folder.elementsEqual(prefix) { enter(folder) }
    TreeBuilder.append(name, mode: mode, id, to: &open[open.count - 1].encoded)
  }

  /// The id of the top; nil if there are no files.
  consuming func finish() -> ObjectID? {
    close(downTo: 1)
    guard let top = open.first, !top.encoded.isEmpty else { return nil }
    return TreeBuilder.id(ofEncoded: top.encoded)
  }

  /// Ends the folders that `folder` is not in, and begins the others down to it.
  private mutating func enter(_ folder: ArraySlice<UInt8>) {
    let names = folder.split(separator: GitPath.separator)
    let shared = zip(names, open.dropFirst()).prefix { $0.elementsEqual($1.name) }.count
    close(downTo: shared + 1)
    for name in names.dropFirst(shared) { open.append(Folder(name: Array(name))) }
    prefix = Array(folder)
  }

  /// Ends the deepest folders until `count` are open.
  private mutating func close(downTo count: Int) {
    while open.count > count, let folder = open.popLast() {
      let id = TreeBuilder.id(ofEncoded: folder.encoded)
      TreeBuilder.append(folder.name, mode: .tree, id, to: &open[open.count - 1].encoded)
    }
  }

  static func append(_ name: some Collection<UInt8>, mode: FileMode, _ id: ObjectID, to encoded: inout [UInt8]) {
    append(name, encodedMode: mode.encoded, id, to: &encoded)
  }

  /// One entry in git's form: octal mode, space, name, NUL, id.
  static func append(
    _ name: some Collection<UInt8>, encodedMode: String.UTF8View, _ id: ObjectID, to encoded: inout [UInt8]
  ) {
    encoded.append(contentsOf: encodedMode)
    encoded.append(UInt8(ascii: " "))
    encoded.append(contentsOf: name)
    encoded.append(0)
    id.append(to: &encoded)
  }

  static func id(ofEncoded encoded: [UInt8]) -> ObjectID {
    unsafe encoded.withUnsafeBytes { unsafe ObjectID.hash(of: $0, type: GIT_OBJECT_TREE) }
  }
}

extension FileMode {
  /// The mode in octal digits, as trees have it: a folder's without a leading zero.
  fileprivate var encoded: String.UTF8View {
    switch self {
    case .regular: "100644".utf8
    case .executable: "100755".utf8
    case .symlink: "120000".utf8
    case .tree: "40000".utf8
    case .submodule: "160000".utf8
    }
  }
}
