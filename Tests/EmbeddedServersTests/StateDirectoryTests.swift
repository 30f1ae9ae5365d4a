import Glibc
import Testing

@testable import EmbeddedServers

struct StateDirectoryTests {
  @Test("The folder is made private, and belongs to the account of the servers")
  func creation() async throws {
    try await withFolder { folder in
      let state = try StateDirectory.prepare("\(folder)/a/b", root: "/repository")
      let found = try #require(try FileSystem.attributes(of: "\(folder)/a/b"))
      #expect(found.mode == 0o700)
      #expect(found.uid == state.account.uid)
      #expect(state.account.uid != 0)
      #expect(try read("\(folder)/a/b/root") == "/repository\n")
    }
  }

  @Test("An empty folder of our own is closed; one with files in it that others can read is refused")
  func openFolder() async throws {
    try await withFolder { folder in
      #expect(mkdir("\(folder)/empty", 0o755) == 0)
      _ = try StateDirectory.prepare("\(folder)/empty", root: "/repository")
      let closed = try FileSystem.attributes(of: "\(folder)/empty")
      #expect(closed?.mode == 0o700)

      #expect(mkdir("\(folder)/full", 0o755) == 0)
      try write("mine", to: "\(folder)/full/notes")
      expectRefusal("\(folder)/full", root: "/repository", "chmod 700")
      let untouched = try FileSystem.attributes(of: "\(folder)/full")
      #expect(untouched?.mode == 0o755)
    }
  }

  @Test("Another owner's folder is refused and left as it is", .enabled(if: ServerFixture.isRoot))
  func foreignOwner() async throws {
    try await withFolder { folder in
      #expect(mkdir("\(folder)/theirs", 0o700) == 0)
      #expect(chown("\(folder)/theirs", 65_533, 65_533) == 0)
      expectRefusal("\(folder)/theirs", root: "/repository", "belongs to uid 65533")
      let after = try FileSystem.attributes(of: "\(folder)/theirs")
      #expect(after?.uid == 65_533)
      let servers = EmbeddedServers(root: "/repository", environment: ["MOHA_STATE_DIR": "\(folder)/theirs"])
      await #expect(throws: EmbeddedServersError.self) { try await servers.stop() }
      #expect(await servers.status().postgres == .notInitialised)
    }
  }

  @Test("A symbolic link is refused, and so is a file")
  func links() async throws {
    try await withFolder { folder in
      #expect(mkdir("\(folder)/target", 0o700) == 0)
      #expect(symlink("\(folder)/target", "\(folder)/link") == 0)
      expectRefusal("\(folder)/link", root: "/repository", "symbolic link")
      try write("", to: "\(folder)/file")
      expectRefusal("\(folder)/file", root: "/repository", "not a folder")
    }
  }

  @Test("A folder inside the repository is refused, also behind a link, but not one beside it")
  func insideRepository() async throws {
    try await withFolder { folder in
      let root = "\(folder)/repository"
      #expect(mkdir(root, 0o755) == 0)
      expectRefusal("\(root)/state", root: root, "inside the repository")
      expectRefusal(root, root: root, "inside the repository")
      #expect(symlink(root, "\(folder)/link") == 0)
      expectRefusal("\(folder)/link/deep/state", root: root, "inside the repository")
      _ = try StateDirectory.prepare("\(root)-state", root: root)
    }
  }

  @Test("A relative path and a control character are refused", arguments: ["state", "", "/tmp/a\nb", "/tmp/a\u{7f}"])
  func names(directory: String) {
    expectRefusal(directory, root: "/repository", "state folder")
  }

  @Test("A folder serves one repository; one that has moved keeps it")
  func oneRepository() async throws {
    try await withFolder { folder in
      for name in ["one", "two"] { #expect(mkdir("\(folder)/\(name)", 0o755) == 0) }
      _ = try StateDirectory.prepare("\(folder)/state", root: "\(folder)/one")
      expectRefusal("\(folder)/state", root: "\(folder)/two", "belongs to the repository \(folder)/one")
      #expect(rmdir("\(folder)/one") == 0)
      _ = try StateDirectory.prepare("\(folder)/state", root: "\(folder)/two")
      #expect(try read("\(folder)/state/root") == "\(folder)/two\n")
    }
  }

  @Test("A parent that the servers' account cannot enter is named", .enabled(if: ServerFixture.isRoot))
  func closedParent() async throws {
    try await withFolder { folder in
      #expect(mkdir("\(folder)/closed", 0o700) == 0)
      expectRefusal("\(folder)/closed/state", root: "/repository", "cannot enter \(folder)/closed")
    }
  }

  @Test("The lock excludes a second holder until it is released, and the wait is bounded")
  func lock() async throws {
    try await withFolder { folder in
      let state = try StateDirectory.prepare("\(folder)/state", root: "/repository")
      let held = try await StateLock.acquire(state, patience: .zero)
      do throws(EmbeddedServersError) {
        let second = try await StateLock.acquire(state, patience: .milliseconds(50))
        second.release()
        Issue.record("the lock was given twice")
      } catch {
        #expect(error.code == .busy)
      }
      held.release()
      // A child of another test, between fork and exec, may hold the descriptor for a moment.
      let third = try await StateLock.acquire(state, patience: .seconds(10))
      third.release()
    }
  }

  private func expectRefusal(
    _ directory: String, root: String, _ text: String, at location: SourceLocation = #_sourceLocation
  ) {
    do throws(EmbeddedServersError) {
      _ = try StateDirectory.prepare(directory, root: root)
      Issue.record("\(directory) was accepted", sourceLocation: location)
    } catch {
      #expect(error.code == .unsafeStateDirectory, sourceLocation: location)
      #expect(error.description.contains(text), sourceLocation: location)
    }
  }
}
