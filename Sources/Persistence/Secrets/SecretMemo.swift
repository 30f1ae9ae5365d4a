internal import FoundationEssentials
internal import Git
internal import Glibc
internal import Records
internal import SecretScan

/// How far history was looked through for secrets, and what was found there: a private file in the git folder, so that
/// the next look costs what came since.
///
/// It holds what a person has allowed too: the allow-list counts when it is read. A file that is damaged, of another
/// format or of an older scanner is as none.
struct SecretMemo {
  /// Everything that this commit reaches was looked through.
  var commit: ObjectID?
  var secrets: [StoredSecret] = []
  /// Blobs that are too large or not there.
  var unreadCount = 0

  private static let format = 1
  /// More are not kept: who has this many has another problem than the list of them.
  static let limit = 10_000

  init() {}

  init(of repository: Repository) {
    guard let data = FileManager.default.contents(atPath: Self.path(repository)),
      let json = try? JSONValue.parse(Array(data)), json["format"]?.integer == Self.format,
      json["edition"]?.integer == SecretScanner.edition,
      let commit = json["commit"]?.text.flatMap({ ObjectID(hex: $0) }),
      case .array(let list)? = json["secrets"]
    else { return }
    self.commit = commit
    secrets = list.compactMap { StoredSecret(json: $0) }
    unreadCount = json["unread"]?.integer ?? 0
  }

  /// Throws `.writeFailed`.
  func save(in repository: Repository) throws {
    let path = Self.path(repository)
    let json = Report.object([
      "format": .integer(Self.format), "edition": .integer(SecretScanner.edition),
      "commit": Report.string(commit?.description), "unread": .integer(unreadCount),
      "secrets": .array(secrets.map(\.json)),
    ])
    let files = PrivateFiles(of: repository)
    try files.makeFolder(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
    // A look that is made again for nothing is no harm.
    try files.putDerived(json.serialized() + [0x0A], at: path)
  }

  private static func path(_ repository: Repository) -> String {
    let folder = repository.gitDirectory
    return "\(folder.hasSuffix("/") ? String(folder.dropLast()) : folder)/moha-sync/secrets.json"
  }
}
