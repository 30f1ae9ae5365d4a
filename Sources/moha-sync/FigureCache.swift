import Persistence

/// What the overview adds up, kept for those who come next.
///
/// Adding up a hundred thousand decisions and their trades takes the database a third of a second. Nobody waits for that:
/// who comes later than `freshness` waits a moment for new figures, and then gets the old ones, which say of what time
/// they are, while the new ones are made for the next reader.
actor FigureCache {
  private let records: AgentRecords
  private let queries: RecordQueries
  private var kept: [Int?: (figures: Overview.Figures, time: ContinuousClock.Instant)] = [:]
  private var running: [Int?: Task<Overview.Figures, Never>] = [:]

  /// Until then figures are used as they are.
  private static let freshness = Duration.seconds(5)
  /// How long to wait for new ones where there are old ones. A database that is away says so sooner.
  private static let patience = Duration.milliseconds(50)
  /// Spans of time that are remembered; anybody can ask for any number of days.
  private static let capacity = 16

  init(_ records: AgentRecords, _ queries: RecordQueries) {
    (self.records, self.queries) = (records, queries)
  }

  func figures(days: Int?) async -> Overview.Figures {
    // What is missing may be there by now, so it is asked for again.
    guard let (figures, time) = kept[days], figures.isComplete else { return await refresh(days).value }
    if ContinuousClock.now - time < FigureCache.freshness { return figures }
    let next = refresh(days)
    if case .returned(let new) = await Deadline.run(FigureCache.patience, grace: .zero, { await next.value }) {
      return new
    }
    return figures
  }

  /// Has figures ready for the first reader.
  func prepare() { _ = refresh(nil) }

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
