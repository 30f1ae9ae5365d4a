internal import Records
internal import Testing

/// Statements 57 to 61: resources.
@Suite("Resources") struct ResourceTests {
  private static let absent = [
    "test://none", "test://static-text/", "test://static-text?", "TEST://static-text", "test://static%2Dtext",
    "test://template/../static-text", "test://template/%2e%2e/data", "test://template/a%2Fb/data",
    "test://template//data",
    "test://template/a b/data", "file:///etc/passwd", "", "\u{0}", "test://template/é/data",
    "test://template/e\u{301}/data",
  ]

  @Test("57 and 58 what does not exist, and what only looks like it, is not found: -32002 before", arguments: absent)
  func legacyAbsent(uri: String) async throws {
    let client = try await StdioClient.initialized()
    let answer = try await client.request(1, "resources/read", .object([.init("uri", .string(uri))]))
    #expect(answer.errorCode == -32002)
    #expect(answer.at("error/data/uri")?.text == uri)
  }

  @Test("57 and 58 what does not exist is not found: -32602 in the newest revision", arguments: absent)
  func modernAbsent(uri: String) async throws {
    let client = try StdioClient()
    let parameters = ModernParameters.with([.init("uri", .string(uri))])
    #expect(try await client.request(1, "resources/read", parameters).errorCode == -32602)
  }

  @Test("59 contents carry the URI that was asked for and either text or base64")
  func contents() async throws {
    let client = try await StdioClient.initialized()
    for uri in ["test://static-text", "test://static-binary", "test://template/42/data"] {
      let answer = try await client.request(1, "resources/read", ["uri": .string(uri)])
      let contents = try #require(answer.at("result/contents/0"))
      #expect(contents["uri"]?.text == uri)
      #expect((contents["text"] == nil) != (contents["blob"] == nil))
      if let blob = contents["blob"]?.text { #expect(blob.hasPrefix("iVBORw0KGgo")) }
    }
  }

  @Test("60 templates are listed and expand to a URI that can be read")
  func templates() async throws {
    let client = try await StdioClient.initialized()
    let list = try await client.request(1, "resources/templates/list").at("result/resourceTemplates")?.elements ?? []
    #expect(list.count == 1)
    for template in list.compactMap({ $0["uriTemplate"]?.text }) {
      let uri = template.replacing("{id}", with: "7")
      #expect(try await client.request(2, "resources/read", ["uri": .string(uri)]).at("result/contents/0") != nil)
    }
  }

  @Test("61 results that may be kept say how long and by whom, alike on each page")
  func caching() async throws {
    let client = try StdioClient()
    for method in ["server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
      var cursor: [JSONValue.Member] = []
      var scopes: Set<String> = []
      repeat {
        let result = try #require(try await client.request(1, method, ModernParameters.with(cursor))["result"])
        #expect((result["ttlMs"]?.integer ?? -1) >= 0, "\(method)")
        scopes.insert(result["cacheScope"]?.text ?? "none")
        cursor = result["nextCursor"].map { [.init("cursor", $0)] } ?? []
      } while !cursor.isEmpty
      #expect(scopes.count == 1 && scopes.isSubset(of: ["public", "private"]), "\(method)")
    }
    let parameters = ModernParameters.with([.init("uri", "test://static-text")])
    let read = try await client.request(2, "resources/read", parameters)["result"]
    #expect(read?["cacheScope"]?.text == "private")
    #expect(read?["ttlMs"]?.integer == 0)
  }
}
