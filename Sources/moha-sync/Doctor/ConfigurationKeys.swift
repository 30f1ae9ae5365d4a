/// The keys of a YAML file as paths with dots, and the line of each: block mappings only, which is all that settings
/// are made of.
struct ConfigurationKeys: Sendable {
  struct Key: Hashable, Sendable {
    let path: String
    let line: Int
    /// Whether other keys are below it.
    var isGroup: Bool
  }

  private(set) var keys: [Key] = []

  init(_ text: String) {
    // The keys above the line, with the column of each.
    var above: [(column: Int, index: Int)] = []
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let content = line.drop { $0 == " " }
      guard let first = content.first, first != "#", first != "-", let name = ConfigurationKeys.name(content) else {
        continue
      }
      let column = line.count - content.count
      above.removeAll { $0.column >= column }
      var path = name
      if let parent = above.last {
        keys[parent.index].isGroup = true
        path = "\(keys[parent.index].path).\(name)"
      }
      above.append((column, keys.count))
      keys.append(Key(path: path, line: number + 1, isGroup: false))
    }
  }

  /// What is in front of the colon that ends a key; nil where the line has none.
  private static func name(_ line: Substring) -> String? {
    if let quote = line.first, quote == "\"" || quote == "'" {
      let rest = line.dropFirst()
      guard let end = rest.firstIndex(of: quote), rest[rest.index(after: end)...].first == ":" else { return nil }
      return String(rest[..<end])
    }
    var previous: Substring.Index?
    for index in line.indices where line[index] == ":" {
      let next = line.index(after: index)
      if next == line.endIndex || line[next] == " " {
        previous = index
        break
      }
    }
    guard let end = previous else { return nil }
    let name = line[..<end]
    return name.isEmpty || name.contains(" ") || name.contains("{") ? nil : String(name)
  }

  /// Those that are no setting, each with the known key that is nearest to it, if one is near.
  func unknown(_ known: [String]) -> [(key: Key, nearest: String?)] {
    keys.filter { key in
      !known.contains(key.path) && !(key.isGroup && known.contains { $0.hasPrefix(key.path + ".") })
    }.compactMap { key in
      // Of a group that is misspelt, its members say enough.
      if key.isGroup { return nil }
      let ranked = known.map { (name: $0, distance: ConfigurationKeys.distance(key.path, $0)) }
      let nearest = ranked.min { $0.distance < $1.distance }
      return (key, nearest.flatMap { $0.distance <= max(2, key.path.utf8.count / 3) ? $0.name : nil })
    }
  }

  /// How many letters are to be changed, added or taken away.
  static func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8.prefix(64)), Array(right.utf8.prefix(64)))
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (column, other) in right.enumerated() {
        let changed = diagonal + (byte == other ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(changed, row[column + 1] + 1, row[column] + 1)
      }
    }
    return row[right.count]
  }
}
