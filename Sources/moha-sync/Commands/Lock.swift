import ArgumentParser
import Persistence
import Postgres
import Records
import Redis

/// Locks that several machines agree on.
struct Lock: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock", abstract: "Run a command under a lock that all machines share.",
    subcommands: [LockRun.self, State.self])

  struct State: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "status", abstract: "Show who has a lock, for how long, and the token in force.",
      discussion: "Starts and changes nothing.")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The lock's name.")
    var name: String

    func run() async throws {
      let name = try CacheName(name)
      let workspace = try await Workspace(options)
      var held: (holder: String, remaining: Duration?)?
      if let settings = await workspace.redisIfUp() {
        held = try await RedisLock.holder(of: name, on: RedisClient(settings))
      }
      let token = await token(name, workspace)
      if options.json {
        Output.writeJSON(
          .object([
            .init("schema", 1), .init("name", .string(name.text)), .init("held", .bool(held != nil)),
            .init("holder", held.map { .string($0.holder) } ?? .null),
            .init("expires_in_seconds", held?.remaining?.jsonSeconds ?? .null),
            .init("fence_scope", .string(FencedLock.scope(of: name))),
            .init("fence_token", token.map { .integer(Int($0)) } ?? .null),
          ]))
      } else {
        let fence = token.map { "token \($0)" } ?? "no token"
        guard let held else { return Output.write("free  \(fence)\n") }
        let end = held.remaining.map { "\($0.ceilingSeconds) s unless renewed" } ?? "for ever"
        Output.write("held by \(printable(held.holder)), \(end)  \(fence)\n")
      }
    }

    /// The token in force; nil where there is none, or the database does not answer.
    private func token(_ name: CacheName, _ workspace: Workspace) async -> Int64? {
      guard let database = try? await workspace.databaseIfUp(), let open = try? await database.connect() else { return nil }
      let token = try? await FencingToken.current(FencedLock.scope(of: name), schema: open.schema, on: open.connection)
      await open.connection.close()
      return token.flatMap { $0.value == 0 ? nil : $0.value }
    }
  }
}
