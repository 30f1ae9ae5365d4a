/// A decision that an agent took, with its reasons.
///
/// The fields are normalised when it is made: see `RecordText`. A risk level that is low, medium, high or critical in
/// any case is lower case here; the file keeps its spelling.
package struct Decision: Sendable, Equatable {
  package let decisionType: String
  /// One asset or several (`BTC,ETH,SOL`); nil where the decision is about none.
  package let asset: String?
  package let riskLevel: String
  /// Percent by convention; kept as written, even where a fraction seems meant.
  package let confidence: ExactDecimal
  package let decidedAt: Instant
  package let action: String
  package let reasoning: String
  package let outcome: String?
  package let metadata: JSONValue

  package init(
    decisionType: String, asset: String? = nil, riskLevel: String, confidence: ExactDecimal, decidedAt: Instant,
    action: String, reasoning: String, outcome: String? = nil, metadata: JSONValue = .emptyObject
  ) {
    self.decisionType = RecordText.line(decisionType)
    self.asset = RecordText.optionalLine(asset)
    self.riskLevel = Self.canonicalRiskLevel(RecordText.line(riskLevel))
    self.confidence = confidence
    self.decidedAt = decidedAt
    self.action = RecordText.body(action)
    self.reasoning = RecordText.body(reasoning)
    self.outcome = RecordText.optionalBody(outcome)
    self.metadata = metadata
  }

  /// The risk levels that the database's queries know.
  package static let riskLevels = ["low", "medium", "high", "critical"]

  /// Returns `level` in lower case where that is one of `riskLevels`, and unchanged otherwise.
  package static func canonicalRiskLevel(_ level: String) -> String {
    switch level {
    case "low", "medium", "high", "critical": return level
    case _ where level.utf8.count > 8: return level
    default: break
    }
    let lower = String(decoding: level.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    return riskLevels.contains(lower) ? lower : level
  }

  /// Equality of the bytes of every text; `confidence` compares by value, `metadata` as written.
  package static func == (left: Decision, right: Decision) -> Bool {
    left.decisionType.isIdentical(toBytesOf: right.decisionType) && left.asset.isIdentical(toBytesOf: right.asset)
      && left.riskLevel.isIdentical(toBytesOf: right.riskLevel) && left.confidence == right.confidence
      && left.decidedAt == right.decidedAt && left.action.isIdentical(toBytesOf: right.action)
      && left.reasoning.isIdentical(toBytesOf: right.reasoning) && left.outcome.isIdentical(toBytesOf: right.outcome)
      && left.metadata == right.metadata
  }
}
