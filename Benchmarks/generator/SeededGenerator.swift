/// Random numbers that a seed determines (SplitMix64).
///
/// The same on every machine and with every version of the standard library, whose own `random(in:using:)` promises
/// no such thing.
struct SeededGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// A number in `0..<bound`; the bias is below `bound` in 2⁶⁴.
  mutating func below(_ bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// An element of an array that is not empty.
  mutating func element<T>(of choices: [T]) -> T {
    choices[below(choices.count)]
  }
}
