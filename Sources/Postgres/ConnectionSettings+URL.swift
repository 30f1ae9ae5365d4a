extension ConnectionSettings {
  /// A `postgresql://` URL that psql accepts as it is, with the password left out.
  ///
  /// A socket's folder is percent-encoded in the place of the host; several hosts are listed with their ports;
  /// every other keyword is a query item, in alphabetical order.
  package var redactedURL: String {
    var url = "postgresql://"
    if let user = parameters["user"] { url += Self.percentEncoded(user) + "@" }
    url += authority
    if let database = parameters["dbname"] { url += "/" + Self.percentEncoded(database) }
    let inPlace: Set<String> = ["user", "host", "port", "dbname"]
    let query = parameters.keys
      .filter { !inPlace.contains($0) && !Self.secretKeywords.contains($0) }
      .sorted()
      .map { "\($0)=\(Self.percentEncoded(parameters[$0, default: ""]))" }
    if !query.isEmpty {
      // The slash keeps the query from being read as part of the host.
      if parameters["dbname"] == nil { url += "/" }
      url += "?" + query.joined(separator: "&")
    }
    return url
  }

  /// `host:port` for each host. One port may serve all hosts.
  private var authority: String {
    let hosts = Self.list(parameters["host"])
    let ports = Self.list(parameters["port"])
    let count = max(hosts.count, ports.count)
    return (0..<count).map { index in
      let host = index < hosts.count ? hosts[index] : ""
      let port = index < ports.count ? ports[index] : ports.count == 1 ? ports[0] : ""
      let isIPv6 = host.contains(":") && !host.hasPrefix("/")
      let shown = isIPv6 ? "[\(host)]" : Self.percentEncoded(host)
      return port.isEmpty ? shown : "\(shown):\(Self.percentEncoded(port))"
    }.joined(separator: ",")
  }

  private static func list(_ value: String?) -> [String] {
    guard let value else { return [] }
    return value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }

  /// Encodes all but RFC 3986's unreserved characters.
  private static func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        encoded.append(byte)
      default:
        encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}
