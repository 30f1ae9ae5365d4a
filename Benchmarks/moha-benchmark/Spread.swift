/// The middle and the ends of some measurements.
struct Spread {
  let median: Double
  let least: Double
  let most: Double

  /// `values` must not be empty.
  init(_ values: [Double]) {
    precondition(!values.isEmpty, "a spread needs a value")
    let sorted = values.sorted()
    median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    least = sorted[0]
    most = sorted[sorted.count - 1]
  }
}
