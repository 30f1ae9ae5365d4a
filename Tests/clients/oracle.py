"""Holds what a server sent against the wire models of each revision, and against what the models cannot say.

The models come with the SDK. They ignore unknown fields, so each value is also compared with what its model kept of
it: a field that is lost is one that the revision does not know.
"""

import base64
import json
from functools import cache

import jsonschema
import mcp_types._v2025_11_25 as handshake_types
import mcp_types._v2026_07_28 as newest_types
from mcp_types.methods import SERVER_NOTIFICATIONS, SERVER_REQUESTS, SERVER_RESULTS
from pydantic import TypeAdapter, ValidationError

from wire import HANDSHAKE, NEWEST, compact, same

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"
TOKEN_KEY = "progressToken"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
#: Codes that a server of the handshake revisions may send, and those of the newest.
HANDSHAKE_CODES = {-32700, -32600, -32601, -32602, -32603, -32002}
NEWEST_CODES = {-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022}
CACHEABLE = {"server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list",
             "resources/read"}
LONGEST_RESULT = 25_000
LONGEST_TOOL_LIST = 2_000 * 4  # four characters a token


@cache
def adapter(model):
    return TypeAdapter(model)


def lost(value, kept, path="$"):
    """The paths of the fields of value that kept lacks."""
    if isinstance(value, dict) and isinstance(kept, dict):
        for key, member in value.items():
            if key in kept:
                yield from lost(member, kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(value, list) and isinstance(kept, list):
        for index, (member, other) in enumerate(zip(value, kept)):
            yield from lost(member, other, f"{path}[{index}]")


def violations(model, value):
    """What is wrong with a JSON value as a model of the wire, as sentences."""
    checked = adapter(model)
    try:
        parsed = checked.validate_json(json.dumps(value), strict=True, by_name=False)
    except ValidationError as error:
        return [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
    kept = checked.dump_python(parsed, mode="json", by_alias=True, exclude_unset=True)
    return [f"{path} is no field of the model" for path in lost(value, kept)]


class Conversation:
    """One client's exchange with a server: remembers the requests, and judges each message that comes back.

    `problems` has each kind of violation once; `counts` says how many messages of which kind were judged.
    """

    def __init__(self, name):
        self.name = name
        self.version = HANDSHAKE
        self.waiting = []
        self.tools = {}
        self.tokens = {}
        self.problems = []
        self.told = set()
        self.counts = {}

    def problem(self, message, text):
        if text in self.told:
            return
        self.told.add(text)
        shown = json.dumps(message, ensure_ascii=False)
        self.problems.append(f"{self.name}: {text}\n    in {shown[:400]}")

    def sent(self, message):
        """A message of the client, parsed. Anything but a proper request or notification is no concern of the models."""
        if not (isinstance(message, dict) and isinstance(message.get("method"), str) and "id" in message):
            return
        meta = (message.get("params") or {}).get("_meta") or {} if isinstance(message.get("params", {}), dict) else {}
        modern = VERSION_KEY in meta
        self.waiting.append((message, NEWEST if modern else None))
        if TOKEN_KEY in meta:
            self.tokens[json.dumps(meta[TOKEN_KEY])] = None

    def received(self, message, modern=None):
        """A message of the server, parsed; modern when the transport knows the era, else told from the request."""
        if not isinstance(message, dict):
            return self.problem(message, "a message is no object")
        kind = "notification" if "method" in message else "error" if "error" in message else "result"
        if kind == "notification":
            if "id" in message:
                return self.request(message, modern)
            return self.notification(message, modern)
        asked = None
        for index, (candidate, version) in enumerate(self.waiting):
            if "id" in message and same(candidate["id"], message["id"]):
                asked = (candidate, version or self.version)
                del self.waiting[index]
                break
        if kind == "error":
            return self.error(message, asked, modern)
        self.count("result")
        if asked is None:
            return self.problem(message, "a result that answers no request")
        self.result(message, *asked)

    def count(self, kind):
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def types(self, version):
        return newest_types if version == NEWEST else handshake_types

    def request(self, message, modern):
        self.count("request")
        if modern or (message.get("method"), self.version) not in SERVER_REQUESTS:
            self.problem(message, "a request that this revision lets no server send")

    def notification(self, message, modern):
        self.count(message["method"])
        meta = (message.get("params") or {}).get("_meta") or {}
        version = NEWEST if modern or SUBSCRIPTION_KEY in meta else self.version
        model = SERVER_NOTIFICATIONS.get((message["method"], version))
        if model is None:
            return self.problem(message, f"no notification of {version}")
        for text in violations(model, message):
            self.problem(message, text)
        if message["method"] == "notifications/progress":
            params = message["params"]
            token = json.dumps(params["progressToken"])
            if token not in self.tokens:
                return self.problem(message, "progress for a token that no open request gave")
            before = self.tokens[token]
            if before is not None and params["progress"] <= before:
                self.problem(message, f"progress does not increase from {before}")
            self.tokens[token] = params["progress"]

    def error(self, message, asked, modern):
        self.count("error")
        version = asked[1] if asked else NEWEST if modern else self.version
        for text in violations(self.types(version).JSONRPCErrorResponse, message):
            self.problem(message, text)
        if "id" in message and message["id"] is None:
            self.problem(message, "an error with the id null instead of none")
        if "id" in message and asked is None:
            self.problem(message, "an error that answers no request")
        code = message["error"].get("code")
        if code not in (NEWEST_CODES if version == NEWEST else HANDSHAKE_CODES | NEWEST_CODES):
            self.problem(message, f"the code {code} does not belong to {version}")
        special = {-32020: newest_types.HeaderMismatchError, -32021: newest_types.MissingRequiredClientCapabilityError,
                   -32022: newest_types.UnsupportedProtocolVersionError}.get(code)
        if special is not None:
            for text in violations(special, message):
                self.problem(message, text)

    def result(self, message, asked, version):
        method, value = asked["method"], message["result"]
        for text in violations(self.types(version).JSONRPCResultResponse, {**message, "result": {
                key: member for key, member in value.items() if key in ("_meta", "resultType")}}):
            self.problem(message, text)
        if method == "initialize":
            version = self.version = value.get("protocolVersion", self.version)
        model = SERVER_RESULTS.get((method, version))
        if model is None:
            return self.problem(message, f"{version} has no method {method}, and it was answered")
        wrong = violations(model, value)
        for text in wrong:
            self.problem(message, f"{method}: {text}")
        if version == NEWEST:
            if "resultType" not in value:
                self.problem(message, "a result without resultType")
            if SERVER_KEY not in value.get("_meta", {}):
                self.problem(message, "a result that does not name the server")
            if method in CACHEABLE and not (value.get("ttlMs", -1) >= 0 and value.get("cacheScope")):
                self.problem(message, f"{method} without ttlMs or cacheScope")
        elif "resultType" in value or "ttlMs" in value:
            self.problem(message, f"a field of {NEWEST} in a result of {version}")
        if not wrong:
            self.content(message, asked, value)

    def content(self, message, asked, value):
        """What holds in every revision and stands in no model."""
        method = asked["method"]
        if method == "tools/list":
            self.tool_list(message, value)
        elif method == "tools/call":
            self.tool_result(message, asked["params"]["name"], value)
        elif method == "resources/read":
            if not value["contents"]:
                self.problem(message, "empty contents")
            for item in value["contents"]:
                if item["uri"] != asked["params"]["uri"]:
                    self.problem(message, f"contents of another URI than the one asked: {item['uri']}")
                if ("text" in item) == ("blob" in item):
                    self.problem(message, "contents with both or neither of text and blob")
                if "blob" in item:
                    base64.b64decode(item["blob"], validate=True)
        elif method == "completion/complete" and len(value["completion"]["values"]) > 100:
            self.problem(message, "more than 100 completions")
        if len(compact(value)) > LONGEST_RESULT + 2_000:
            self.problem(message, f"a result over {LONGEST_RESULT} characters")
        if TOKEN_KEY in (asked.get("params", {}).get("_meta") or {}):
            self.tokens.pop(json.dumps(asked["params"]["_meta"][TOKEN_KEY]), None)

    def tool_list(self, message, value):
        names = [tool["name"] for tool in value["tools"]]
        if len(set(names)) != len(names):
            self.problem(message, "a tool is listed twice")
        # What a client puts before its model; the schemas of results stay with the client.
        size = len(compact([{key: member for key, member in tool.items() if key != "outputSchema"} for tool in value["tools"]]))
        if size > LONGEST_TOOL_LIST:
            self.problem(message, f"the list of tools has {size} characters, more than {LONGEST_TOOL_LIST}")
        for tool in value["tools"]:
            self.tools[tool["name"]] = tool
            hints = tool.get("annotations", {})
            for hint in ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"):
                if hint not in hints:
                    self.problem(tool, f"{hint} is not given")
            for key in ("inputSchema", "outputSchema"):
                schema = tool.get(key)
                if schema is None:
                    continue
                try:
                    jsonschema.Draft202012Validator.check_schema(schema)
                except jsonschema.SchemaError as error:
                    self.problem(tool, f"{key} is no schema: {error.message}")
                if schema.get("type") != "object" or {"oneOf", "anyOf", "allOf"} & schema.keys():
                    self.problem(tool, f"{key} is not a plain object at its root")
                if "draft-07" in json.dumps(schema):
                    self.problem(tool, f"{key} names draft 7")

    def tool_result(self, message, name, value):
        tool = self.tools.get(name)
        structured = value.get("structuredContent")
        if value.get("isError"):
            return
        if tool is not None and "outputSchema" in tool:
            if structured is None:
                return self.problem(message, f"{name} has an output schema, and this result no structured content")
            for error in jsonschema.Draft202012Validator(tool["outputSchema"]).iter_errors(structured):
                self.problem(message, f"{name}: structured content: {error.message}")
        if structured is not None:
            texts = [block["text"] for block in value["content"] if block["type"] == "text"]
            if not any(parses_as(text, structured) for text in texts):
                self.problem(message, f"{name}: no text block holds the structured content")


def parses_as(text, value):
    try:
        return json.loads(text) == value
    except ValueError:
        return False
