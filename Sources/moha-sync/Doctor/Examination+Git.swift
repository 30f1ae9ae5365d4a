import Git
import Glibc
import Persistence
import Postgres
import Records

extension Examination {
  /// The repository, its state, and the locks in it.
  func git() async -> [Diagnosis] {
    var found: [Diagnosis] = []
    if let layer = await layer("git", down: .noTree) { found.append(layer) }
    guard let repository = try? outlook.repository.get() else { return found }
    do {
      found += try await repository.heldLocks().map(Examination.diagnosis)
    } catch {
      found.append(
        Diagnosis(
          area: "git", code: "locks-unknown", severity: .warning,
          found: "locks cannot be looked for: \(Examination.words(error))"))
    }
    found += writes(in: repository)
    if let head = try? await repository.head().commit, let commit = try? await repository.commit(head) {
      let ahead = commit.committer.time - Int64(time(nil))
      if ahead > 300 {
        found.append(
          Diagnosis(
            area: "git", code: "commit-in-future", severity: .warning,
            found: "HEAD was committed \(ahead) s in the future",
            cause: "the clock of this machine, or of the one that committed, is wrong",
            hint: "compare `date -u` with another machine"))
      }
    }
    return found
  }

  /// What the journal of writes holds.
  private func writes(in repository: Repository) -> [Diagnosis] {
    let contents = UnfinishedWrites(repository).contents()
    let isPeriodic = (try? outlook.settings.get().writing.commitPolicy) == .periodic
    func names(_ paths: [String]) -> String { paths.prefix(3).map { printable($0) }.joined(separator: ", ") }
    var found: [Diagnosis] = []
    if !contents.orphaned.isEmpty {
      found.append(
        Diagnosis(
          area: "git", code: "unfinished-writes", severity: .warning,
          found: "\(contents.orphaned.count) writes are not committed: \(names(contents.orphaned))",
          cause: "their writers were killed; the next write, or tick, finishes them", hint: "moha-sync commit",
          remedy: .finishWrites))
    }
    if !contents.pending.isEmpty {
      found.append(
        Diagnosis(
          area: "git", code: "pending-writes", severity: isPeriodic ? .info : .warning,
          found: "\(contents.pending.count) acknowledged writes wait for a commit: \(names(contents.pending))",
          cause: isPeriodic
            ? "the commit policy is periodic: the next `moha-sync commit` takes them"
            : "HEAD was detached, or a merge or a git command was in progress; the next write, or tick, commits them",
          hint: "moha-sync commit", remedy: isPeriodic ? nil : .finishWrites))
    }
    if !contents.unreadable.isEmpty {
      found.append(
        Diagnosis(
          area: "git", code: "unreadable-writes", severity: .warning,
          found: "\(contents.unreadable.count) files of the write journal are no entries: \(names(contents.unreadable))",
          cause: "something other than moha-sync changed them, or a newer version left them; their bytes are kept",
          hint: "look at .git/moha-sync/unreadable-writes, and record again what is missing"))
    }
    return found
  }

  private static func diagnosis(_ lock: HeldLock) -> Diagnosis {
    let holder = lock.holder.map { "process \($0) has it open" } ?? "no process has it open"
    return lock.isStale
      ? Diagnosis(
        area: "git", code: "stale-lock", severity: .warning,
        found: "\(printable(lock.name)) is \(lock.age) s old, and \(holder)",
        cause: "its holder was killed; the next commit removes it", hint: "moha-sync doctor --fix",
        remedy: .removeStaleLocks, status: .locked)
      : Diagnosis(
        area: "git", code: "lock-held", severity: .warning,
        found: "\(printable(lock.name)) is \(lock.age) s old, and \(holder)",
        cause: "a git command is at work, or was killed less than a minute ago: nothing is committed meanwhile",
        hint: "end the command; `moha-sync doctor` again in a minute", status: .locked)
  }

