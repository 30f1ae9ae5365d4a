package import Records

/// The files of decisions or of milestones, newest first.
package struct RecordListing: Sendable {
  /// By the date in their names, newest first; those without one last, and equal ones by name.
  package let paths: [RecordPath]
  /// Every folder that was looked into, with its stamp: while these hold, no file has come or gone.
  package let folders: [RecordPath]
  package let stamps: [FileStamp?]

  /// Whether the folder itself is there.
  package let exists: Bool

  /// The position after `name`, where a walk that gave it goes on, whether the file still exists or not.
  package func position(after name: [UInt8]) -> Int {
    let mark = RecordListing.order(name)
    // Sorted, so that the walk neither repeats nor loses a file while others come and go.
    var low = 0
    var high = paths.count
    while low < high {
      let middle = (low + high) / 2
      if RecordListing.isNewer(mark, RecordListing.order(paths[middle].fileName)) {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }

  typealias Order = (date: Int64, name: [UInt8])

  static func isNewer(_ left: Order, _ right: Order) -> Bool {
    left.date == right.date ? right.name.lexicographicallyPrecedes(left.name) : left.date > right.date
  }

  static func order(_ name: [UInt8]) -> Order { (date(in: name), name) }

  /// The date and time in a name as the number YYYYMMDDHHMMSS; 0 where there is none.
  ///
  /// `decision_20260113_035613.md`, `milestone_20260113_040520_title.md`, `2026-01-11-met-boss.md`.
  private static func date(in name: [UInt8]) -> Int64 {
    guard var position = name.firstIndex(where: isDigit) else { return 0 }
    func digits(_ count: Int, at start: Int) -> Int64? {
      guard start + count <= name.count else { return nil }
      var value: Int64 = 0
      for byte in name[start..<start + count] {
        guard isDigit(byte) else { return nil }
        value = value * 10 + Int64(byte & 15)
      }
      return value
    }
    var date: Int64 = 0
    for (index, count) in [4, 2, 2].enumerated() {
      if index > 0, position < name.count, name[position] == UInt8(ascii: "-") { position += 1 }
      guard let part = digits(count, at: position) else { return 0 }
      date = (index == 0 ? 0 : date * 100) + part
      position += count
    }
    var time: Int64 = 0
    if position < name.count, name[position] == UInt8(ascii: "_"), let part = digits(6, at: position + 1) {
      time = part
    }
    return date * 1_000_000 + time
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

/// What a list says of a decision or a milestone.
package struct RecordHeader: Sendable {
  package let title: String
  package let time: Instant?
  /// A decision's type, or a milestone's category.
  package let category: String?
  /// Why the file is no record; nil where it is one.
  package let problem: String?
}
