/// The identity of an agent: a JSON object with counters in it.
package struct IdentityFile: Sendable {
  /// Nil where the file is not a JSON object; `diagnostics` then says why.
  package let document: JSONDocument?
  /// A warning `counter-invalid` for each counter that is there and counts nothing is among them.
  package let diagnostics: [Diagnostic]

  package static func parse(_ bytes: [UInt8], path: RecordPath) -> IdentityFile {
    var findings = FileFindings(path: path)
    let document = ObjectFile.read(bytes, &findings)
    for counter in Counter.allCases {
      guard case .invalid(let spelling) = counter.value(in: document?.value) else { continue }
      findings.warning(
        "counter-invalid", line: document?.line(of: counter.keys),
        "\(counter.name) is \(spelling), which is no whole number from 0 on")
    }
    return IdentityFile(document: document, diagnostics: findings.diagnostics)
  }

  /// A member that counts something.
  package enum Counter: CaseIterable, Sendable {
    case totalDecisions
    case rebirths
    /// The second counter of older files.
    case performanceDecisions

    /// From the root inwards.
    package var keys: [String] {
      switch self {
      case .totalDecisions: ["total_decisions"]
      case .rebirths: ["rebirth_count"]
      case .performanceDecisions: ["performance_tracking", "total_decisions"]
      }
    }

    /// The keys, joined by dots.
    package var name: String { keys.joined(separator: ".") }

    /// What the counter is in an identity, or in updates to one. Of equal keys the last counts.
    package func value(in identity: JSONValue?) -> CounterValue {
      guard let value = keys.reduce(identity, { $0?[JSONString($1)] }) else { return .absent }
      if let count = value.integer, count >= 0 { return .count(count) }
      let spelling = value.text(.compact)
      return .invalid(spelling.utf8.count > 40 ? "\(spelling.prefix(40))…" : spelling)
    }
  }

  /// What a counter says. One that is there and is no whole number from 0 on is not one that is absent.
  package enum CounterValue: Hashable, Sendable {
    case absent
    case count(Int)
    /// With the value as JSON, cut where it is long.
    case invalid(String)

    /// Nil where there is none to go by.
    package var count: Int? { if case .count(let count) = self { count } else { nil } }
  }

  package func value(of counter: Counter) -> CounterValue { counter.value(in: document?.value) }

  /// The counter `total_decisions`; nil where it is absent or invalid.
  package var totalDecisions: Int? { value(of: .totalDecisions).count }

  package var rebirthCount: Int? { value(of: .rebirths).count }

  /// Returns the file with its decision counters set; every byte outside the two numbers stays.
  ///
  /// `total_decisions` is added at the end where it is missing; the older counter is set only where it is there. A
  /// value that is no number is replaced.
  ///
  /// - Returns: nil where the file is not a JSON object.
  package func edited(totalDecisions: Int) -> [UInt8]? {
    guard var document else { return nil }
    do {
      document = try document.setting(Counter.totalDecisions.keys, to: .integer(totalDecisions))
      if value(of: .performanceDecisions) != .absent {
        document = try document.setting(Counter.performanceDecisions.keys, to: .integer(totalDecisions))
      }
      return document.bytes
    } catch {
      return nil
    }
  }
}
