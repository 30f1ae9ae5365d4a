import Persistence

/// What the overview adds up, kept for a while.
actor FigureCache {
  private let records: AgentRecords
  private let queries: RecordQueries
  private var kept: [Int?: (figures: Overview.Figures, time: ContinuousClock.Instant)] = [:]
  private var running: [Int?: Task<Overview.Figures, Never>] = [:]

  /// Until then an answer is used as it is; until the second limit too, while the next one is made.
  private static let freshness = Duration.seconds(5)
  private static let staleness = Duration.seconds(15)
  /// Spans of time that are remembered; anybody can ask for any number of days.
  private static let capacity = 16

  init(_ records: AgentRecords, _ queries: RecordQueries) {
    (self.records, self.queries) = (records, queries)
  }

  func figures(days: Int?) async -> Overview.Figures {
    if let (figures, time) = kept[days] {
      let age = ContinuousClock.now - time
      // What is missing may be there by now, so it is asked for again.
      if figures.isComplete, age < FigureCache.staleness {
        if age >= FigureCache.freshness { _ = refresh(days) }
        return figures
      }
    }
    return await refresh(days).value
  }

  private func refresh(_ days: Int?) -> Task<Overview.Figures, Never> {
    if let task = running[days] { return task }
    let task = Task {
      let figures = await records.figures(queries, days: days)
      finish(days, figures)
      return figures
    }
    running[days] = task
    return task
  }

  private func finish(_ days: Int?, _ figures: Overview.Figures) {
    running[days] = nil
    if kept.count >= FigureCache.capacity, kept[days] == nil { kept.removeAll() }
    kept[days] = (figures, .now)
  }
}
