/// The index's extension TREE: for each folder the tree that its entries make, so that git need not compute it.
///
/// A node is: name NUL, number of entries, space, number of sub-folders, newline, and, unless the number of entries is
/// -1, the tree's id; then its sub-folders.
struct CachedTrees {
  private let content: [UInt8]
  private let folders: Set<GitPath>
  private var position = 0
  private var output: [UInt8] = []
  private var trees: [GitPath: ObjectID] = [:]

  /// The extension with `folders` marked as unknown; nil, which leaves it out, if it is malformed.
  static func removing(_ folders: Set<GitPath>, from content: [UInt8]) -> [UInt8]? {
    guard !content.isEmpty else { return content }
    var trees = CachedTrees(content: content, folders: folders)
    guard trees.node(at: nil, depth: 0), trees.position == content.count else { return nil }
    return trees.output
  }

  /// The tree that is known for `folder`; nil if none is, or the extension is malformed.
  static func tree(of folder: GitPath, in content: [UInt8]) -> ObjectID? {
    var trees = CachedTrees(content: content, folders: [])
    guard trees.node(at: nil, depth: 0), trees.position == content.count else { return nil }
    return trees.trees[folder]
  }

  private init(content: [UInt8], folders: Set<GitPath>) {
    self.content = content
    self.folders = folders
  }

  /// Copies the node here and all below it. `parent` is nil for the top, whose name is empty.
  private mutating func node(at parent: GitPath?, depth: Int) -> Bool {
    guard depth < TreeLimits.depth, let name = field(upTo: 0), let count = number(upTo: UInt8(ascii: " ")),
      let children = number(upTo: UInt8(ascii: "\n")), children >= 0
    else { return false }
    let path = parent.map { $0.appending(name) } ?? .root
    let isKept = count >= 0 && !folders.contains(path)
    output.append(contentsOf: name)
    output.append(0)
    output.append(contentsOf: "\(isKept ? count : -1) \(children)\n".utf8)
    if count >= 0 {
      guard position + ObjectID.byteCount <= content.count else { return false }
      let id = content[position..<(position + ObjectID.byteCount)]
      if isKept { output.append(contentsOf: id) }
      trees[path] = ObjectID(bytes: id)
      position += ObjectID.byteCount
    }
    for _ in 0..<children {
      guard node(at: path, depth: depth + 1) else { return false }
    }
    return true
  }

  private mutating func field(upTo end: UInt8) -> ArraySlice<UInt8>? {
    guard let index = content[position...].firstIndex(of: end) else { return nil }
    defer { position = index + 1 }
    return content[position..<index]
  }

  private mutating func number(upTo end: UInt8) -> Int? {
    field(upTo: end).flatMap { Int(String(decoding: $0, as: UTF8.self)) }
  }
}
