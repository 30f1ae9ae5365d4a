"""Makes inputs for a server: proper messages from what the server lists, and the ways to spoil them.

Everything is drawn from one generator of random numbers, so that a seed gives the same inputs again.
"""

import json

from wire import NEWEST, request

TEXTS = [
    "", "x", "BTC", "café €", "\u2028\u2029\u0085", "a\r\nb", "\x00", "\x1b[31m", "\ufeff", "‮txt", "e\u0301", "𝄞" * 9,
    "-x", "--upload-pack=touch x", "ext::sh -c true", "../../.git/config", "/etc/passwd", "%2e%2e%2f", "a/../b",
    "# Decision Record", "**Timestamp:** 2020-01-01T00:00:00Z", "## [2020-01-01T00:00:00Z] FORGED", "---", "```", "}" * 40,
    "'; DROP TABLE maven_decisions; --", "$(id)", "\\u0000", "A" * 5_000, "null", "NaN", "=?base64?eA==?=", "=?base64?!?=",
]
NUMBERS = ["0", "-1", "1", "100", "101", "1.5", "1.0", "1e2", "-0", "9007199254740993", "18446744073709551616", "1e400",
           "-1e400", "1E-999", "0.1", "12345678901234567890123456789012345678901234567890"]
BROKEN = ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x10", "tru", "nul", "'x'", "{,}", "[1,]", "{\"a\":}",
          "\"\\x\"", "\"\\u12\"", "\"\t\"", "/**/1", "1 1", ""]
SURROGATES = ['"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d"']
BYTES = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r",
         b"\n", b"\r\n", b"\t", b"\x0b", b"\x85", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\xfe\xff", b"1e9999"]
METHODS = ["", "x", "tools", "tools/", "TOOLS/LIST", "tools/list ", "rpc.discover", "initialize", "ping", "server/discover",
           "notifications/initialized", "notifications/cancelled", "notifications/unknown", "tasks/get", "sampling/createMessage",
           "elicitation/create", "roots/list", "tools/list\u0000", "subscriptions/listen", "completion/complete"]


class Raw(str):
    """JSON text to be written as it is."""


class Pairs(list):
    """The members of an object, where a key may come twice."""


