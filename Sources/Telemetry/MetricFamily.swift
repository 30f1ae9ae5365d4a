/// What all samples of one metric name have in common.
///
/// Names follow Prometheus's rules: base units, `_total` for counters, snake case. A family's labels and their values
/// are few and known beforehand; nothing that a client or a record says becomes a label.
package struct MetricFamily: Hashable, Sendable {
  package enum Kind: String, Sendable {
    /// Only grows while the process lives.
    case counter
    case gauge
    case histogram
  }

  package let name: String
  package let kind: Kind
  /// One sentence, without the final stop.
  package let help: String
  /// The names of the labels, in the order in which samples give their values.
  package let labels: [String]
  /// A histogram's upper bounds in ascending order, without infinity.
  package let buckets: [Double]

  init(_ name: String, _ kind: Kind, _ help: String, labels: [String] = [], buckets: [Double] = []) {
    self.name = name
    self.kind = kind
    self.help = help
    self.labels = labels
    self.buckets = buckets
  }
}
