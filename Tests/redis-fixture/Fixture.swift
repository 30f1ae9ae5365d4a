internal import Glibc
internal import Persistence
internal import Redis

/// `redis-fixture URL limit NAME MAXIMUM COUNT`: makes COUNT calls against a limit whose window is a year, and prints how
/// many were allowed.
///
/// Exit status: 0; 2 for wrong arguments; 1 after an error, which is on standard error.
@main
struct Fixture {
  static func main() async {
    let arguments = CommandLine.arguments
    guard arguments.count == 6, arguments[2] == "limit", let maximum = Int(arguments[4]), let count = Int(arguments[5])
    else { exit(2) }
    do {
      let client = try await RedisClient(RedisSettings(url: arguments[1]))
      let limit = try RateLimit(
        client, name: CacheName(arguments[3]), maximum: maximum, window: .seconds(31_536_000))
      var allowed = 0
      for _ in 0..<count where try await limit.take().isAllowed { allowed += 1 }
      print(allowed)
    } catch {
      let text = Array("\(error)\n".utf8)
      _ = write(2, text, text.count)
      exit(1)
    }
  }
}
