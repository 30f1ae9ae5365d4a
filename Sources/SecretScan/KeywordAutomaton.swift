/// Finds every occurrence of many keywords in one pass, whatever the case of ASCII letters (Aho–Corasick).
///
/// Two table look-ups a byte, no backtracking: the time is linear in the text and does not depend on its content.
struct KeywordAutomaton: Sendable {
  /// For each byte its column; bytes that are in no keyword share column 0.
  private let columns: [UInt8]
  private let width: Int
  /// For each state and column the next state, and `hit` where keywords end there.
  private let transitions: [UInt16]
  /// For each state the keywords that end there.
  private let outputs: [[Int]]

  private static let hit: UInt16 = 0x8000

  /// - Parameter keywords: lower-case ASCII, none empty, in all less than 32,768 bytes.
  init(_ keywords: [[UInt8]]) {
    precondition(keywords.reduce(1) { $0 + $1.count } < Int(Self.hit), "more states than a transition can name")
    var columns = [UInt8](repeating: 0, count: 256)
    var width = 1
    for byte in keywords.joined() where columns[Int(byte)] == 0 {
      columns[Int(byte)] = UInt8(width)
      width += 1
    }
    for byte in UInt8(ascii: "A")...UInt8(ascii: "Z") { columns[Int(byte)] = columns[Int(byte | 0x20)] }

    var next = [Int](repeating: -1, count: width)
    var outputs: [[Int]] = [[]]
    for (index, keyword) in keywords.enumerated() {
      var state = 0
      for byte in keyword {
        let slot = state * width + Int(columns[Int(byte)])
        if next[slot] < 0 {
          next[slot] = outputs.count
          outputs.append([])
          next.append(contentsOf: repeatElement(-1, count: width))
        }
        state = next[slot]
      }
      outputs[state].append(index)
    }

    // Breadth first, so that a state's fallback is complete before the state needs it.
    var fallback = [Int](repeating: 0, count: outputs.count)
    var queue: [Int] = []
    for column in 0..<width {
      if next[column] < 0 { next[column] = 0 } else { queue.append(next[column]) }
    }
    var head = 0
    while head < queue.count {
      let state = queue[head]
      head += 1
      outputs[state] += outputs[fallback[state]]
      for column in 0..<width {
        let slot = state * width + column
        let other = next[fallback[state] * width + column]
        if next[slot] < 0 {
          next[slot] = other
        } else {
          fallback[next[slot]] = other
          queue.append(next[slot])
        }
      }
    }
    self.columns = columns
    self.width = width
    self.transitions = next.map { UInt16($0) | (outputs[$0].isEmpty ? 0 : Self.hit) }
    self.outputs = outputs
  }

  /// Calls `found` with each keyword's index and the offset after its last byte, in the order of these offsets,
  /// until it returns false.
  ///
  /// - Parameter state: 0 at the beginning of a text; left as it must be passed on to go on with the next range.
  /// - Returns: whether the whole of `range` was read.
  func scan(
    _ text: ByteText, _ range: Range<Int>, state: inout Int, found: (_ keyword: Int, _ end: Int) -> Bool
  ) -> Bool {
    unsafe columns.withUnsafeBufferPointer { columns in
      unsafe transitions.withUnsafeBufferPointer { transitions in
        var current = state
        for offset in range.clamped(to: 0..<text.count) {
          // Every column is below `width` and every state below the number of rows, by construction.
          let next = unsafe transitions[current * width + Int(columns[Int(text[offset])])]
          current = Int(next & ~Self.hit)
          if next & Self.hit != 0 {
            for keyword in outputs[current] where !found(keyword, offset + 1) { return false }
          }
        }
        state = current
        return true
      }
    }
  }
}
