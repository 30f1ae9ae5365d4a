import Synchronization
import Testing

@testable import moha_sync

/// Answers that are kept: nobody waits for what is known, and nobody is told what is no longer true.
@Suite(.timeLimit(.minutes(5))) struct KeptAnswersTests {
  /// Answers with the number of times that it was asked, when it is let.
  private final class Source: Sendable {
    private struct State {
      var asked = 0
      var isHeld = false
      var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    var asked: Int { state.withLock { $0.asked } }

    func hold() { state.withLock { $0.isHeld = true } }

    func release() {
      let waiting = state.withLock { state in
        defer { state.waiting = [] }
        state.isHeld = false
        return state.waiting
      }
      for continuation in waiting { continuation.resume() }
    }

    func answer() async -> Int {
      let number = state.withLock { state in
        state.asked += 1
        return state.asked
      }
      await withCheckedContinuation { continuation in
        let isHeld = state.withLock { state in
          if state.isHeld { state.waiting.append(continuation) }
          return state.isHeld
        }
        if !isHeld { continuation.resume() }
      }
      return number
    }
  }

  private func kept(
    _ source: Source, freshness: Duration, isWorthKeeping: @escaping @Sendable (Int) -> Bool = { _ in true }
  )
    -> KeptAnswers<String, Int>
  {
    KeptAnswers(firstPatience: .milliseconds(200), freshness: freshness, isWorthKeeping: isWorthKeeping) { _ in
      await source.answer()
    }
  }

  @Test("an answer that is new is given again, and each question has its own")
  func fresh() async {
    let source = Source()
    let kept = kept(source, freshness: .seconds(600))
    #expect(await kept.answer("a") == 1)
    #expect(await kept.answer("a") == 1)
    #expect(await kept.answer("b") == 2)
    #expect(await kept.answer("a") == 1)
    #expect(source.asked == 2)
  }

  @Test("while a new one is being made the old one is given, and the question is asked once")
  func old() async throws {
    let source = Source()
    let kept = kept(source, freshness: .zero)
    #expect(await kept.answer("a") == 1)
    source.hold()
    // It counts as new for ten times as long as it took.
    while source.asked < 2 { #expect(await kept.answer("a") == 1) }
    for _ in 0..<3 { #expect(await kept.answer("a") == 1) }
    #expect(source.asked == 2)
    source.release()
    // Which of the next ones waits for the answer that was on its way depends on the machine.
    var last = 1
    for _ in 0..<100 where last < 2 { last = await kept.answer("a") ?? 0 }
    #expect(last >= 2)
  }

  @Test("the first one who asks waits for so long and no longer, and what was being made is there for the next")
  func first() async throws {
    let source = Source()
    source.hold()
    let kept = kept(source, freshness: .seconds(600))
    #expect(await kept.answer("a") == nil)
    source.release()
    var answer: Int?
    for _ in 0..<100 where answer == nil { answer = await kept.answer("a") }
    #expect(answer == 1 && source.asked == 1)
  }

  @Test("what may be another one by now is not kept, and takes the old one with it")
  func refused() async {
    let source = Source()
    let kept = kept(source, freshness: .zero) { $0 != 2 }
    #expect(await kept.answer("a") == 1)
    while source.asked < 2 { _ = await kept.answer("a") }
    // The second is on its way or refused, and once it is the first is gone too.
    source.hold()
    var answer: Int? = 1
    for _ in 0..<40 where answer != nil { answer = await kept.answer("a") }
    #expect(answer == nil)
    source.release()
  }
}
