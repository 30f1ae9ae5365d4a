internal import Persistence
internal import Records
internal import Synchronization

/// What was made from files, valid while nothing changes, or while their stamps hold.
///
/// Whether anything has changed is asked on every read, so a change by another process shows at once; only reading and
/// parsing are saved.
final class ResourceCache: Sendable {
  struct Entry: Sendable {
    /// Every file and folder that the text depends on, absent ones too.
    let paths: [RecordPath]
    let stamps: [FileStamp?]
    /// The commit that the text names; nil where it names none.
    let commit: String?
    let text: String
    /// See `AgentFiles.changeMark()`: while it is the same, not even the stamps need a look.
    var mark: Int?
  }

  /// Texts have at most some 25,000 characters, so these are a few megabytes.
  private static let limit = 128
  private let entries = Mutex<[MavenPlace: Entry]>([:])

  subscript(place: MavenPlace) -> Entry? {
    get { entries.withLock { $0[place] } }
    set {
      entries.withLock { entries in
        if entries.count >= ResourceCache.limit { entries.removeAll() }
        entries[place] = newValue
      }
    }
  }
}
