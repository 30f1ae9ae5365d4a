/// Commands in the form in which they are sent: each an array of binary-safe strings.
struct Exchange: Sendable {
  let bytes: [UInt8]
  /// How many answers there will be.
  let count: Int
  let name: CommandName

  /// `commands` must not be empty, nor any of them.
  init(_ commands: [[[UInt8]]]) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(commands.reduce(0) { $1.reduce($0 + 16) { $0 + $1.count + 16 } })
    for command in commands {
      Self.append(UInt8(ascii: "*"), command.count, to: &bytes)
      for argument in command {
        Self.append(UInt8(ascii: "$"), argument.count, to: &bytes)
        bytes.append(contentsOf: argument)
        bytes.append(13)
        bytes.append(10)
      }
    }
    self.bytes = bytes
    count = commands.count
    name = CommandName(commands.first ?? [])
  }

  private static func append(_ mark: UInt8, _ count: Int, to bytes: inout [UInt8]) {
    bytes.append(mark)
    bytes.append(contentsOf: String(count).utf8)
    bytes.append(13)
    bytes.append(10)
  }
}

/// The first word of a command, for error messages: its arguments may be secrets.
struct CommandName: Sendable {
  private let bytes: [UInt8]

  init(_ command: [[UInt8]]) {
    bytes = command.first ?? []
  }

  init(_ text: StaticString) {
    bytes = Array("\(text)".utf8)
  }

  var text: String { String(decoding: bytes.prefix(20), as: UTF8.self).uppercased() }
}
