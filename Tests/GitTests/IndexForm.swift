internal import Glibc
internal import TestSupport

@testable internal import Git

/// The forms that git gives an index, each with how to get it.
enum IndexForm: String, CaseIterable, Sendable {
  case version2, version3, version4, compressedSplit, split, alwaysSplit, splitWithCaches
  case sparse, compressedSparse, cone, patterns
  case untrackedCache, fileMonitor, threads, unchecked, unknownExtension

  /// True if the folder `.moha/out` is left out of the checkout.
  var leavesOut: Bool {
    switch self {
    case .sparse, .compressedSparse, .cone, .patterns: true
    default: false
    }
  }

  /// True if the index has one entry for all of `.moha/out`.
  var isSparse: Bool { self == .sparse || self == .compressedSparse }

  /// Before a person goes to work.
  func prepare(_ scratch: GitScratch) throws {
    switch self {
    case .version2: try scratch.git("update-index", "--index-version", "2")
    case .version3: try scratch.git("update-index", "--skip-worktree", "src/left")
    case .version4: try scratch.git("update-index", "--index-version", "4")
    case .split: try scratch.git("update-index", "--split-index")
    case .compressedSplit:
      try scratch.git("update-index", "--index-version", "4")
      try scratch.git("update-index", "--split-index")
    case .alwaysSplit:
      try scratch.git("config", "core.splitIndex", "true")
      // Never all in the shared part anew: so both parts have entries.
      try scratch.git("config", "splitIndex.maxPercentChange", "100")
      try scratch.git("update-index", "--split-index")
    case .splitWithCaches:
      try scratch.git("update-index", "--split-index", "--force-untracked-cache")
      _ = try scratch.status()
    case .sparse: try scratch.git("sparse-checkout", "set", "--cone", "--sparse-index", ".moha/maven", "src")
    case .compressedSparse:
      try scratch.git("update-index", "--index-version", "4")
      try scratch.git("sparse-checkout", "set", "--cone", "--sparse-index", ".moha/maven", "src")
    case .cone: try scratch.git("sparse-checkout", "set", "--cone", ".moha/maven", "src")
    case .patterns: try scratch.git("sparse-checkout", "set", "--no-cone", "/*", "!/.moha/out/", "!/src/left")
    case .untrackedCache:
      try scratch.git("update-index", "--force-untracked-cache")
      _ = try scratch.status()
    case .fileMonitor:
      // A monitor that knows nothing: all may have changed.
      try scratch.write(".git/monitor", "#!/bin/sh\nprintf 'token\\0/\\0'\n")
      chmod(scratch.absolute(".git/monitor"), 0o755)
      try scratch.git("config", "core.fsmonitor", ".git/monitor")
      try scratch.git("update-index", "--fsmonitor")
    case .threads: try scratch.git("config", "index.threads", "3")
    case .unchecked, .unknownExtension: break
    }
  }

  /// After a person's work, where it is a matter of the file's bytes.
  func finish(_ scratch: GitScratch) throws {
    switch self {
    case .unchecked:
      try scratch.editIndex { bytes in
        bytes.removeLast(20)
        bytes += [UInt8](repeating: 0, count: 20)
      }
    case .unknownExtension: try scratch.addExtension("ZZZZ", [1, 2, 3])
    default: break
    }
  }
}

extension GitScratch {
  func read(_ file: String) throws -> [UInt8] {
    try ChildProcess.runChecked("cat", [absolute(file)]).stdout
  }

  func stat(_ file: String) throws -> FileStatus {
    guard let status = try FileStatus(at: Array(absolute(file).utf8), "look at \(file)") else {
      throw GitError(.notFound, operation: "look at \(file)", message: "it is not there")
    }
    return status
  }

  /// Changes the bytes of the index in place.
  func editIndex(_ edit: (inout [UInt8]) -> Void) throws {
    var bytes = try read(".git/index")
    edit(&bytes)
    try write(Array(".git/index".utf8), bytes)
  }

  /// Appends an extension to the index, which then has a right checksum.
  func addExtension(_ name: String, _ content: [UInt8]) throws {
    try editIndex { bytes in
      bytes.removeLast(20)
      bytes += Array(name.utf8) + [0, 0, 0, UInt8(content.count)] + content
      bytes += SHA1.hash(bytes[...])
    }
  }

  /// Gives a path the three sides of a conflict, as a merge would.
  func addConflict(_ path: String) throws {
    var lines = "0 \(String(repeating: "0", count: 40))\t\(path)\n"
    for stage in 1...3 {
      let id = try git(["hash-object", "-w", "--stdin"], input: Array("side \(stage)".utf8))
      lines += "100644 \(id) \(stage)\t\(path)\n"
    }
    try git(["update-index", "--index-info"], input: Array(lines.utf8))
  }

  /// The names of the extensions of the index.
  func extensionNames() throws -> [String] {
    try IndexFile(read(".git/index"), below: .root).extensions.map(\.name)
  }
}
