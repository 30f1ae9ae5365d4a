import Records

/// A user's crontab as bytes, and the block of lines in it that belongs to one job.
struct Crontab: Sendable {
  let bytes: [UInt8]

  /// The crontab with the job's block in it: in the place of an older one, else at the end. No other byte changes, but
  /// that a last line without a line feed gets one.
  func installing(_ block: String, of job: CronJob) throws -> Crontab {
    let new = Array(block.utf8)
    if let range = try range(of: job) {
      return Crontab(bytes: bytes[..<range.lowerBound] + new + bytes[range.upperBound...])
    }
    let isEnded = bytes.last.map { $0 == 0x0A } ?? true
    return Crontab(bytes: bytes + (isEnded ? [] : [0x0A]) + new)
  }

  /// The crontab without the job's block.
  func removing(_ job: CronJob) throws -> Crontab {
    guard let range = try range(of: job) else { return self }
    return Crontab(bytes: Array(bytes[..<range.lowerBound] + bytes[range.upperBound...]))
  }

  /// From the begin of the first marking line to behind the last; nil where there is no block.
  private func range(of job: CronJob) throws -> Range<Int>? {
    var begin: Int?
    var found: Range<Int>?
    var position = 0
    while position < bytes.count {
      let end = bytes[position...].firstIndex(of: 0x0A) ?? bytes.count
      let line = bytes[position..<end]
      let next = min(end + 1, bytes.count)
      if line.elementsEqual(job.beginLine.utf8) {
        guard begin == nil, found == nil else { throw damaged(job, "its begin stands there twice") }
        begin = position
      } else if line.elementsEqual(job.endLine.utf8) {
        guard let start = begin else { throw damaged(job, "its end stands there without its begin") }
        found = start..<next
        begin = nil
      }
      position = next
    }
    if begin != nil { throw damaged(job, "its begin stands there without its end") }
    return found
  }

  private func damaged(_ job: CronJob, _ what: String) -> CommandFailure {
    CommandFailure(
      code: "crontab-damaged", message: "the crontab's block of \(job.root) is damaged: \(what). Nothing was changed",
      hint: "correct the lines around `\(job.beginLine)` with `crontab -e`", status: .failed)
  }
}

/// The program `crontab`.
struct CrontabProgram: Sendable {
  let environment: [String: String]

  /// The user's crontab; empty where there is none.
  func read() async throws -> Crontab {
    switch await run(["-l"], input: []) {
    case .ended(0, let output, _): return Crontab(bytes: output)
    case .ended(_, _, let errors):
      let text = String(decoding: errors, as: UTF8.self)
      if text.contains("no crontab for") { return Crontab(bytes: []) }
      throw failure("cannot be read", text)
    case .failed(let reason): throw missing(reason)
    case .late: throw failure("cannot be read", "it did not answer")
    }
  }

  func write(_ crontab: Crontab) async throws {
    switch await run(["-"], input: crontab.bytes) {
    case .ended(0, _, _): return
    case .ended(_, _, let errors): throw failure("was not accepted", String(decoding: errors, as: UTF8.self))
    case .failed(let reason): throw missing(reason)
    case .late: throw failure("was not accepted", "crontab did not end")
    }
  }

  private func run(_ arguments: [String], input: [UInt8]) async -> ChildCommand.Ending {
    var variables = environment
    variables["LC_ALL"] = "C"
    return await ChildCommand(program: "crontab", arguments: arguments, environment: variables, input: input)
      .run(limit: .seconds(20))
  }

  private func failure(_ what: String, _ reason: String) -> CommandFailure {
    CommandFailure(
      code: "crontab-failed", message: "the crontab \(what): \(printable(reason)). Nothing was changed",
      hint: "`moha-sync cron print` shows the lines; --systemd writes units instead", status: .failed)
  }

  private func missing(_ reason: String) -> CommandFailure {
    CommandFailure(
      code: "crontab-missing", message: "\(reason): nothing was changed",
      hint: "install cron (apt-get install cron), or use --systemd; `moha-sync cron print` shows the lines",
      status: .failed)
  }
}
