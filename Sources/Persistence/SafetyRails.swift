internal import Records

/// What a plan may remove without the user naming the number.
///
/// A tree that is empty, unmounted, filtered by a new ignore rule, or of another agent looks like mass deletion.
/// Rows that would be removed because git no longer holds them are counted by kind and over all kinds: more
/// than 10 % and at least 20 of them, or more than half of two or more, stops the run. Duplicates do not count:
/// the record itself stays.
struct SafetyRails {
  /// The number that `--allow-removals` named; nil when it was not given.
  let allowed: Int?

  /// Throws `.massRemoval` where the plan goes further than allowed.
  func check(_ plan: ReconciliationPlan) throws {
    let orphans = plan.removals.filter { $0.reason == .orphaned }
    if let allowed, orphans.count <= allowed { return }
    var refused: [String] = []
    for kind in RecordKind.allCases {
      let count = orphans.count { $0.kind == kind }
      let total = plan.rowCounts[kind] ?? 0
      if SafetyRails.isMass(count, of: total) { refused.append("\(count) of \(total) \(kind.name)") }
    }
    if refused.isEmpty, SafetyRails.isMass(orphans.count, of: plan.rowCounts.values.reduce(0, +), percentRule: false) {
      refused.append("\(orphans.count) of all \(plan.rowCounts.values.reduce(0, +)) rows")
    }
    if refused.isEmpty, plan.gitCount == 0, !orphans.isEmpty { refused.append("every record of this agent") }
    guard !refused.isEmpty else { return }
    throw PersistenceError(
      .massRemoval,
      "refused: git lacks \(refused.joined(separator: " and ")), and the plan would take these rows out. Nothing was changed",
      hint:
        "check that the right tree is mounted and checked out, and look at `reconcile --dry-run`; `reconcile --adopt` writes such rows into git instead and takes none out; a removal that is meant has to be named by its number, \(orphans.count), with --allow-removals"
    )
  }

  static func isMass(_ count: Int, of total: Int, percentRule: Bool = true) -> Bool {
    if count >= 2 && count * 2 > total { return true }
    return percentRule && count >= 20 && count * 10 > total
  }
}
