/// Samples in Prometheus's text format, version 0.0.4, which node_exporter's text files have too.
///
/// The backends of swift-metrics that write this format are not to be had here, and it is small: this is ours.
/// Every family has its `HELP` and `TYPE` lines, also where it has no sample.
package struct Exposition: Sendable {
  /// The media type of the text over HTTP.
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private let families: [MetricFamily]
  private var samples: [String: String] = [:]

  package init(_ families: [MetricFamily]) {
    self.families = families
  }

  /// - Parameter labels: a value for each of the family's labels, in order; any text.
  package mutating func add(_ family: MetricFamily, _ labels: String..., value: Double) {
    add(family, labels, value: value)
  }

  package mutating func add(_ family: MetricFamily, _ labels: [String], value: Double) {
    line(family, family.name, labels, value)
  }

  package mutating func add(_ family: MetricFamily, _ labels: [String], _ distribution: Distribution) {
    var count: UInt64 = 0
    for (bound, number) in zip(family.buckets, distribution.counts) {
      count += number
      line(family, "\(family.name)_bucket", labels, Double(count), bound: Self.number(bound))
    }
    line(family, "\(family.name)_bucket", labels, Double(distribution.count), bound: "+Inf")
    line(family, "\(family.name)_sum", labels, distribution.sum)
    line(family, "\(family.name)_count", labels, Double(distribution.count))
  }

  private mutating func line(
    _ family: MetricFamily, _ name: String, _ labels: [String], _ value: Double, bound: String? = nil
  ) {
    precondition(labels.count == family.labels.count, "\(family.name) has the labels \(family.labels)")
    var pairs = zip(family.labels, labels).map { "\($0)=\"\(Self.escaped($1))\"" }
    if let bound { pairs.append("le=\"\(bound)\"") }
    let list = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
    samples[family.name, default: ""] += "\(name)\(list) \(Self.number(value))\n"
  }

  /// The whole text, families in the order given.
  package var text: String {
    families.map { family in
      "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.kind.rawValue)\n"
        + (samples[family.name] ?? "")
    }.joined()
  }

  /// A label's value: backslash, quote and line feed are escaped, and nothing else is.
  static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if value == value.rounded(), let whole = Int64(exactly: value) { return "\(whole)" }
    return "\(value)"
  }
}
