internal import EmbeddedServers
internal import Glibc

// Starts, stops or shows the embedded servers of a folder, as a process of its own: `embedded-fixture up ROOT`.
// The tests use it where a second process, another user or a shell matters.

var environment: [String: String] = [:]
for name in ["HOME", "MOHA_STATE_DIR", "PATH", "XDG_STATE_HOME"] {
  if let value = getenv(name) { environment[name] = String(cString: value) }
}
let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count == 2 else {
  print("usage: embedded-fixture up|redis|down|status ROOT")
  exit(2)
}
let servers = EmbeddedServers(root: arguments[1], environment: environment)
do {
  switch arguments[0] {
  case "up": print(try await servers.startPostgres().maintenanceURL)
  case "redis": print(try await servers.startRedis().socketPath)
  case "down": try await servers.stop()
  case "status": print(await servers.status())
  default: exit(2)
  }
} catch {
  print("\(error)")
  exit(1)
}
