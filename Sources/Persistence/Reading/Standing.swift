internal import Git
package import Records
internal import Synchronization

/// The commit that the records of a working tree stand at, and who made it.
package struct Standing: Sendable {
  /// 40 hexadecimal digits.
  package let id: String
  package let author: String
  package let time: Instant?

  package var json: JSONValue {
    Report.object(["commit": .string(id), "author": .string(author), "time": Report.string(time?.description)])
  }
}

/// A second handle of the repository: reads do not wait behind a commit or a comparison of everything.
final class Lookout: Sendable {
  private let path: String
  private let opened = Mutex<Repository?>(nil)
  private let standing = Mutex<(commit: ObjectID, standing: Standing)?>(nil)

  /// Nothing is opened before the first question.
  init(of repository: Repository) {
    path = repository.workTree ?? repository.gitDirectory
  }

  /// A handle for work that takes long: neither a write nor a read waits behind it.
  func separate() throws -> Repository {
    try Repository(at: path)
  }

  func repository() throws -> Repository {
    try opened.withLock { opened in
      if let repository = opened { return repository }
      let repository = try Repository(at: path)
      opened = repository
      return repository
    }
  }

  func current() async throws -> Standing? {
    let repository = try repository()
    guard let head = try await repository.head().commit else { return nil }
    if let known = standing.withLock({ $0 }), known.commit == head { return known.standing }
    let commit = try await repository.commit(head)
    let found = Standing(
      id: head.description, author: commit.author.name, time: Instant(seconds: commit.author.time))
    standing.withLock { $0 = (head, found) }
    return found
  }
}

extension AgentRecords {
  /// Where HEAD is; nil on an unborn branch, or where the repository cannot be read now.
  package func standing() async -> Standing? {
    try? await lookout.current()
  }
}
