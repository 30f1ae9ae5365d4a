// swift-tools-version: 6.3

import PackageDescription

/// Every target: language mode 6, explicit existentials, explicit and internal imports, and no warnings.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

/// The targets that touch C handles, threads or raw memory mark each unsafe expression.
let strictSettings = settings + [.strictMemorySafety()]

/// How the released program is linked: with the Swift libraries in it, and without what only other programs would need.
///
/// Measured on `moha-sync mcp` after its first answers: resident 40.7 MB with the shared libraries of the toolchain,
/// 39.9 MB with the static ones, 31.1 MB so, and the first answer after 24 ms rather than 31. The tables of dynamic symbols
/// and of relocations, which the loader reads in full, are most of the difference; RELR needs glibc 2.36, as in Debian 12.
/// `Foundation` is there for the sake of Yams; its static library names the libraries it needs only to programs that
/// are compiled for it, so they are named here.
let releaseLinking: [LinkerSetting] = [
  .unsafeFlags(
    ["-use-ld=lld", "-static-stdlib", "-lCoreFoundation", "-l_FoundationICU", "-l_FoundationCShims"]
      + ["-l_FoundationCollections"]
      + ["-z", "pack-relative-relocs", "--gc-sections", "--no-export-dynamic"].flatMap { ["-Xlinker", $0] },
    .when(configuration: .release))
]

let package = Package(
  name: "moha-sync",
  products: [
    .executable(name: "moha-sync", targets: ["moha-sync"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: [.defaults, "YAML"]),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    // pkg-config is not asked: Debian's hiredis.pc carries a flag that SwiftPM prohibits with a warning,
    // and libpq's headers need one include path, which the wrapper's own settings give.
    .systemLibrary(name: "CLibGit2", providers: [.apt(["libgit2-dev"])]),
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .target(name: "CMigrations"),

    .target(name: "DedicatedThread", swiftSettings: strictSettings),
    .target(name: "Telemetry", swiftSettings: settings),
    .target(
      name: "Records",
      dependencies: ["Telemetry", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(
      name: "SecretScan",
      dependencies: [.product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strictSettings),
    .target(name: "Git", dependencies: ["CLibGit2", "DedicatedThread", "Telemetry"], swiftSettings: strictSettings),
    .target(name: "Postgres", dependencies: ["CLibPQ", "DedicatedThread", "Telemetry"], swiftSettings: strictSettings),
    .target(name: "Redis", dependencies: ["CHiredis", "DedicatedThread"], swiftSettings: strictSettings),
    .target(
      name: "Persistence",
      dependencies: [
        "CMigrations", "DedicatedThread", "Records", "SecretScan", "Git", "Postgres", "Redis", "Telemetry",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    .target(
      name: "EmbeddedServers",
      dependencies: [
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strictSettings),
    .target(
      name: "MCPServer",
      dependencies: [
        "DedicatedThread", "Records", "Persistence", "Telemetry",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings),
    .target(
      name: "Pages",
      dependencies: ["Records", "Persistence", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .executableTarget(
      name: "moha-sync",
      dependencies: [
        "DedicatedThread", "Records", "Git", "Postgres", "Redis", "Persistence", "EmbeddedServers", "MCPServer",
        "Telemetry", "Pages",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Configuration", package: "swift-configuration"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings,
      linkerSettings: releaseLinking),

    .executableTarget(
      name: "moha-generate",
      dependencies: ["Records", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Benchmarks/generator", swiftSettings: settings),
    .executableTarget(
      name: "moha-benchmark",
      dependencies: [
        "EmbeddedServers", "Git", "Persistence", "Postgres", "Records", "Redis",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/moha-benchmark", swiftSettings: settings),

    // Test support is a plain target so that each test target can use it; no product holds it.
    .target(
      name: "TestSupport", dependencies: ["Postgres", "DedicatedThread"], path: "Tests/TestSupport",
      swiftSettings: settings),
    .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"], swiftSettings: settings),
    .testTarget(name: "RecordsTests", dependencies: ["Records", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "SecretScanTests",
      dependencies: ["SecretScan", "TestSupport", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    // Commits as a process of its own, to be traced, killed and run beside others by the tests.
    .executableTarget(
      name: "commit-fixture", dependencies: ["Git"], path: "Tests/commit-fixture", swiftSettings: settings),
    .testTarget(name: "GitTests", dependencies: ["Git", "TestSupport", "commit-fixture"], swiftSettings: settings),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestSupport"], swiftSettings: settings),
    .testTarget(name: "RedisTests", dependencies: ["Redis", "TestSupport"], swiftSettings: settings),
    // Starts and stops embedded servers as a process of its own, for their tests.
    .executableTarget(
      name: "embedded-fixture", dependencies: ["EmbeddedServers"], path: "Tests/embedded-fixture",
      swiftSettings: settings),
    .testTarget(
      name: "EmbeddedServersTests",
      dependencies: [
        "EmbeddedServers", "embedded-fixture",
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings),
    // Counts against a limit as one of several processes.
    .executableTarget(
      name: "redis-fixture", dependencies: ["Persistence", "Redis"], path: "Tests/redis-fixture",
      swiftSettings: settings),
    .testTarget(
      name: "PersistenceTests",
      dependencies: ["Persistence", "Records", "Git", "Postgres", "Redis", "TestSupport", "redis-fixture"],
      exclude: ["Fixtures"],
      swiftSettings: settings),
    // How the work of a run grows with what there is: counted, not timed.
    .testTarget(
      name: "GrowthTests",
      dependencies: ["Persistence", "Records", "Git", "Postgres", "Telemetry", "TestSupport"],
      swiftSettings: settings),
    // An MCP server with the content of the public conformance suite, to be run by clients of the tests.
    .executableTarget(
      name: "mcp-fixture",
      dependencies: [
        "MCPServer", "Records",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      path: "Tests/mcp-fixture", swiftSettings: settings),
    .testTarget(
      name: "MavenOfferingTests",
      dependencies: ["MCPServer", "Persistence", "Records", "Git", "Postgres", "TestSupport", "moha-sync"],
      swiftSettings: settings),
    .testTarget(
      name: "MCPServerTests",
      dependencies: [
        "DedicatedThread", "MCPServer", "Records", "TestSupport", "mcp-fixture",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "PagesTests", dependencies: ["Pages", "Persistence", "Records", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "CommandTests", dependencies: ["moha-sync", "Records", "Postgres", "Telemetry", "TestSupport"],
      swiftSettings: settings),
  ]
)
