internal import TestSupport
internal import Testing

/// Which module may import which, read from the `import` lines.
///
/// The compiler refuses an import that no target declares, but not one that is reachable through another target.
@Suite struct LayeringTests {
  /// Modules of the system's libraries, which every target may import.
  private static let system: Set<String> = ["Glibc", "Musl", "Darwin", "Synchronization"]

  /// Every target with Swift sources, and what else it may import.
  private static let allowed: [String: Set<String>] = [
    "DedicatedThread": [],
    "Telemetry": [],
    "Records": ["Crypto", "FoundationEssentials", "Telemetry"],
    "SecretScan": ["Crypto"],
    "Git": ["CLibGit2", "DedicatedThread", "Telemetry"],
    "Postgres": ["CLibPQ", "DedicatedThread", "Telemetry"],
    "Redis": ["CHiredis", "DedicatedThread"],
    "Persistence": [
      "CMigrations", "Crypto", "DedicatedThread", "FoundationEssentials", "Git", "Postgres", "Records", "Redis",
      "SecretScan", "Telemetry",
    ],
    "EmbeddedServers": ["Crypto", "Subprocess", "SystemPackage"],
    "MCPServer": [
      "Crypto", "DedicatedThread", "FoundationEssentials", "HTTPTypes", "Hummingbird", "HummingbirdCore", "Logging",
      "NIOCore", "NIOHTTPTypes", "Persistence", "Records", "ServiceLifecycle", "Telemetry",
    ],
    "Pages": ["Crypto", "FoundationEssentials", "Persistence", "Records"],
    "moha-sync": [
      "ArgumentParser", "AsyncHTTPClient", "Configuration", "DedicatedThread", "EmbeddedServers",
      "FoundationEssentials", "Git", "Logging", "MCPServer", "NIOCore", "NIOHTTP1", "Pages", "Persistence",
      "Postgres", "Records", "Redis", "ServiceLifecycle", "Subprocess", "SystemPackage", "Telemetry", "UnixSignals",
    ],
  ]

  /// `file:line` and module of every import below a folder of the package.
  private func imports(below folder: String) throws -> [(place: String, target: String, module: String)] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let output = try ChildProcess.runChecked(
      "grep",
      [
        "-rnE", "--include=*.swift",
        #"^[[:space:]]*(#if .*)?(@[A-Za-z_]+(\([A-Za-z]+\))?[[:space:]]+)*((public|package|internal|fileprivate|private)[[:space:]]+)?import[[:space:]]"#,
        folder,
      ], workingDirectory: root)
    return try output.stdoutText.split(separator: "\n").map { line in
      let fields = line.split(separator: ":", maxSplits: 2)
      try #require(fields.count == 3)
      let words = fields[2].split(separator: " ")
      var after = try #require(words.firstIndex(of: "import")) + 1
      let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
      if after < words.count, kinds.contains(String(words[after])) { after += 1 }
      try #require(after < words.count)
      let module = words[after].prefix { $0 != "." }
      let components = fields[0].split(separator: "/")
      try #require(components.count >= 2)
      return ("\(fields[0]):\(fields[1])", String(components[1]), String(module))
    }
  }

  @Test("each target of Sources imports only what its layer may")
  func sources() throws {
    let imports = try imports(below: "Sources")
    #expect(imports.count > 100, "the search has found too little")
    for (place, target, module) in imports where !Self.system.contains(module) {
      #expect(Self.allowed[target]?.contains(module) == true, "\(place) imports \(module)")
    }
  }

  @Test("the table lists the targets that exist, and nothing that no longer is imported")
  func table() throws {
    var found: [String: Set<String>] = [:]
    for (_, target, module) in try imports(below: "Sources") { found[target, default: []].insert(module) }
    #expect(Set(found.keys) == Set(Self.allowed.keys))
    // FoundationEssentials may return to Records; every other entry is in use.
    for (target, modules) in Self.allowed {
      let unused = modules.subtracting(found[target] ?? []).subtracting(["FoundationEssentials"])
      #expect(unused.isEmpty, "\(target) no longer imports \(unused)")
    }
  }

  @Test("a C library is imported by its wrapper alone, and the support of tests by tests")
  func wrappers() throws {
    let owners = ["CLibGit2": "Git", "CLibPQ": "Postgres", "CHiredis": "Redis", "CMigrations": "Persistence"]
    for (place, target, module) in try imports(below: "Sources") + imports(below: "Tests") {
      if let owner = owners[module] { #expect(target == owner, "\(place) imports \(module)") }
    }
    for (place, _, module) in try imports(below: "Sources") {
      #expect(module != "TestSupport" && module != "Testing", "\(place) imports \(module)")
    }
  }
}
