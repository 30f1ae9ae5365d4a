internal import Git
internal import Records
internal import Telemetry
internal import TestSupport
internal import Testing

@testable internal import Persistence

/// Twice as much of anything costs at most twice as much work, and a run that finds nothing new costs no more because
/// history is longer. Work is counted, not timed.
@Suite struct GrowthTests {
  @Test("rows that come from as many commits as there are rows are placed by one walk")
  func sourceCommits() async throws {
    try await expectGrowth(from: 60, constant: [.walks, .statements]) { size in
      let tree = try await GrowingTree(
        commits: (0..<size).map { index in
          let file = GrowingTree.decision(index)
          return [file.path: file.text]
        })
      try await tree.run()
      let commits = try tree.git.git("rev-list", "--reverse", "HEAD").split(separator: "\n")
      let pairs = commits.enumerated().map {
        "('\(GrowingTree.decision($0).path.dropFirst("decisions/".count))', '\\x\($1)'::bytea)"
      }
      try await tree.sql(
        """
        UPDATE maven_decisions SET source_commit = c.id FROM (VALUES \(pairs.joined(separator: ", "))) AS c (name, id)
        WHERE git_filename = c.name
        """)
      #expect(try await tree.value("SELECT count(DISTINCT source_commit) FROM maven_decisions") == "\(size)")
      return try await WorkCount.of { try await tree.verify() }.count
    }
  }

  @Test("rows of commits that git lacks, or that are ahead of HEAD, are placed by one walk, too")
  func newerCommits() async throws {
    try await expectGrowth(from: 60, constant: [.walks], except: [.treeBytes]) { size in
      let tree = try await GrowingTree(
        commits: (0..<size).map { index in
          let file = GrowingTree.decision(index)
          return [file.path: file.text]
        })
      try await tree.run()
      let commits = try tree.git.git("rev-list", "--reverse", "HEAD").split(separator: "\n")
      for (index, commit) in commits.enumerated() {
        let id = index % 2 == 0 ? String(commit) : String(commit.reversed())
        let name = GrowingTree.decision(index).path.dropFirst("decisions/".count)
        try await tree.sql("UPDATE maven_decisions SET source_commit = '\\x\(id)' WHERE git_filename = '\(name)'")
      }
      try tree.git.git("reset", "-q", "--hard", "HEAD~\(size / 2)")
      return try await WorkCount.of {
        let survey = try await Survey.of(
          try tree.repository(), agent: .default, database: Database(settings: tree.database.settings), .workTree)
        #expect(survey.plan.heldRemovals.count == size / 4)
      }.count
    }
  }

  private func appendedLog(_ size: Int) async throws -> GrowingTree {
    try await GrowingTree(commits: (1...size).map { ["session_log.md": GrowingTree.log(0..<$0)] })
  }

  @Test("a log of many versions: the first run reads each once and parses none that was only appended to")
  func logHistoryAtFirst() async throws {
    try await expectGrowth(from: 40, constant: [.walks, .statements]) { size in
      let tree = try await appendedLog(size)
      return try await WorkCount.of { try await tree.run() }.count
    }
  }

  @Test("a log of many versions: the next runs read none of those that an earlier one has read")
  func logHistoryLater() async throws {
    // Who changed the log last is asked of the graph of commits, each of which is read once.
    let constant: Set<WorkCount.Kind> = [.walks, .trees, .blobs, .headers, .statements]
    try await expectGrowth(from: 40, constant: constant) { size in
      let tree = try await appendedLog(size)
      try await tree.run()
      try tree.git.write("\(GrowingTree.root)/session_log.md", GrowingTree.log(0..<(size + 1)))
      try tree.git.commit("one more")
      return try await WorkCount.of {
        try await tree.run()
        try await tree.verify()
      }.count
    }
  }

  @Test("a log from which old entries are dropped with each new one is read and parsed once for each version")
  func windowLog() async throws {
    try await expectGrowth(from: 40, constant: [.walks, .statements]) { size in
      let tree = try await GrowingTree(
        commits: (1...size).map { ["session_log.md": GrowingTree.log(max(0, $0 - 5)..<$0)] })
      let work = try await WorkCount.of { try await tree.run() }.count
      #expect(try await tree.value("SELECT count(*) FROM maven_memory WHERE git_status = 'archived'") == "\(size - 5)")
      return work
    }
  }

  @Test("a log whose oldest line cannot be read costs no parse for each version that shares it")
  func doubtfulLog() async throws {
    try await expectGrowth(from: 40, constant: [.walks, .statements]) { size in
      let conflict = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n\n"
      let tree = try await GrowingTree(
        commits: (1...size).map { ["session_log.md": conflict + GrowingTree.log(0..<$0)] })
      return try await WorkCount.of { try await tree.run() }.count
    }
  }

