/// Secrets in the path of a file, which a tree keeps as it keeps the content.
///
/// A name is read in five ways, byte for byte at the same places: its parts as lines, without their extension; the same
/// where a token ends at a separator, since `_`, `-` and `.` stand between words and inside tokens; with `=` for `_`, as in
/// `api_secret_…`, for values that look random; in lower case with one separator for all, as titles become names; and as
/// `name:password@host`, what is left of a URL whose slashes made folders.
struct NameScan {
  private var scan: TextScan

  /// The findings in a path, of which each says where it is in the path.
  static func findings(_ path: [UInt8], allowing allowList: SecretAllowList) -> [SecretFinding] {
    var scan = NameScan(scan: TextScan(FindingCollector(allowing: allowList, limit: SecretScanner.findingLimit)))
    scan.run(path)
    return unsafe path.withUnsafeBytes { unsafe scan.scan.collector.findings(in: ByteText($0)) }
  }

  private mutating func run(_ path: [UInt8]) {
    let parts = Self.parts(path)
    unsafe parts.withUnsafeBytes { bytes in
      let text = unsafe ByteText(bytes)
      scan.run(text)
      for colon in parts.indices where parts[colon] == UInt8(ascii: ":") {
        guard let found = ConnectionStringMatcher.userInformation(text, colon: colon) else { continue }
        _ = scan.collector.add(found, at: found.range)
      }
    }
    // Most names have no piece that could be a token, or a part of one.
    guard Self.holdsTokenLike(parts) else { return }
    let separators = parts.indices.filter { Self.isSeparator(parts[$0]) }
    unsafe separators.withUnsafeBufferPointer { joints in
      unsafe parts.withUnsafeBytes { bytes in
        scan.runKeywords(unsafe ByteText(bytes, joints: joints)) { _ in true }
      }
    }
    let assignments = parts.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "=") : $0 }
    unsafe assignments.withUnsafeBytes { bytes in
      scan.runKeywords(unsafe ByteText(bytes)) { candidate in
        Self.randomRules.contains(candidate.rule) && !candidate.value.contains(UInt8(ascii: "="))
      }
    }
    runSlugs(parts)
  }

  /// The rules whose values look random, which the words of a name do not.
  private static let randomRules: Set<SecretRule> = [
    .assignedSecret, .exchangeKey, .hexPrivateKey, .awsSecretAccessKey,
  ]

  /// The path with a line end for each slash and for the dot before an extension.
  private static func parts(_ path: [UInt8]) -> [UInt8] {
    var parts = path
    var end = path.count
    while true {
      let start = path[..<end].lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
      if let dot = path[start..<end].lastIndex(of: UInt8(ascii: ".")), dot > start, (2...6).contains(end - dot),
        path[(dot + 1)..<end].allSatisfy(\.isLetter)
      {
        parts[dot] = 0x0A
      }
      guard start > 0 else { return parts }
      parts[start - 1] = 0x0A
      end = start - 1
    }
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == 0x20
  }

  /// Is there a run of ten letters and digits that has both?
  private static func holdsTokenLike(_ name: [UInt8]) -> Bool {
    name.split { !$0.isAlphanumeric }.contains { run in
      run.count >= 10 && run.contains(where: \.isDigit) && run.contains(where: \.isLetter)
    }
  }

  /// Tokens that were made a part of a name: in lower case, with other separators than their own.
  private mutating func runSlugs(_ parts: [UInt8]) {
    let name = parts.map { Self.slug($0) }
    for (form, anchor) in Self.anchors where name.count >= anchor.count + 10 {
      for start in 0...(name.count - anchor.count - 10) where name[start..<(start + anchor.count)].elementsEqual(anchor) {
        if start > 0, name[start - 1].isAlphanumeric { continue }
        let tail = name[(start + anchor.count)...].prefix { $0.isAlphanumeric || $0 == UInt8(ascii: "_") }
        let value = Array(tail.prefix(while: \.isAlphanumeric))
        let length = form.shortestTail
        guard value.count >= min(length, 12), TokenForm.looksRandom(value) else { continue }
        let range = start..<(start + anchor.count + value.count)
        if !scan.collector.add(Candidate(form.rule, range, value: Array(parts[range]), precedence: 5), at: range) { return }
      }
    }
  }

  private static func slug(_ byte: UInt8) -> UInt8 {
    byte.isAlphanumeric || byte == 0x0A ? byte.folded : UInt8(ascii: "_")
  }

  /// The distinctive forms by what becomes of their beginnings.
  private static let anchors: [(form: TokenForm, anchor: [UInt8])] = TokenForm.all.filter(\.isDistinctive).compactMap {
    form in
    guard form.lead.isEmpty, form.anchor.utf8CodeUnitCount >= 4 else { return nil }
    return (form, form.anchor.withUTF8Buffer { unsafe $0.map(slug) })
  }
}

extension TokenForm {
  /// The fewest bytes after the anchor.
  fileprivate var shortestTail: Int {
    tail.reduce(0) { sum, part in
      switch part {
      case .literal(let literal): sum + literal.utf8CodeUnitCount
      case .uuid: sum + 36
      case .run(_, let length): sum + length.minimum
      }
    }
  }
}