def encode(value):
    """JSON text, with Raw and Pairs as they say."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{encode(member)}" for key, member in value) + "}"
    if isinstance(value, dict):
        return encode(Pairs(value.items()))
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


#: Tools of the fixture that are as a client expects. Its others crash, fail, wait or answer at length on purpose.
SLOW = {"test_tool_with_logging", "test_tool_with_progress"}
ORDINARY = SLOW | {
    "test_simple_text", "test_image_content", "test_audio_content", "test_embedded_resource", "test_multiple_content_types",
    "test_error_handling", "test_structured", "test_stats", "test_noise", "test_touch"}


class Corpus:
    """Proper messages for one server, from what it lists. `call` makes a list request and returns its result."""

    def __init__(self, call, writes=0.02):
        self.tools = [tool for tool in call("tools/list")["tools"]
                      if tool["name"] in ORDINARY or not tool["name"].startswith("test_")]
        self.resources = [item["uri"] for item in call("resources/list")["resources"]]
        self.templates = [item["uriTemplate"] for item in call("resources/templates/list")["resourceTemplates"]]
        self.prompts = call("prompts/list")["prompts"]
        #: The share of calls that change records; each of them is a commit on disk.
        self.writes = writes
        #: Whether tools that take long are called too: a batch lasts as long as the slowest of them.
        self.patient = False

    def message(self, random, id):
        """A request or notification as a client would send it, of either era."""
        modern = random.random() < 0.5
        kind = random.choices(
            ["plain", "call", "read", "prompt", "complete", "notification", "subscribe", "listen"],
            [25, 30, 15, 10, 5, 8, 4, 1])[0]
        if kind == "notification":
            message = random.choice([
                {"method": "notifications/initialized"},
                {"method": "notifications/cancelled", "params": {"requestId": random.choice([id, id - 1, 0, str(id)])}},
                {"method": "notifications/progress", "params": {"progressToken": id, "progress": 1}},
                {"method": "notifications/" + random.choice(["x", "", "roots/list_changed", "message"])}])
            return {"jsonrpc": "2.0", **message}
        if kind == "listen":
            filter = {"toolsListChanged": True, "resourceSubscriptions": self.resources[:2]}
            return request("subscriptions/listen", {"notifications": filter}, id, modern=True)
        if kind == "subscribe":
            verb = random.choice(["subscribe", "unsubscribe"])
            return request(f"resources/{verb}", {"uri": random.choice(self.resources)}, id)
        if kind == "plain":
            method = random.choice(["tools/list", "resources/list", "resources/templates/list", "prompts/list",
                                    "server/discover" if modern else "ping"])
            return request(method, {} if random.random() < 0.5 else None, id, modern)
        if kind == "call":
            params = self.tool_call(random)
            return request("tools/call", params, id, modern)
        if kind == "read":
            uri = random.choice(self.resources + [self.expand(random, text) for text in self.templates])
            return request("resources/read", {"uri": uri}, id, modern)
        prompt = random.choice(self.prompts)
        arguments = [item["name"] for item in prompt.get("arguments", [])]
        if kind == "prompt":
            return request("prompts/get", {
                "name": prompt["name"], "arguments": {name: self.text(random) for name in arguments}}, id, modern)
        return request("completion/complete", {
            "ref": {"type": "ref/prompt", "name": prompt["name"]},
            "argument": {"name": random.choice(arguments or ["x"]), "value": random.choice(["", "a", "x" * 99])}}, id, modern)

    def tool_call(self, random):
        tools = [tool for tool in self.tools if self.patient or tool["name"] not in SLOW]
        quiet = [tool for tool in tools if tool.get("annotations", {}).get("readOnlyHint")]
        loud = [tool for tool in tools if tool not in quiet]
        tool = random.choice(loud if loud and (not quiet or random.random() < self.writes) else quiet)
        schema = tool["inputSchema"]
        required = schema.get("required", [])
        arguments = {name: self.value(random, member) for name, member in schema.get("properties", {}).items()
                     if name in required or random.random() < 0.3}
        return {"name": tool["name"], "arguments": arguments}

    def value(self, random, schema):
        if "enum" in schema:
            return random.choice(schema["enum"])
        kind = schema.get("type", "string")
        kind = random.choice(kind) if isinstance(kind, list) else kind
        if kind == "string":
            return self.text(random)
        if kind in ("number", "integer"):
            return random.choice([0, 1, 50, 100, 98.125 if kind == "number" else 7])
        if kind == "boolean":
            return random.random() < 0.5
        if kind == "array":
            return [self.value(random, schema.get("items", {})) for _ in range(random.randrange(3))]
        return {"k": self.text(random), "n": random.randrange(9), "l": [1, {"x": None}]}

    def text(self, random):
        return random.choice(TEXTS) if random.random() < 0.3 else f"text {random.randrange(1000)}"

    def expand(self, random, template):
        start, end = template.find("{"), template.find("}")
        return template[:start] + random.choice(TEXTS[:20] + ["1"]) + template[end + 1:] if start >= 0 else template


def places(value, path=()):
    """The paths of all values inside a message."""
    yield path
    if isinstance(value, (dict, list)) and not isinstance(value, Pairs):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            yield from places(member, (*path, key))


def replaced(value, path, change):
    """A copy with the value at path changed. `change` returns the new value, or raises KeyError to drop it."""
    if not path:
        return change(value)
    first, *rest = path
    if isinstance(value, dict):
        result = dict(value)
    else:
        result = list(value)
    try:
        result[first] = replaced(value[first], rest, change)
    except KeyError:
        del result[first]
    return result


def odd_value(random):
    kind = random.randrange(10)
    if kind < 3:
        return random.choice(TEXTS)
    if kind < 5:
        return Raw(random.choice(NUMBERS))
    if kind == 5:
        return Raw(random.choice(BROKEN))
    if kind == 6:
        return Raw(random.choice(SURROGATES))
    if kind == 7:
        depth = random.choice([5, 30, 65, 130, 600, 5_000])
        mark = random.choice(["[]", "{}"])
        return Raw("[" * depth + "]" * depth if mark == "[]" else '{"a":' * depth + "1" + "}" * depth)
    return random.choice([None, True, False, [], {}, [1], {"a": 1}, 0, -1, "2.0", NEWEST, "2025-11-25"])


def spoil(random, message):
    """Changes a message as JSON, at one place."""
    kind = random.randrange(10)
    if kind == 0:
        return message | {"id": odd_value(random)}
    if kind == 1:
        return message | {"method": random.choice(METHODS)}
    if kind == 2:
        return {key: value for key, value in message.items() if key != random.choice(["jsonrpc", "id", "method", "params"])}
    if kind == 3:
        members = Pairs(message.items())
        members.insert(random.randrange(len(members) + 1), (random.choice(list(message)), odd_value(random)))
        return members
    if kind == 4:
        return random.choice([[message], [message, message], [], [1], "text", 5, None, True, {}])
    if kind == 5:
        return message | {random.choice(["result", "error", "x", "ID", "jsonrpc "]): odd_value(random)}
    path = random.choice(list(places(message)))
    if not path:
        return odd_value(random)
    def change(value):
        if random.random() < 0.25:
            raise KeyError
        return odd_value(random)
    return replaced(message, path, change)


def shake(random, data):
    """Changes a message as bytes, at one or a few places."""
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(7)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << random.randrange(8)
        elif kind == 1:
            del data[at:at + random.choice([1, 1, 2, 8, 64])]
        elif kind == 2:
            data[at:at] = random.choice(BYTES)
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = bytes(random.randrange(256) for _ in range(random.randrange(1, 9)))
        elif kind == 5:
            other = random.randrange(len(data) + 1)
            data[at:at] = data[other:other + 40]
        else:
            data[:0] = random.choice([b" ", b"\t", b"\xef\xbb\xbf", b"[", b"Content-Length: 10\r\n\r\n"])
    return bytes(data)


def inputs(random, corpus, count, first):
    """Bytes of inputs, without line ends. About a third are proper; ids count up from first."""
    for id in range(first, first + count):
        message = corpus.message(random, id if random.random() < 0.8 else -id)
        if "id" in message and random.random() < 0.2:
            message["id"] = random.choice([str(id), f"ü{id}", f"{id}\u2028", 0 if random.random() < 0.1 else id])
        choice = random.random()
        if choice < 0.3:
            yield encode(message).encode("utf-8")
        elif choice < 0.7:
            yield encode(spoil(random, message)).encode("utf-8", "surrogatepass")
        else:
            yield shake(random, encode(message).encode("utf-8"))
