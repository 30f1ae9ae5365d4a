internal import CLibGit2
internal import Glibc

/// One walk of the working tree: what is found, and what it takes to find it.
struct SnapshotWalk: ~Copyable {
  private let workTree: WorkTree
  private var index: StatCache
  private var conversion: ContentConversion
  /// False on file systems that keep no execute bit: the index then says what a file is.
  private let trustsExecutableBit: Bool
  /// Files up to this size are read into memory; larger ones are hashed piece by piece.
  private let maximumFileSize: Int

  /// How many bytes a file may gain while it is read into memory.
  private let growthAllowance = 64 << 20

  private var entries: [SnapshotEntry] = []
  private var unreadable: [UnreadablePath] = []
  private var hashedCount = 0
  private var rootMissing = false

  init(
    workTree: consuming WorkTree, index: StatCache, conversion: ContentConversion,
    trustsExecutableBit: Bool, maximumFileSize: Int
  ) {
    self.workTree = workTree
    self.index = index
    self.conversion = conversion
    self.trustsExecutableBit = trustsExecutableBit
    // Bounded, so that adding the allowance to a size cannot overflow.
    self.maximumFileSize = min(maximumFileSize, 1 << 40)
  }

  /// Walks everything below `folder`.
  consuming func snapshot(
    of folder: GitPath, _ database: borrowing ObjectDatabase, _ repository: borrowing RepositoryHandle
  ) -> WorkTreeSnapshot {
    walk(folder, isStart: true, database, repository)
    unreadable.sort { $0.path < $1.path }
    return WorkTreeSnapshot(
      entries: entries, hashedCount: hashedCount, unreadable: unreadable, rootMissing: rootMissing)
  }

  private mutating func walk(
    _ folder: GitPath, isStart: Bool, _ database: borrowing ObjectDatabase, _ repository: borrowing RepositoryHandle
  ) {
    let listing: FolderListing
    do throws(GitError) {
      let descriptor = try workTree.open(folder.bytes, flags: O_RDONLY | O_DIRECTORY)
      listing = try FolderListing(descriptor, at: folder) { index.submodule(at: $0) }
    } catch {
      if isStart && error.systemError == ENOENT {
        rootMissing = true
      } else {
        unreadable.append(UnreadablePath(path: folder, error, isFolder: true))
      }
      return
    }
    // As for git, whose own files in it decide: a stray `.git` beside tracked files makes no other repository of them.
    if listing.isRepository, !folder.isRoot, !index.tracksFiles(below: folder) {
      unreadable.append(
        UnreadablePath(
          path: folder, cause: .otherRepository, reason: "it is a repository of its own", isFolder: true))
      return
    }
    unreadable.append(contentsOf: listing.unreadable)
    if listing.holdsAttributes {
      do throws(GitError) { try conversion.foundAttributes(repository) } catch {
        unreadable.append(UnreadablePath(path: folder, error, isFolder: true))
        return
      }
    }
    for item in listing.items {
      let path = listing.path(of: item)
      if item.isFolder {
        walk(path, isStart: false, database, repository)
      } else if let submodule = item.submodule {
        entries.append(
          SnapshotEntry(path: path, id: submodule, mode: .submodule, size: nil, source: .object))
      } else if item.status.isRegular || item.status.isSymlink {
        append(path, item.status, database, repository)
      } else {
        let kind = SkipReason.Special(mode: item.status.mode) ?? .device
        unreadable.append(UnreadablePath(path: path, cause: .special(kind), reason: "it is \(kind.rawValue)"))
      }
    }
  }

  private mutating func append(
    _ path: GitPath, _ found: FileStatus, _ database: borrowing ObjectDatabase,
    _ repository: borrowing RepositoryHandle
  ) {
    let match = index.match(path, found)
    var form = ContentConversion.Form.asIs
    if !found.isSymlink {
      do throws(GitError) { form = try conversion.form(of: path, repository) } catch {
        // Whether it goes through a filter, whose input must not get into git, nobody can tell.
        unreadable.append(UnreadablePath(path: path, error))
        return
      }
    }
    if case .filtered(let name) = form {
      unreadable.append(
        UnreadablePath(
          path: path, cause: .filter(name), reason: "git stores it through the filter \"\(name)\"",
          isUnchanged: match?.isCurrent ?? false))
      return
    }
    if let match, match.isCurrent {
      // `git add` wrote the object before it wrote the index. A reader that does not find it (a partial clone) takes
      // the file.
      let size = form == .asIs ? found.size : nil
      entries.append(
        SnapshotEntry(
          path: path, id: match.id, mode: mode(found, match), size: size, source: .object, isConverted: form != .asIs))
      return
    }
    do throws(GitError) {
      let (id, status) = try hash(path, found, form, repository)
      hashedCount += 1
      entries.append(
        SnapshotEntry(
          path: path, id: id, mode: mode(status, match), size: form == .asIs ? status.size : nil,
          source: database.probablyContains(id) ? .object : .workTree, isConverted: form != .asIs))
    } catch {
      var cause = SkipReason.unreadable
      if error.code == .encoding, case .converted(let encoding?) = form { cause = .encoding(encoding) }
      unreadable.append(UnreadablePath(path: path, error, cause: cause))
    }
  }

  private func mode(_ status: FileStatus, _ match: StatCache.Match?) -> FileMode {
    if status.isSymlink { return .symlink }
    if trustsExecutableBit { return status.mode & 0o100 != 0 ? .executable : .regular }
    return match?.mode == .executable ? .executable : .regular
  }

  /// The id of what git would store for a file, and its status when it was read.
  private func hash(
    _ path: GitPath, _ status: FileStatus, _ form: ContentConversion.Form, _ repository: borrowing RepositoryHandle
  ) throws(GitError) -> (ObjectID, FileStatus) {
    if status.isSymlink { return (ObjectID.blob(try workTree.readLink(path.bytes)), status) }
    let operation = "read \(path)"
    // A writer that replaces the file in place can be caught half-way: the status tells, and another try may not.
    for _ in 0..<3 {
      let file = try workTree.openFile(path.bytes)
      let before = try file.status(operation)
      guard before.isRegular else {
        throw GitError(.changedWhileReading, operation: operation, message: "it is not a regular file any more")
      }
      let id: ObjectID
      if before.size <= Int64(maximumFileSize) {
        let bytes = try file.readAll(
          expecting: Int(before.size), limit: Int(before.size) + growthAllowance, operation)
        id = ObjectID.blob(try ContentConversion.stored(bytes, at: path, form, repository))
      } else if form == .asIs {
        id = try ObjectID.blob(streaming: file, operation)
      } else {
        throw GitError(.tooLarge, operation: operation, message: "it is too large to convert its bytes")
      }
      if try file.status(operation) == before { return (id, before) }
    }
    throw GitError(.changedWhileReading, operation: operation, message: "it keeps changing while it is read")
  }
}

extension UnreadablePath {
  init(path: GitPath, _ error: GitError, cause: SkipReason = .unreadable, isFolder: Bool = false) {
    self.init(path: path, cause: cause, errno: error.systemError, reason: error.message, isFolder: isFolder)
  }
}

extension ObjectID {
  /// Hashes an open regular file of any size through a small buffer.
  static func blob(streaming file: borrowing Descriptor, _ operation: String) throws(GitError) -> ObjectID {
    var oid = git_oid()
    // The library hashes by name only; this name is the open file itself, whatever has become of its path.
    try check(unsafe git_odb_hashfile(&oid, "/proc/self/fd/\(file.number)", GIT_OBJECT_BLOB), operation)
    return ObjectID(oid)
  }
}
