internal import Glibc

/// Commits beside `git gc`, `git prune` and `git repack`.
///
/// Git removes objects that nothing names, and its `prune` looks only once at what is named: a new object that no branch
/// names yet may be gone a moment after the branch was moved. Git itself relies on objects being younger than two weeks;
/// whoever prunes all (`git gc --prune=now`, `git prune`) takes them from a commit that is being made. So the bytes stay
/// in memory until the branch names them and no program is at work that has not seen that.
extension Repository {
  /// Returns when the objects of a commit that HEAD's branch names are there to stay; what was removed is written again.
  ///
  /// Waits for the programs that may remove objects which were not named when they looked, at most `patience`. Those that
  /// begin later see the branch, and a usual `git gc`, which leaves new objects alone, is not waited for.
  func keep(_ objects: [NewObject], _ patience: Duration) throws(GitError) {
    let deadline = ContinuousClock.now + patience
    var removers = objectRemovers()
    while true {
      removers.removeAll { !$0.isAlive }
      try writeMissing(of: objects)
      guard !removers.isEmpty, ContinuousClock.now < deadline else { return }
      Pause.short()
    }
  }

  /// Reads an object back that was just written, and writes it again if it was removed meanwhile.
  ///
  /// A reference must never name what cannot be read. But while a program removes what no reference names, over and over
  /// again, nothing else will do than to have one name it first; what is missing then, `keep` writes at once.
  func confirm(_ object: NewObject, in folder: borrowing ObjectFolder) throws(GitError) {
    let operation = "read \(object.type) \(object.id)"
    for attempt in 1... {
      do throws(GitError) {
        let data = try database.read(object.id, type: object.type)
        guard unsafe data.withBytes({ unsafe $0.elementsEqual(object.bytes) }) else {
          throw GitError(.corrupt, operation: operation, message: "it is not what was written")
        }
        return
      } catch {
        guard error.code == .missingObject else { throw error }
        if attempt == GitError.maintenanceTries {
          guard objectRemovers().isEmpty else { return }
          throw error
        }
        try database.refresh()
        try database.write(object, in: folder)
      }
    }
  }

  private func objectRemovers() -> [ProcessTable.Instance] {
    ObjectRemover.running(
      in: folders, gcFile: commonDirectoryBytes + Array("/gc.pid".utf8),
      try? handle.configurationText("gc.pruneexpire"))
  }

  /// Writes the objects that are not there, and makes them durable.
  private func writeMissing(of objects: [NewObject]) throws(GitError) {
    let folder = try ObjectFolder(below: commonDirectoryBytes, permissions)
    var missing: [NewObject] = []
    for object in objects where try !folder.contains(object.id) { missing.append(object) }
    guard !missing.isEmpty else { return }
    // Packed meanwhile, as a rule. The first handle remembers objects that it has seen.
    let fresh = try RepositoryHandle(path: workTree ?? gitDirectory, searchesUpward: false, ceilings: [])
    let database = try ObjectDatabase(of: fresh)
    var isWritten = false
    for object in missing where try database.header(object.id) == nil {
      try database.write(object, in: folder)
      isWritten = true
    }
    if isWritten { try folder.synchronize() }
  }
}

extension GitError {
  /// True if the cause may be that a program which cleans up in the repository took away what was just looked at or
  /// written: an empty folder of objects or references, a file without its final name, an object that nothing names.
  var mayBeOfMaintenance: Bool {
    if code == .missingObject { return true }
    guard libraryCode < 0 else { return false }
    return isOfFileReplaced || systemError == ENOENT || message.hasSuffix(systemMessage(ENOENT))
  }

  /// True if a file was replaced by another program while the library read it: it takes the size from one and the bytes
  /// from the other (`git_futils_readbuffer`).
  var isOfFileReplaced: Bool { libraryCode < 0 && message.contains("could not read (expected ") }

  /// How often an operation is tried that maintenance may have disturbed, which by then does something else.
  static let maintenanceTries = 5
}
