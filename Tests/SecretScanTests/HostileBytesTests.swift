import Glibc
import SecretScan
import Testing
import TestSupport

@Suite("Hostile bytes")
struct HostileBytesTests {
  private let scanner = SecretScanner()

  @Test("random bytes and broken keywords never trap", arguments: Array(UInt64(0)..<20))
  func random(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let fragments = [
      "eyJ", "://", ":", "@", "\\u00", "\\", "password=", "key", "-----BEGIN ", "PRIVATE KEY-----", "AKIA", "SG.", ".", "Q~",
      "machine ", "login ", "seed phrase: ", "bearer ", "basic ", "cookie: sid=", "0x", "\n", "\u{0}", "sig=", "binance",
      ":5432:", "SK", "secret", "'", "\"",
    ]
    var bytes: [UInt8] = seed % 4 == 0 ? [0xFF, 0xFE] : []
    while bytes.count < 20_000 {
      if random.below(2) == 0 {
        bytes += Array(random.pick(fragments).utf8)
      } else {
        bytes += (0..<random.below(12)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      }
    }
    for finding in scanner.scan(bytes) {
      #expect(finding.line >= 1 && finding.columns.lowerBound >= 1)
    }
    // Every length, so that each matcher meets the end of the text.
    for count in 0..<120 { _ = scanner.scan(Array(bytes.prefix(count))) }
  }

  @Test("a secret between bytes that are not UTF-8 is found")
  func notText() {
    let token = Array(("gh" + "p_" + "0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ").utf8)
    #expect(scanner.scan([0xFF, 0x00, 0xC3] + token + [0x80, 0x00]).map(\.rule) == [.githubToken])
  }

  @Test("nothing is found in nothing")
  func empty() {
    #expect(scanner.scan([]).isEmpty)
    #expect(scanner.scan(UnsafeRawBufferPointer(start: nil, count: 0)).isEmpty)
  }

  @Test("repeated keywords cost time in proportion to their number", arguments: [
    "password=", "eyJ", "sk-", "://a:", "key:", "\\u0065yJ", "binance", "-----BEGIN PRIVATE KEY-----", "a.aaaaaa", "1234567:",
  ])
  func linear(fragment: String) {
    // The processor's time of this thread: what else the machine does is not in it.
    func now() -> Int {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
    func time(_ count: Int) -> Int {
      let bytes = Array(String(repeating: fragment, count: count).utf8)
      return (0..<5).map { _ in
        let start = now()
        _ = scanner.scan(bytes)
        return now() - start
      }.min() ?? 0
    }
    let small = time(4_000 / fragment.utf8.count)
    let large = time(32_000 / fragment.utf8.count)
    // Eight times the bytes; a quadratic matcher would take sixty-four times as long.
    #expect(large < small * 30, "\(small) ns for 4 kB, \(large) for 32 kB")
  }
}
