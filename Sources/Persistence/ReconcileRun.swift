/// The identity of one run, as it stands in reports, quarantine rows and the run history.
package struct ReconcileRun: Hashable, Sendable {
  /// A random UUID (version 4) in its usual text form.
  package let id: String
  /// The command that made the run: `sync`, `reconcile`, `adopt`.
  package let command: String

  package init(command: String) {
    self.command = command
    var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
    bytes[6] = bytes[6] & 0x0f | 0x40
    bytes[8] = bytes[8] & 0x3f | 0x80
    let digits = Array(hex(bytes))
    let groups = [digits[0..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20..<32]]
    id = groups.map { String($0) }.joined(separator: "-")
  }
}
