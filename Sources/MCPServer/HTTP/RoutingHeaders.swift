internal import HTTPTypes
internal import Records

/// The headers by which the newest revision lets proxies route a request without reading it. They must say what the
/// body says, or a proxy and this server would see two requests.
///
/// No tool here has an argument that is repeated in a header (`x-mcp-header`), so headers `Mcp-Param-…` mean nothing.
struct RoutingHeaders: Sendable {
  private let fields: HTTPFields

  init(_ fields: HTTPFields) {
    self.fields = fields
  }

  /// - Throws: -32020 where a header is missing, repeated, malformed, or says something else than the body.
  func check(version: String, method: String, _ parameters: JSONValue) throws(RPCError) {
    guard try value(.protocolVersion) == version else {
      throw .headerMismatch("MCP-Protocol-Version is not the version in `_meta`")
    }
    guard try value(.mcpMethod) == method else { throw .headerMismatch("Mcp-Method is not the method of the body") }
    guard let key = Method(rawValue: method)?.namingParameter else { return }
    // A body without the name fails for that.
    guard case .string(let name) = parameters[JSONString(key)] else { return }
    guard let stated = Self.decode(try value(.mcpName)), JSONString(stated) == name else {
      throw .headerMismatch("Mcp-Name is not `\(key)` of the body")
    }
  }

  private func value(_ name: HTTPField.Name) throws(RPCError) -> String {
    let values = fields[values: name]
    guard values.count == 1, let value = values.first else {
      throw .headerMismatch("the header \(name.rawName) must be there, once")
    }
    return value.trimmingSpace
  }

  /// A value that is no plain ASCII comes as `=?base64?…?=`; nil where that is malformed.
  static func decode(_ value: String) -> String? {
    let prefix = "=?base64?"
    let suffix = "?="
    guard value.hasPrefix(prefix), value.hasSuffix(suffix), value.utf8.count >= prefix.utf8.count + suffix.utf8.count
    else { return value }
    let encoded = value.dropFirst(prefix.count).dropLast(suffix.count)
    return Base64.decode(encoded).flatMap { String(validating: $0, as: UTF8.self) }
  }
}
