import ArgumentParser
import Persistence
import Records
import Redis
import UnixSignals

/// Prints record events as they are published.
struct Watch: ServingCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Print each record that git takes, as it happens, until interrupted.",
    discussion: """
      Every write tells the channel moha:AGENT:records once its commit is made, as far as Redis can: what is written \
      while Redis is away is not told later. Whoever needs all records reads git. With --json each event is one \
      line: {"schema":1,"kind":…,"path":…,"commit":…,"agent":…}. Redis may come and go meanwhile; standard error says so.
      """)

  @OptionGroup var options: GlobalOptions
  @Option(help: ArgumentHelp("Only events of this kind: decision, event, milestone, identity.", valueName: "kind"))
  var kind: [RecordRequest.Kind] = []

  func validate() throws { try options.refuseTimeLimit() }

  func run() async throws {
    let workspace = try await Workspace(options)
    let settings = try await workspace.redis()
    // A server that is away from the start is an error; one that goes away later comes back.
    try await RedisClient(settings).ping()
    let subscription = RedisSubscription(settings, channels: [RecordEvent.channel(of: workspace.settings.agent)])
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    let printing = Task {
      for await event in subscription.events {
        switch event {
        case .connected: tell("listening at \(settings.redactedURL)")
        case .disconnected(let error): tell("\(printable(error.description)); trying again")
        case .message(_, let payload): print(payload)
        }
      }
    }
    for await _ in signals { break }
    printing.cancel()
    await printing.value
    // Its usual end, about which there is nothing to say.
    throw ExitCode(ExitStatus.interrupted.rawValue)
  }

  private func tell(_ sentence: String) {
    if !options.quiet { Output.writeError("moha-sync: \(sentence)\n") }
  }

  private func print(_ payload: [UInt8]) {
    // Anybody can publish there; what is no event of ours is told as no event.
    guard let event = RecordEvent(payload) else { return tell("a message that is no record event was ignored") }
    guard kind.isEmpty || kind.contains(where: { $0.rawValue == event.kind }) else { return }
    if options.json {
      Output.writeJSON(event.json)
    } else {
      Output.write(
        "\(padded(printable(event.kind), 9))  \(printable(event.path))  \(printable(event.commit).prefix(10))\n")
    }
  }
}
