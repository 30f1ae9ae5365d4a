internal import FoundationEssentials
internal import Git

/// What a clone lacks of the history that its remote has: a shallow clone its beginning, a partial clone some objects.
///
/// Nothing is ever fetched: a question that needs what is not here stays open, and what it was about stays as it is.
struct CloneLimits: Sendable {
  let isShallow: Bool
  let isPartial: Bool

  /// Looks for the marks that git leaves: the file `shallow`, and packs that came from a promisor remote.
  init(_ repository: Repository) {
    let folder = repository.commonDirectory
    let files = FileManager.default
    isShallow = files.contents(atPath: "\(folder)/shallow").map { !$0.isEmpty } ?? false
    isPartial = ((try? files.contentsOfDirectory(atPath: "\(folder)/objects/pack")) ?? []).contains {
      $0.hasSuffix(".promisor")
    }
  }

  /// What brings an object that is missing; nil where the clone should have it.
  var remedy: String? {
    // Without `--no-filter` git would leave out again what the clone's own filter says.
    if isPartial { return "`git fetch --refetch --no-filter`" }
    return isShallow ? "`git fetch --unshallow`" : nil
  }

  /// Why an object is missing, with what to do.
  var explanation: String {
    guard let remedy else { return "the repository is damaged: look at it with `git fsck`" }
    return "this is a \(isPartial ? "partial" : "shallow") clone; \(remedy) brings it"
  }
}
