internal import FoundationEssentials
internal import Git
internal import Glibc

/// What was written and is not known to be in a commit: one small file a write, in the git folder.
///
/// The entry is made, durably, before the record's file, and removed after a commit was seen to hold it. So it has the
/// bytes of what was acknowledged, whatever a person's command does to the file meanwhile: commits are made from the
/// journal, not from the file. It tells the next writer how to finish, or undo, what a killed one left half done; that
/// holds for a power cut too.
///
/// A file that cannot be read as an entry is set aside, not removed, and stops nothing; one of a newer program stops
/// every writer, because what it means is not known here.
struct WriteJournal {
  /// `moha-sync/journal` in the git folder that linked working trees do not share: each has files of its own.
  let folder: String
  /// Where files go that are no entries.
  let asideFolder: String

  /// How files of our own are made beside the journal.
  let files: PrivateFiles

  /// Makes nothing: the folders come with the first entry.
  init(of repository: Repository) {
    let base = "\(repository.gitDirectory)/moha-sync"
    files = PrivateFiles(of: repository)
    folder = "\(base)/journal"
    asideFolder = "\(base)/unreadable-writes"
  }

  /// Makes an entry after all that there are. Under the lock of the tree.
  func add(
    _ operation: JournalEntry.Operation, path: GitPath, content: [UInt8], key: JournalEntry.Key? = nil
  ) throws -> JournalEntry {
    try files.makeFolder(folder)
    // Those that wait for a commit have their state in front.
    let last = try names().compactMap { name in
      name.split(separator: "-").lazy.compactMap { UInt64($0) }.first
    }.max() ?? 0
    let digits = String(last + 1)
    let sequence = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    let owner = ProcessIdentity.current
    let entry = JournalEntry(
      name: "\(sequence)-\(owner.pid)-\(UInt32.random(in: .min ... .max))", state: .begun, operation: operation,
      path: path, content: content, key: key, owner: owner, time: Int64(time(nil)))
    try files.put(entry.bytes, at: file(entry), through: "\(file(entry)).tmp", .durable)
    return entry
  }

  func remove(_ entries: [JournalEntry]) {
    for entry in entries {
      for state in [JournalEntry.State.begun, .abandoned, .pending] { unlink(file(entry.name, state)) }
    }
  }

  /// Says of an entry that its writer has given up: the next run finishes or undoes it.
  func abandon(_ entry: JournalEntry) {
    rename(file(entry), file(entry.name, .abandoned))
  }

  /// Says of entries that they were acknowledged and wait for a commit.
  func keep(_ entries: [JournalEntry]) throws {
    for entry in entries where entry.state != .pending {
      guard rename(file(entry), file(entry.name, .pending)) == 0 || errno == ENOENT else {
        throw PersistenceError(
          .writeFailed, "cannot keep \(entry.path) for the next commit: \(String(cString: strerror(errno)))",
          hint: "free the disk or mend the permissions, and look with `moha-sync doctor`")
      }
    }
  }

  func holds(_ entry: JournalEntry) -> Bool {
    [JournalEntry.State.begun, .abandoned, .pending].contains { access(file(entry.name, $0), F_OK) == 0 }
  }

  /// All entries in the order of their writes. Sets aside what is none.
  ///
  /// Throws `.newerVersion` for an entry of a newer program: nothing may be written past it.
  func entries() throws -> [JournalEntry] {
    var entries: [JournalEntry] = []
    for name in try names() {
      let path = "\(folder)/\(name)"
      if name.hasSuffix(".tmp") {
        removeIfOrphaned(name)
        continue
      }
      guard let data = FileManager.default.contents(atPath: path) else {
        // Gone meanwhile, or no file at all.
        if access(path, F_OK) == 0 { setAside(name) }
        continue
      }
      do throws(JournalEntry.Fault) {
        entries.append(try WriteJournal.entry(named: name, Array(data)))
      } catch {
        guard case .newer(let version) = error else {
          setAside(name)
          continue
        }
        throw PersistenceError(
          .newerVersion,
          "a newer moha-sync has left an unfinished write (version \(version), \(path)): nothing was written",
          hint: "use that version here; `moha-sync --version` tells this one's")
      }
    }
    return entries.sorted { $0.precedes($1) }
  }

  /// The entries that can be read, and the names of files that cannot, those of a newer program by themselves. Changes
  /// nothing, and needs no lock.
  func look() -> (entries: [JournalEntry], unreadable: [String], newer: [String]) {
    var entries: [JournalEntry] = []
    var unreadable: [String] = []
    var newer: [String] = []
    for name in (try? names()) ?? [] where !name.hasSuffix(".tmp") {
      guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { continue }
      do throws(JournalEntry.Fault) {
        entries.append(try WriteJournal.entry(named: name, Array(data)))
      } catch {
        if case .newer = error { newer.append(name) } else { unreadable.append(name) }
      }
    }
    let aside = (try? FileManager.default.contentsOfDirectory(atPath: asideFolder)) ?? []
    return (entries.sorted { $0.precedes($1) }, (unreadable + aside).sorted(), newer.sorted())
  }

  private static func entry(named name: String, _ bytes: [UInt8]) throws(JournalEntry.Fault) -> JournalEntry {
    let state = [JournalEntry.State.abandoned, .pending].first { name.hasPrefix($0.rawValue) } ?? .begun
    return try JournalEntry(bytes, name: String(name.dropFirst(state.rawValue.count)), state: state)
  }

  private func names() throws -> [String] {
    // Before the first entry there is no folder.
    if access(folder, F_OK) != 0, errno == ENOENT { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder)
  }

  private func file(_ entry: JournalEntry) -> String { file(entry.name, entry.state) }

  private func file(_ name: String, _ state: JournalEntry.State) -> String { "\(folder)/\(state.rawValue)\(name)" }

  /// Removes the file of an entry that was being made when its process died: nothing else had been done yet.
  private func removeIfOrphaned(_ name: String) {
    let words = name.split(separator: "-")
    // Earlier versions had no sequence in front.
    guard let pid = words.dropLast().last.flatMap({ Int32($0) }), pid > 0, kill(pid, 0) != 0, errno == ESRCH else {
      return
    }
    unlink("\(folder)/\(name)")
  }

  private func setAside(_ name: String) {
    try? files.makeFolder(asideFolder)
    rename("\(folder)/\(name)", "\(asideFolder)/\(name)")
  }
}
