import ArgumentParser

/// A length of time as people write it: `500ms`, `30s`, `5m`, `1h`, or a number of seconds.
struct TimeSpan: ExpressibleByArgument {
  let duration: Duration

  init(_ duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    let digits = argument.prefix { ("0"..."9").contains($0) }
    guard let count = Int64(digits), count <= 1_000_000_000 else { return nil }
    switch argument[digits.endIndex...] {
    case "ms": duration = .milliseconds(count)
    case "", "s": duration = .seconds(count)
    case "m": duration = .seconds(count * 60)
    case "h": duration = .seconds(count * 3_600)
    default: return nil
    }
  }

  var defaultValueDescription: String { "\(duration.components.seconds)s" }
}
