import Persistence

/// Answers that take the database a while, kept for those who ask next.
///
/// Adding up a hundred thousand decisions and their trades takes a third of a second, and a million some seconds. Nobody
/// waits for that twice: who comes when an answer has become old waits a moment for the new one, and then gets the old
/// one, which says of what time it is, while the new one is made for the next. An answer counts as new for ten times as
/// long as it took, so that making them anew takes a tenth of the database's time at most.
actor KeptAnswers<Question: Hashable & Sendable, Answer: Sendable> {
  private struct Kept {
    let answer: Answer
    let made: ContinuousClock.Instant
    /// Until when it is given without making another.
    let fresh: ContinuousClock.Instant
  }

  private let make: @Sendable (Question) async -> Answer
  private let isWorthKeeping: @Sendable (Answer) -> Bool
  private var kept: [Question: Kept] = [:]
  private var running: [Question: Task<Answer, Never>] = [:]

  private let freshness: Duration
  /// How long to wait for a new answer where there is an old one.
  private let patience = Duration.milliseconds(50)
  /// One that is older than this is worth as little as none.
  private let age = Duration.seconds(600)
  /// How long to wait where there is none, or a very old one.
  private let firstPatience: Duration
  /// Questions that are remembered; anybody can ask for any number of days.
  private let capacity = 16

  /// - Parameters:
  ///   - firstPatience: how long somebody waits for the first answer to a question.
  ///   - freshness: how long an answer that took no time counts as new.
  ///   - isWorthKeeping: false for an answer that may be another one by now, such as that the database is away.
  ///   - make: finds an answer. Bounded in time by itself.
  init(
    firstPatience: Duration, freshness: Duration = .seconds(5),
    isWorthKeeping: @escaping @Sendable (Answer) -> Bool,
    make: @escaping @Sendable (Question) async -> Answer
  ) {
    (self.firstPatience, self.freshness, self.isWorthKeeping) = (firstPatience, freshness, isWorthKeeping)
    self.make = make
  }

  /// The answer; nil where there is none yet and it takes longer than somebody waits. It is then made all the same.
  func answer(_ question: Question) async -> Answer? {
    let old = kept[question]
    if let old, ContinuousClock.now < old.fresh { return old.answer }
    let next = refresh(question)
    let isRecent = old.map { ContinuousClock.now - $0.made < age } ?? false
    return await Persistence.answer(within: isRecent ? patience : firstPatience, orElse: old?.answer) {
      await next.value
    }
  }

  private func refresh(_ question: Question) -> Task<Answer, Never> {
    if let task = running[question] { return task }
    let task = Task {
      let start = ContinuousClock.now
      let answer = await make(question)
      finish(question, answer, took: ContinuousClock.now - start)
      return answer
    }
    running[question] = task
    return task
  }

  private func finish(_ question: Question, _ answer: Answer, took: Duration) {
    running[question] = nil
    guard isWorthKeeping(answer) else {
      kept[question] = nil
      return
    }
    if kept.count >= capacity, kept[question] == nil { kept.removeAll() }
    kept[question] = Kept(answer: answer, made: .now, fresh: .now + max(freshness, took * 10))
  }
}
