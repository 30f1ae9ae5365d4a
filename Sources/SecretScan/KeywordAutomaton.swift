/// Finds every occurrence of many keywords in one pass, whatever the case of ASCII letters (Aho–Corasick).
///
/// Two table look-ups a byte, no backtracking: the time is linear in the text and does not depend on its content. Each
/// look-up waits for the one before, so that long texts are read at four places in turn.
struct KeywordAutomaton: Sendable {
  /// For each byte its column; bytes that are in no keyword share column 0.
  private let columns: [UInt8]
  /// For each state and column the next state. A row has a power of two of columns.
  private let transitions: [UInt16]
  private let rowBits: Int
  /// The states from here on are those in which keywords end, in the order of `outputs`.
  private let firstHit: UInt16
  /// For each state in which keywords end these, the longest first.
  private let outputs: [[Int]]
  /// What has to be read before a place to know the state there.
  private let longest: Int

  /// - Parameter keywords: lower-case ASCII, none empty, in all less than 65,536 bytes.
  init(_ keywords: [[UInt8]]) {
    precondition(keywords.reduce(1) { $0 + $1.count } <= Int(UInt16.max), "more states than a transition can name")
    var columns = [UInt8](repeating: 0, count: 256)
    var width = 1
    for byte in keywords.joined() where columns[Int(byte)] == 0 {
      columns[Int(byte)] = UInt8(width)
      width += 1
    }
    for byte in UInt8(ascii: "A")...UInt8(ascii: "Z") { columns[Int(byte)] = columns[Int(byte | 0x20)] }
    var rowBits = 0
    while 1 << rowBits < width { rowBits += 1 }
    width = 1 << rowBits

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
    // Numbered anew: one comparison then tells whether keywords end in a state.
    let order = outputs.indices.filter { outputs[$0].isEmpty } + outputs.indices.filter { !outputs[$0].isEmpty }
    var numbers = [UInt16](repeating: 0, count: order.count)
    for (number, state) in order.enumerated() { numbers[state] = UInt16(number) }
    self.columns = columns
    self.rowBits = rowBits
    self.longest = keywords.reduce(0) { max($0, $1.count) }
    self.transitions = order.flatMap { state in (0..<width).map { numbers[next[state * width + $0]] } }
    self.firstHit = UInt16(outputs.count { $0.isEmpty })
    self.outputs = order.map { outputs[$0] }.filter { !$0.isEmpty }
  }

  /// Calls `found` with each keyword's index and the offset after its last byte, in the order of these offsets,
  /// until it returns false.
  ///
  /// - Parameter state: 0 at the beginning of a text; left as it must be passed on to go on with the next range.
  /// - Returns: whether the whole of `range` was read.
  func scan(
    _ text: ByteText, _ range: Range<Int>, state: inout Int, found: (_ keyword: Int, _ end: Int) -> Bool
  ) -> Bool {
    let range = range.clamped(to: 0..<text.count)
    var lanes = [Lane(range.lowerBound, range.upperBound, UInt16(truncatingIfNeeded: state))]
    if range.count > 8 * longest + 256 {
      let length = range.count / 4
      lanes = (0..<4).map { number in
        let start = range.lowerBound + number * length
        let end = number == 3 ? range.upperBound : start + length
        let first = number == 0 ? UInt16(truncatingIfNeeded: state) : self.state(of: text, before: start)
        return Lane(start, end, first)
      }
    }
    unsafe columns.withUnsafeBufferPointer { columns in
      unsafe transitions.withUnsafeBufferPointer { transitions in
        guard let columns = columns.baseAddress, let transitions = transitions.baseAddress else { return }
        unsafe read(text, &lanes, columns, transitions)
      }
    }
    for lane in lanes {
      for hit in lane.hits {
        for keyword in outputs[hit.output] where !found(keyword, hit.end) { return false }
      }
    }
    state = Int(lanes.last?.state ?? 0)
    return true
  }

  /// One of the places at which a text is read.
  private struct Lane {
    var offset: Int
    let end: Int
    var state: UInt16
    var hits: [(output: Int, end: Int)] = []

    init(_ start: Int, _ end: Int, _ state: UInt16) {
      (offset, self.end, self.state) = (start, end, state)
    }
  }

  /// The state after what stands before `start`.
  private func state(of text: ByteText, before start: Int) -> UInt16 {
    var state: UInt16 = 0
    for offset in (start - longest)..<start {
      state = transitions[Int(state) << rowBits | Int(columns[Int(text[offset])])]
    }
    return state
  }

  /// Reads every lane to its end. Every column is below the width of a row and every state below the number of rows, by
  /// construction.
  private func read(
    _ text: ByteText, _ lanes: inout [Lane], _ columns: UnsafePointer<UInt8>, _ transitions: UnsafePointer<UInt16>
  ) {
    if lanes.count == 4 {
      let length = lanes[0].end - lanes[0].offset
      let (first, second, third, fourth) = (lanes[0].offset, lanes[1].offset, lanes[2].offset, lanes[3].offset)
      var (one, two, three, four) = (lanes[0].state, lanes[1].state, lanes[2].state, lanes[3].state)
      for index in 0..<length {
        one = unsafe transitions[Int(one) << rowBits | Int(columns[Int(text.inside(first + index))])]
        two = unsafe transitions[Int(two) << rowBits | Int(columns[Int(text.inside(second + index))])]
        three = unsafe transitions[Int(three) << rowBits | Int(columns[Int(text.inside(third + index))])]
        four = unsafe transitions[Int(four) << rowBits | Int(columns[Int(text.inside(fourth + index))])]
        guard max(max(one, two), max(three, four)) >= firstHit else { continue }
        if one >= firstHit { lanes[0].hits.append((Int(one - firstHit), first + index + 1)) }
        if two >= firstHit { lanes[1].hits.append((Int(two - firstHit), second + index + 1)) }
        if three >= firstHit { lanes[2].hits.append((Int(three - firstHit), third + index + 1)) }
        if four >= firstHit { lanes[3].hits.append((Int(four - firstHit), fourth + index + 1)) }
      }
      for (number, state) in [one, two, three, four].enumerated() {
        lanes[number].state = state
        lanes[number].offset += length
      }
    }
    // What a division by four has left, or all of a short text.
    for number in lanes.indices {
      var state = lanes[number].state
      for offset in lanes[number].offset..<lanes[number].end {
        state = unsafe transitions[Int(state) << rowBits | Int(columns[Int(text[offset])])]
        if state >= firstHit { lanes[number].hits.append((Int(state - firstHit), offset + 1)) }
      }
      lanes[number].state = state
    }
  }
}
