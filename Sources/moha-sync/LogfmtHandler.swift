import Logging
import Persistence
import Records

/// One line of logfmt for each event on standard error: `time=… level=… msg="…" key=value`.
///
/// Times are RFC 3339 in UTC. Values are quoted where they hold a blank, a quote or an equals sign, and control
/// characters in them are made harmless, so that an event is one line whatever a client sent.
struct LogfmtHandler: LogHandler {
  var logLevel = Logger.Level.notice
  var metadata: Logger.Metadata = [:]
  /// Who logs; left out where it is the program itself.
  private let source: String?

  init(source: String? = nil) { self.source = source }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line = "time=\(LogfmtHandler.time) level=\(event.level.rawValue) msg=\(LogfmtHandler.quoted("\(event.message)"))"
    if let source { line += " source=\(source)" }
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    for (key, value) in all.sorted(by: { $0.key < $1.key }) {
      line += " \(LogfmtHandler.key(key))=\(LogfmtHandler.quoted("\(value)"))"
    }
    Output.writeError(line + "\n")
  }

  private static var time: String {
    let instant = Instant.now()
    // To the millisecond, always with as many digits, so that lines sort.
    let milliseconds = instant.microseconds / 1_000
    let whole = Instant(seconds: milliseconds / 1_000)?.description ?? instant.description
    let fraction = String(milliseconds % 1_000 + 1_000).dropFirst()
    return whole.hasSuffix("Z") ? "\(whole.dropLast()).\(fraction)Z" : whole
  }

  private static func key(_ text: String) -> String {
    String(text.unicodeScalars.map { $0.properties.isAlphabetic || ("0"..."9").contains($0) ? Character($0) : "_" })
  }

  private static func quoted(_ text: String) -> String {
    let line = printable(text)
    let isPlain = !line.isEmpty && line.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" && $0 != "\\" }
    if isPlain { return line }
    return "\"\(line.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }
}