  /// The records beside their rows, where the comparison ends in time.
  func records() async -> [Diagnosis] {
    guard let shared = try? outlook.repository.get(), let settings = try? outlook.settings.get() else { return [] }
    do {
      // A handle of its own: the other checks do not wait for the comparison.
      let repository = try Repository(at: shared.workTree ?? shared.gitDirectory)
      var open: (connection: Connection, schema: SchemaName)?
      if let database = try await settings.databaseIfUp(outlook.servers),
        case .returned(let opened) = await Deadline.run(
          Examination.layerPatience(patience), grace: .zero, { try await database.connect() })
      {
        open = opened
      }
      let survey = try await Survey.of(
        repository, agent: settings.agent, open: open, schema: settings.schema, .workTree, itemLimit: 3)
      return diagnoses(of: survey, hasRows: open != nil)
    } catch let error as PersistenceError where error.code == .treeMissing {
      // The look at git says so.
      return []
    } catch {
      return [
        Diagnosis(
          area: "records", code: "not-compared", severity: .warning, found: Examination.words(error),
          hint: "moha-sync verify")
      ]
    }
  }

  /// The files of the tree that are no records, by name: nothing that is there is passed over in silence.
  private func otherFiles(_ survey: Survey) -> [Diagnosis] {
    let agent = survey.source.agent
    let others = survey.source.entries.filter { entry in
      entry.path.lastComponent.first != UInt8(ascii: ".")
        && TreeLayout.role(of: RecordPath(entry.path.bytes), agent: agent) == .other
    }
    guard !others.isEmpty else { return [] }
    let names = others.prefix(5).map { printable(RecordPath($0.path.bytes).text) }.joined(separator: ", ")
    let more = others.count > 5 ? " and \(others.count - 5) more" : ""
    return [
      .info(
        "records", "other-files",
        "\(others.count) files of the tree are no records and have no rows: \(names)\(more); git keeps them")
    ]
  }

  private func diagnoses(of survey: Survey, hasRows: Bool) -> [Diagnosis] {
    var found: [Diagnosis] = []
    let errors = survey.git.findings.filter { $0.severity == .error }
    let warnings = survey.git.findings.count { $0.severity == .warning }
    if let first = errors.first {
      let line = first.line.map { ", line \($0)" } ?? ""
      found.append(
        Diagnosis(
          area: "records", code: "corrupt-files", severity: .warning,
          found: "\(errors.count) files are no records, such as \(printable(first.path.text))\(line): "
            + printable(first.message),
          cause: "they were cut off or edited; their bytes are kept", hint: "moha-sync verify lists them"))
    }
    if warnings > 0 {
      found.append(
        .info(
          "records", "suspect-files", "\(warnings) files may mean something else than they say",
          hint: "moha-sync verify"))
    }
    // Files that read as records and are none by their names, and logs with entries that nothing else holds.
    for stray in survey.git.findings where ["stray-record", "stray-log"].contains(stray.code) {
      found.append(
        Diagnosis(
          area: "records", code: stray.code, severity: .warning, found: "\(printable(stray.path.text)): \(printable(stray.message))",
          cause: "the layout of a tree says which files are records; others are committed and have no rows"))
    }
    found += otherFiles(survey)
    for drift in survey.git.counterDrift {
      found.append(
        Diagnosis(
          area: "records", code: "counter-drift", severity: .warning,
          found: "\(printable(drift.counter)) says \(drift.written), and there are \(drift.counted)",
          cause: "files came or went without their counter; reconcile corrects it", hint: "moha-sync reconcile"))
    }
    let count = RecordKind.allCases.reduce(0) { $0 + survey.git.count($1) }
    guard hasRows else {
      found.append(.ok("records", "records-read", "\(count) records were read, and compared with no rows"))
      return found
    }
    let rows = survey.counts.filter {
      $0.value > 0 && ![.corruptFile, .counterDrift, .unbacked, .schemaDrift].contains($0.key)
    }
    // Rows that only are not there yet: a checkpoint that is behind, and records without a row.
    let isBehind = rows.keys.allSatisfy { $0 == .missing || $0 == .checkpointDrift }
    if rows[.missing] != nil || !isBehind {
      let words = rows.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.code)" }
      let isEmpty = survey.isDatabaseEmpty
      found.append(
        Diagnosis(
          area: "records", code: isBehind ? "rows-behind" : "rows-differ", severity: .warning,
          found: isEmpty
            ? "the database is empty: none of \(count) records has a row"
            : "git and the rows differ: \(words.joined(separator: ", "))",
          cause: isEmpty
            ? "it is new, or was wiped; git holds every record"
            : isBehind ? "the database was away when they were written" : "rows or files were changed by hand",
          hint: isBehind ? "moha-sync sync" : "moha-sync reconcile --dry-run", remedy: isBehind ? .sync : nil,
          status: .differences))
    } else {
      found.append(.ok("records", "records-in-sync", "\(count) records and their rows were compared"))
    }
    return found
  }
}
