/// Who did something, and when.
package struct Signature: Hashable, Sendable {
  /// As recorded, read as UTF-8.
  package let name: String
  package let email: String
  /// Seconds since 1970-01-01T00:00:00Z; negative before.
  package let time: Int64
  /// The writer's offset from UTC in minutes, positive east of Greenwich.
  package let offsetMinutes: Int

  package init(name: String, email: String, time: Int64, offsetMinutes: Int) {
    self.name = name
    self.email = email
    self.time = time
    self.offsetMinutes = offsetMinutes
  }
}