  @Test("months that were rotated out are looked for in one walk, however many there are")
  func rotatedLogs() async throws {
    try await expectGrowth(from: 12, constant: [.walks, .statements], except: [.treeBytes]) { size in
      let tree = try await GrowingTree(
        commits: (0..<size).map { month in
          [
            "session_log/\(2020 + month / 12)-\(String(101 + month % 12).dropFirst()).md": GrowingTree.log(
              month * 5..<month * 5 + 5),
            "session_log.md": GrowingTree.log(month * 5 + 5..<month * 5 + 6),
          ]
        })
      return try await WorkCount.of { try await tree.run() }.count
    }
  }

  @Test("deleted files that rows stand for are found once, and not again by the next run")
  func deletedFiles() async throws {
    let constant: Set<WorkCount.Kind> = [.walks, .trees, .statements]
    try await expectGrowth(from: 30, constant: constant, slack: 20) { size in
      let kept = GrowingTree.decision(9_999)
      let tree = try await GrowingTree(
        commits: [[kept.path: kept.text]]
          + (0..<size).flatMap { index -> [[String: String?]] in
            let file = GrowingTree.decision(index)
            return [[file.path: file.text], [file.path: nil]]
          })
      try await tree.run(restoringDeletedFiles: true)
      #expect(try await tree.value("SELECT count(*) FROM maven_decisions WHERE git_status = 'archived'") == "\(size)")
      return try await WorkCount.of { try await tree.verify() }.count
    }
  }

  @Test("files: each is read and parsed once, and rows come and go in batches")
  func files() async throws {
    try await expectGrowth(from: 150, constant: [.walks, .commits, .statements]) { size in
      var files: [String: String?] = [:]
      for index in 0..<size {
        let file = GrowingTree.decision(index)
        files[file.path] = file.text
      }
      let tree = try await GrowingTree(commits: [files])
      return try await WorkCount.of {
        try await tree.run()
        try await tree.verify()
      }.count
    }
  }

  @Test("the list of changes reads each version of the log once")
  func history() async throws {
    try await expectGrowth(from: 30, constant: [.walks], slack: 12) { size in
      let tree = try await GrowingTree(
        commits: (1...size).map { ["session_log.md": GrowingTree.log(max(0, $0 - 3)..<$0)] })
      let middle = try tree.git.git("rev-parse", "HEAD~\(size / 2)")
      return try await WorkCount.of {
        let history = RecordHistory(repository: try tree.repository(), agent: .default)
        #expect(try await history.steps(from: middle, to: "HEAD", limit: .max).count == size / 2)
      }.count
    }
  }

  @Test("a run costs no more because many runs are kept, and takes out old ones by the batch")
  func runs() async throws {
    let constant: Set<WorkCount.Kind> = [.statements, .rowsReceived, .rowsCopied]
    for age in [1, 400] {
      try await expectGrowth(from: 1_500, constant: constant) { size in
        let file = GrowingTree.decision(1)
        let tree = try await GrowingTree(commits: [[file.path: file.text]])
        try await tree.run()
        try await tree.sql(
          """
          INSERT INTO maven_reconcile_runs
          SELECT gen_random_uuid(), r.agent, r.command, r.source_kind, sha256(n::text::bytea), r.tree_id,
            r.started_at - make_interval(days => \(age), secs => n), r.finished_at - make_interval(days => \(age), secs => n),
            r.differences, r.repaired, r.remaining, r.report
          FROM maven_reconcile_runs AS r, generate_series(1, \(size)) AS n
          """)
        let work = try await WorkCount.of { try await tree.run() }.count
        let left = try await tree.value("SELECT count(*) FROM maven_reconcile_runs")
        #expect(left == String(age == 1 ? size + 2 : size + 2 - 1_000))
        return work
      }
    }
  }

  @Test("rows without keys, as an older program wrote them, are read and adopted in batches")
  func unkeyedRows() async throws {
    try await expectGrowth(from: 100, constant: [.walks, .commits, .statements], slack: 20) { size in
      let tree = try await GrowingTree(commits: [["session_log.md": GrowingTree.log(0..<size)]])
      try await tree.run()
      try await tree.sql("UPDATE maven_memory SET event_key = NULL")
      return try await WorkCount.of {
        let survey = try await Survey.of(
          try tree.repository(), agent: .default, database: Database(settings: tree.database.settings), .workTree)
        #expect(survey.counts[.missing] == 0 && survey.counts[.stale] == size)
      }.count
    }
  }
}
