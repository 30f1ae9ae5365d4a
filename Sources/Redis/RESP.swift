/// The form in which commands are sent: an array of binary-safe strings.
enum RESP {
  static func encoded(_ commands: [[[UInt8]]]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(commands.reduce(0) { $1.reduce($0 + 16) { $0 + $1.count + 16 } })
    for command in commands {
      append(UInt8(ascii: "*"), command.count, to: &bytes)
      for argument in command {
        append(UInt8(ascii: "$"), argument.count, to: &bytes)
        bytes.append(contentsOf: argument)
        bytes.append(13)
        bytes.append(10)
      }
    }
    return bytes
  }

  private static func append(_ mark: UInt8, _ count: Int, to bytes: inout [UInt8]) {
    bytes.append(mark)
    bytes.append(contentsOf: String(count).utf8)
    bytes.append(13)
    bytes.append(10)
  }
}
