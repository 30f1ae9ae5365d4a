/// Joins two lists of moments into pairs, the nearest first.
enum NearestPairs {
  /// Returns pairs of positions of `left` and `right`. Each position is used at most once, and the moments of a pair are
  /// no further apart than `reach`. Of all pairs that are left the nearest is always taken next; of equally near ones the
  /// earliest. The lists need no order. Takes time O(n log n).
  ///
  /// The two moments that are nearest to each other have none between them, so only neighbours are ever looked at.
  static func of(_ left: [Int64], _ right: [Int64], reach: Int64) -> [(left: Int, right: Int)] {
    guard !left.isEmpty, !right.isEmpty else { return [] }
    var items = left.indices.map { Item(moment: left[$0], isLeft: true, position: $0) }
    items += right.indices.map { Item(moment: right[$0], isLeft: false, position: $0) }
    items.sort { ($0.moment, $0.isLeft ? 0 : 1, $0.position) < ($1.moment, $1.isLeft ? 0 : 1, $1.position) }
    var line = Line(items, reach: reach)
    for index in items.indices.dropLast() { line.consider(index) }
    var pairs: [(left: Int, right: Int)] = []
    while let (first, second) = line.takeNearest() {
      let (one, other) = (items[first], items[second])
      pairs.append(one.isLeft ? (one.position, other.position) : (other.position, one.position))
    }
    return pairs
  }

  private struct Item {
    let moment: Int64
    let isLeft: Bool
    let position: Int
  }

  /// The moments in order, those that are taken left out, and a heap of neighbours of different lists.
  private struct Line {
    private struct Candidate {
      let distance: Int64
      let first: Int
      let second: Int

      static func < (one: Candidate, other: Candidate) -> Bool {
        (one.distance, one.first) < (other.distance, other.first)
      }
    }

    private let items: [Item]
    private let reach: Int64
    private var previous: [Int]
    private var next: [Int]
    private var isTaken: [Bool]
    private var heap: [Candidate] = []

    init(_ items: [Item], reach: Int64) {
      (self.items, self.reach) = (items, reach)
      previous = items.indices.map { $0 - 1 }
      next = items.indices.map { $0 + 1 }
      isTaken = [Bool](repeating: false, count: items.count)
    }

    /// Remembers the item and the one after it, where they may be a pair.
    mutating func consider(_ first: Int) {
      let second = next[first]
      guard second < items.count, items[first].isLeft != items[second].isLeft else { return }
      let (distance, isTooFar) = items[second].moment.subtractingReportingOverflow(items[first].moment)
      guard !isTooFar, distance <= reach else { return }
      push(Candidate(distance: distance, first: first, second: second))
    }

    /// Takes the two nearest out of the line; nil where none are near enough.
    mutating func takeNearest() -> (Int, Int)? {
      while let candidate = pop() {
        let (first, second) = (candidate.first, candidate.second)
        guard !isTaken[first], !isTaken[second] else { continue }
        isTaken[first] = true
        isTaken[second] = true
        let (before, after) = (previous[first], next[second])
        if before >= 0 { next[before] = after }
        if after < items.count { previous[after] = before }
        if before >= 0 { consider(before) }
        return (first, second)
      }
      return nil
    }

    private mutating func push(_ candidate: Candidate) {
      heap.append(candidate)
      var index = heap.count - 1
      while index > 0, heap[index] < heap[(index - 1) / 2] {
        heap.swapAt(index, (index - 1) / 2)
        index = (index - 1) / 2
      }
    }

    private mutating func pop() -> Candidate? {
      guard let least = heap.first else { return nil }
      heap[0] = heap[heap.count - 1]
      heap.removeLast()
      var index = 0
      while true {
        var smallest = index
        for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child] < heap[smallest] {
          smallest = child
        }
        guard smallest != index else { return least }
        heap.swapAt(index, smallest)
        index = smallest
      }
    }
  }
}
