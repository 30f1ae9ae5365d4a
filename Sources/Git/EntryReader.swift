/// Reads entries one after another, each from where its bytes are.
struct EntryReader: ~Copyable {
  private let limit: Int
  /// Opened when the first file needs it.
  private var workTree: WorkTree?

  /// `limit` is the largest number of bytes that an entry may have.
  init(limit: Int) {
    self.limit = limit
  }

  private enum Content: ~Copyable {
    case object(ObjectData)
    case file([UInt8])
  }

  /// Calls `body` once, with the entry's bytes or with the reason why there are none; throws only what it throws.
  mutating func withBytes<R>(
    of entry: SnapshotEntry, in repository: isolated Repository,
    _ body: (Result<UnsafeRawBufferPointer, GitError>) throws -> R
  ) throws -> R {
    let content: Content
    do throws(GitError) {
      content = try self.content(of: entry, in: repository)
    } catch {
      return unsafe try body(.failure(error))
    }
    switch consume content {
    case .object(let data): return try unsafe data.withBytes { unsafe try body(.success($0)) }
    case .file(let bytes): return try unsafe bytes.withUnsafeBytes { unsafe try body(.success($0)) }
    }
  }

  private mutating func content(
    of entry: SnapshotEntry, in repository: isolated Repository
  ) throws(GitError) -> Content {
    guard entry.mode.isBlob else {
      throw GitError(.invalidSpec, operation: "read \(entry.path)", message: "the entry is not a file")
    }
    if entry.source == .workTree { return .file(try file(entry, in: repository)) }
    do throws(GitError) {
      // What the snapshot saw tells the size without asking the database, which costs as much as a small read.
      if let size = entry.size, size <= Int64(limit) {
        return .object(try repository.database.read(entry.id, type: .blob))
      }
      return .object(try repository.database.blob(entry.id, limit: limit))
    } catch {
      // A partial clone does not have every object that its index names, but it has the file.
      guard error.code == .missingObject, !repository.isBare else { throw error }
      guard let bytes = try? file(entry, in: repository) else { throw error }
      return .file(bytes)
    }
  }

  /// The bytes of a file, or the target of a link, in the working tree.
  private mutating func file(
    _ entry: SnapshotEntry, in repository: isolated Repository
  ) throws(GitError) -> [UInt8] {
    let operation = "read \(entry.path)"
    if workTree == nil { workTree = try repository.openWorkTree(operation) }
    let bytes: [UInt8]
    if entry.mode == .symlink {
      bytes = try workTree?.readLink(entry.path.bytes) ?? []
    } else {
      let raw = try workTree?.readFile(entry.path.bytes, limit: limit, operation) ?? []
      bytes = entry.isConverted ? try repository.stored(raw, at: entry.path) : raw
    }
    if ObjectID.blob(bytes) != entry.id {
      // A log that somebody appends to all the time begins with what the snapshot saw.
      if let size = entry.size.flatMap({ Int(exactly: $0) }), !entry.isConverted, size < bytes.count {
        let seen = Array(bytes[..<size])
        if ObjectID.blob(seen) == entry.id { return seen }
      }
      throw GitError(.changedWhileReading, operation: operation, message: "its bytes are not those of the snapshot")
    }
    return bytes
  }
}
