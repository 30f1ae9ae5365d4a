import Glibc

/// The program's own code in memory.
enum ProgramCode {
  /// Gives back the pages of code that are mapped now.
  ///
  /// Starting runs through code all over the program and its libraries, once, and the kernel maps 64 KiB around each
  /// place: some 10 MB that a server which then runs for months does not need. Pages that a process has mapped are the
  /// last to be reclaimed. Those that are needed again come back with a fault each, from the page cache as a rule.
  ///
  /// Code is mapped from files and never written, so nothing is lost with a page.
  static func release() {
    guard let file = fopen("/proc/self/maps", "re") else { return }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0, let text = line {
      // `start-end perms offset device inode path`
      let fields = String(cString: text).split(whereSeparator: \.isWhitespace)
      let range = fields.first?.split(separator: "-").compactMap { UInt($0, radix: 16) } ?? []
      guard fields.count == 6, fields[1] == "r-xp", fields[5].hasPrefix("/"), range.count == 2, range[0] < range[1],
        let start = UnsafeMutableRawPointer(bitPattern: range[0])
      else { continue }
      madvise(start, Int(range[1] - range[0]), MADV_DONTNEED)
    }
  }
}
