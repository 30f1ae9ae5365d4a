/// SHA-1 of bytes without git's object header: the checksum that ends an index. The library offers no such function.
struct SHA1 {
  private var state: (UInt32, UInt32, UInt32, UInt32, UInt32) = (
    0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0
  )

  /// The 20 bytes of the digest.
  static func hash(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var hash = SHA1()
    let blockSize = 64
    let whole = bytes.count / blockSize * blockSize
    unsafe bytes.withUnsafeBytes { buffer in
      for offset in stride(from: 0, to: whole, by: blockSize) {
        unsafe hash.absorb(UnsafeRawBufferPointer(rebasing: buffer[offset..<(offset + blockSize)]))
      }
    }
    // A one bit, zeros, and the length in bits, big-endian.
    var tail = Array(bytes.dropFirst(whole))
    tail.append(0x80)
    while tail.count % blockSize != 56 { tail.append(0) }
    let bitCount = UInt64(bytes.count) &* 8
    for shift in stride(from: 56, through: 0, by: -8) { tail.append(UInt8(truncatingIfNeeded: bitCount >> shift)) }
    unsafe tail.withUnsafeBytes { buffer in
      for offset in stride(from: 0, to: buffer.count, by: blockSize) {
        unsafe hash.absorb(UnsafeRawBufferPointer(rebasing: buffer[offset..<(offset + blockSize)]))
      }
    }
    let words = [hash.state.0, hash.state.1, hash.state.2, hash.state.3, hash.state.4]
    return words.flatMap { word in
      stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
    }
  }

  /// `block` has 64 bytes.
  private mutating func absorb(_ block: UnsafeRawBufferPointer) {
    var (a, b, c, d, e) = state
    unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { words in
      for index in 0..<16 {
        unsafe words[index] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
      }
      for index in 16..<80 {
        let mixed = unsafe words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
        unsafe words[index] = mixed << 1 | mixed >> 31
      }
      func step(_ mixed: UInt32, _ constant: UInt32, _ word: UInt32) {
        let next = (a << 5 | a >> 27) &+ mixed &+ e &+ constant &+ word
        e = d
        d = c
        c = b << 30 | b >> 2
        b = a
        a = next
      }
      for index in 0..<20 { unsafe step(b & c | ~b & d, 0x5a82_7999, words[index]) }
      for index in 20..<40 { unsafe step(b ^ c ^ d, 0x6ed9_eba1, words[index]) }
      for index in 40..<60 { unsafe step(b & c | b & d | c & d, 0x8f1b_bcdc, words[index]) }
      for index in 60..<80 { unsafe step(b ^ c ^ d, 0xca62_c1d6, words[index]) }
    }
    state = (state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d, state.4 &+ e)
  }
}
