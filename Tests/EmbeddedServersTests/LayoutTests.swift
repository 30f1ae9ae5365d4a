import Glibc
import Testing

@testable import EmbeddedServers

struct LayoutTests {
  @Test("The identifier is the start of the SHA-256 that sha256sum prints")
  func identifier() {
    // printf abc | sha256sum
    #expect(StateLayout.identifier("abc") == "ba7816bf8f01cfea")
  }

  @Test("The sockets stay in the state folder as long as their names fit", arguments: 60...110)
  func socketLength(length: Int) {
    let directory = "/" + String(repeating: "d", count: length - 1)
    let layout = StateLayout(directory: directory, uid: 1000)
    let preferred = "\(directory)/run/.s.PGSQL.5432"
    #expect((layout.postgresSocket == preferred) == (preferred.utf8.count <= 107))
    #expect(layout.postgresSocket.utf8.count <= 107)
    #expect(layout.redisSocket.utf8.count <= 107)
    #expect(layout == StateLayout(directory: directory, uid: 1000))
  }

  @Test("MOHA_STATE_DIR names the folder itself; trailing slashes and an empty value do not matter")
  func stateDirectory() {
    #expect(directory(["MOHA_STATE_DIR": "/srv/state//", "XDG_STATE_HOME": "/x", "HOME": "/h"]) == "/srv/state")
    let isRoot = ServerFixture.isRoot
    let id = StateLayout.identifier("/no/such/repository")
    let home = directory(["MOHA_STATE_DIR": "", "HOME": "/h"])
    #expect(home == (isRoot ? "/var/lib/moha-sync/\(id)" : "/h/.local/state/moha-sync/\(id)"))
    let xdg = directory(["XDG_STATE_HOME": "/x/", "HOME": "/h"])
    #expect(xdg == (isRoot ? "/var/lib/moha-sync/\(id)" : "/x/moha-sync/\(id)"))
    #expect(directory(["XDG_STATE_HOME": "relative", "HOME": "/h"]) == home)
  }

  private func directory(_ environment: [String: String]) -> String {
    EmbeddedServers(root: "/no/such/repository", environment: environment).stateDirectory
  }

  @Test("postmaster.pid is read whole, in part and as nonsense")
  func postmasterFile() {
    let whole = PostmasterFile(Array("12\n/d\n1\n5432\n/run\n\n 1 2\nready   \n".utf8))
    #expect(whole.pid == 12)
    #expect(whole.isReady && !whole.isStopping)
    let starting = PostmasterFile(Array("12\n/d\n1\n5432\n/run\n\n 1 2\nstarting\n".utf8))
    #expect(starting.pid == 12 && !starting.isReady)
    #expect(PostmasterFile(Array("12\n/d\n1\n5432\n/run\n\n 1 2\nstopping\n".utf8)).isStopping)
    #expect(PostmasterFile(Array("-77\n/d".utf8)).pid == 77)
    for text in ["", "\n", "x\n", "99999999999999999999\n", "-2147483648\n", "12 13\n"] {
      #expect(PostmasterFile(Array(text.utf8)).pid == nil, "\(text)")
    }
  }

  @Test(
    "The major version is read from what postgres --version prints",
    arguments: [
      ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", 15), ("postgres (PostgreSQL) 17beta1", 17),
      ("postgres (PostgreSQL) 9.6.24", 9), ("", nil), ("nonsense", nil),
    ] as [(String, Int?)])
  func version(text: String, major: Int?) {
    #expect(PostgresInstallation.major(inVersion: text) == major)
  }

  @Test("An endpoint's URL escapes what a URI cannot hold")
  func urls() {
    let endpoint = PostgresEndpoint(socketDirectory: "/a b/é&?#%", port: 5432, user: "moha", database: "maven")
    #expect(endpoint.url == "postgresql://moha@/maven?host=/a%20b/%C3%A9%26%3F%23%25&port=5432")
    #expect(endpoint.maintenanceURL.contains("/postgres?"))
    #expect(RedisEndpoint(socketPath: "/a b").url == "unix:///a%20b")
  }

  @Test("Workers share memory in files where /dev/shm is as small as in a container")
  func sharedMemory() {
    func line(_ size: UInt64?) -> Substring? {
      let text = PostgresConfiguration(socketDirectory: "/run", sharedMemoryVolume: size).text
      return text.split(separator: "\n").first { $0.hasPrefix("dynamic_shared_memory_type") }
    }
    #expect(line(64 << 20) == "dynamic_shared_memory_type = mmap")
    #expect(line(nil) == "dynamic_shared_memory_type = mmap")
    #expect(line(1 << 30) == "dynamic_shared_memory_type = posix")
  }

  @Test("A folder's name is quoted as an item of a list inside a setting")
  func quoting() {
    let text = PostgresConfiguration(socketDirectory: #"/a 'b' "c" \d, e"#, sharedMemoryVolume: nil).text
    #expect(text.contains(#"unix_socket_directories = '"/a ''b'' ""c"" \\d, e"'"#))
  }

  @Test("A log is read from its end, and a long one makes room for a new one")
  func log() async throws {
    try await withFolder { folder in
      let account = try ServerAccount.forServers(owner: nil)
      let log = ServerLog(path: "\(folder)/log", account: account)
      #expect(log.tail(lines: 5) == "")
      try log.append("first")
      let position = log.position()
      try log.append("second")
      try log.append("third")
      #expect(log.tail(lines: 1).hasSuffix(" UTC moha-sync: third"))
      #expect(log.tail(lines: 9).split(separator: "\n").count == 3)
      #expect(log.tail(lines: 9, since: position).split(separator: "\n").count == 2)
      try log.prepare()
      #expect(log.tail(lines: 9).split(separator: "\n").count == 3)
      try write(String(repeating: "x", count: Int(ServerLog.rotationSize) + 1), to: "\(folder)/log")
      try log.prepare()
      let old = try FileSystem.attributes(of: "\(folder)/log.1")
      #expect(log.position() == 0)
      #expect(old?.size == ServerLog.rotationSize + 1)
      // Of an older version, which left it to the server to make the file.
      #expect(chmod("\(folder)/log", 0o666) == 0)
      try log.prepare()
      #expect(try FileSystem.attributes(of: "\(folder)/log")?.mode == 0o600)
    }
  }

  @Test("An error says what failed, why, and what to do")
  func errorText() {
    let error = EmbeddedServersError(.busy, "What.", reason: "Why.", hint: "do this", logTail: "log")
    #expect(error.description == "What. Why.\nHint: do this\nServer log:\nlog")
    #expect("\(EmbeddedServersError.Code.busy)" == "busy")
  }
}
