internal import Synchronization

/// Work that was done, by kind: what a run cost, whatever machine it ran on.
///
/// Times tell little about how a cost grows: they are noisy, and a small quadratic part hides below a large linear one.
/// Counts are exact, so that a test can compare those of twice as much with those of once. Whoever wants them binds
/// `current` around the work; the layers below add to it. Where it is not bound, adding is a look at the task and no more.
package final class WorkCount: Sendable {
  package enum Kind: Int, CaseIterable, Sendable {
    /// Walks through git's history, each of which may read all of it.
    case walks
    /// Commit objects that were read, save those that the library reads on a walk of its own.
    case commits
    /// Tree objects that were read.
    case trees
    /// Bytes of those trees.
    case treeBytes
    /// Blobs that were read whole.
    case blobs
    /// Looks at an object's type and size.
    case headers
    /// Bytes of files that were parsed.
    case bytesParsed
    /// Statements that were sent to Postgres, a copy counting as one.
    case statements
    /// Rows that Postgres sent as the result of a query.
    case rowsReceived
    /// Rows that were copied out of Postgres or into it.
    case rowsCopied
    /// Rows that were compared with a record, or with each other.
    case comparisons
  }

  /// What the current task's work is added to; nil for nowhere.
  @TaskLocal package static var current: WorkCount?

  private let counts = Mutex([Int](repeating: 0, count: Kind.allCases.count))

  package init() {}

  package subscript(kind: Kind) -> Int { counts.withLock { $0[kind.rawValue] } }

  /// Adds to the current task's count, if it has one.
  package static func add(_ kind: Kind, _ count: Int = 1) {
    guard let current else { return }
    current.counts.withLock { $0[kind.rawValue] += count }
  }

  /// What `body` costs, with what it returns.
  package static func of<Result>(
    _ body: () async throws -> Result
  ) async rethrows -> (count: WorkCount, result: Result) {
    let count = WorkCount()
    let result = try await $current.withValue(count) { try await body() }
    return (count, result)
  }
}

extension WorkCount: CustomStringConvertible {
  package var description: String {
    Kind.allCases.map { "\($0) \(self[$0])" }.joined(separator: ", ")
  }
}
