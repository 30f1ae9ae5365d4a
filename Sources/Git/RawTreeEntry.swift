internal import Glibc

/// An entry inside a tree object's bytes.
///
/// `@safe`: only `TreeCursor` makes one, and every use is while that cursor, and so the bytes, lives.
@safe struct RawTreeEntry {
  /// As stored: old trees hold 100664 and the like.
  let rawMode: UInt32
  let mode: FileMode
  /// Without its folder, and without a trailing slash. Points into the object.
  let name: UnsafeRawBufferPointer
  let id: ObjectID

  var isTree: Bool { mode == .tree }

  /// Negative, zero or positive as this entry sorts before, with or after `other` in a tree: by name, a
  /// folder's name as if it ended in `/`. Walking in this order visits full paths in the order of their bytes.
  func order(_ other: RawTreeEntry) -> Int {
    let common = unsafe min(name.count, other.name.count)
    if let left = unsafe name.baseAddress, let right = unsafe other.name.baseAddress {
      let order = unsafe memcmp(left, right, common)
      if order != 0 { return Int(order) }
    }
    return Int(byteOfName(at: common)) - Int(other.byteOfName(at: common))
  }

  func precedes(_ other: RawTreeEntry) -> Bool {
    order(other) < 0
  }

  func isNamed(_ component: ArraySlice<UInt8>) -> Bool {
    unsafe component.withUnsafeBytes { unsafe compareBytes($0, name) == 0 }
  }

  /// The byte that decides when one name is the start of another.
  private func byteOfName(at index: Int) -> UInt8 {
    if unsafe index < name.count { return unsafe name[index] }
    return isTree ? GitPath.separator : 0
  }

  /// False for the names that `git fsck` refuses because they cannot stand for one file in one folder.
  var hasUsableName: Bool {
    switch unsafe name.count {
    case 0: return false
    case 1: if unsafe name[0] == UInt8(ascii: ".") { return false }
    case 2: if unsafe name[0] == UInt8(ascii: ".") && name[1] == UInt8(ascii: ".") { return false }
    default: break
    }
    guard let base = unsafe name.baseAddress else { return false }
    return unsafe memchr(base, Int32(GitPath.separator), name.count) == nil
  }

  /// `folder` and the name, joined by `/`; one allocation.
  func path(in folder: [UInt8]) -> GitPath {
    let separators = folder.isEmpty ? 0 : 1
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: folder.count + separators + name.count) { buffer, count in
      count = unsafe folder.count + separators + name.count
      guard let base = buffer.baseAddress, let source = unsafe name.baseAddress else { return }
      unsafe folder.withUnsafeBufferPointer { folder in
        guard let start = folder.baseAddress, separators == 1 else { return }
        unsafe base.initialize(from: start, count: folder.count)
        unsafe (base + folder.count).initialize(to: GitPath.separator)
      }
      unsafe memcpy(base + folder.count + separators, source, name.count)
    }
    return GitPath(bytes)
  }
}
