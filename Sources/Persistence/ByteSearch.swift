internal import Glibc

extension [UInt8] {
  /// The offset of the first place that holds `part`; 0 for no bytes at all, nil where there is none.
  ///
  /// The places of the first byte are found by the C library, so that a log of many megabytes costs no more than reading it.
  func firstOffset(of part: [UInt8]) -> Int? {
    guard let first = part.first else { return 0 }
    return withUnsafeBytes { bytes in
      part.withUnsafeBytes { part in
        guard let start = bytes.baseAddress, let wanted = part.baseAddress, bytes.count >= part.count else { return nil }
        var offset = 0
        let last = bytes.count - part.count
        while offset <= last, let hit = memchr(start + offset, Int32(first), last - offset + 1) {
          offset = UnsafeRawPointer(hit) - start
          if memcmp(start + offset, wanted, part.count) == 0 { return offset }
          offset += 1
        }
        return nil
      }
    }
  }
}
