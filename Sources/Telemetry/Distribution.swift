/// How many observations fell between the bounds of a histogram, and their sum.
package struct Distribution: Hashable, Sendable {
  private let bounds: [Double]
  /// For each bound, how many observations are at most it and above the one before it.
  package private(set) var counts: [UInt64]
  /// All observations, those above the last bound too.
  package private(set) var count: UInt64 = 0
  package private(set) var sum = 0.0

  package init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count)
  }

  package mutating func observe(_ value: Double) {
    // A dozen bounds: a search by halves would not be faster.
    if let index = bounds.firstIndex(where: { value <= $0 }) { counts[index] &+= 1 }
    count &+= 1
    sum += value
  }
}
