"""A scripted conversation with every method of every revision, each answer held against the wire models.

    run.sh schema [--story fixture|maven] [--transport stdio|http] [--revision DATE]

Where the models leave the code of an error open, the script says which one the protocol asks for.
"""

import argparse
import sys
from collections import Counter
from contextlib import ExitStack
from random import Random

from mutations import Corpus
from oracle import Conversation
from programs import CheckFailed, HTTPServer, check, fixture
from wire import (
    BASE_HEADERS, ENVELOPE, INITIALIZED, NEWEST, Connection, StdioServer, compact, initialize, modern_headers, parse, post,
    request,
)
from workspace import Workspace

REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25", NEWEST]


class StdioTalk:
    def __init__(self, command, conversation):
        self.server = StdioServer(command)
        self.conversation = conversation

    def ask(self, message):
        """Sends a request; returns its reply. All that comes on the way is judged."""
        self.conversation.sent(message)
        reply, before = self.server.call(message)
        for value in [*before, reply]:
            self.conversation.received(value)
        return reply

    def say(self, message):
        self.conversation.sent(message)
        self.server.send(message)

    def raw(self, data):
        """Sends bytes that get an error without an id."""
        lines = self.server.exchange(data + b"\n", lambda line: "error" in parse(line))
        for line in lines:
            self.conversation.received(parse(line))
        return parse(lines[-1])

    def listen(self, message, provoke):
        """Opens a stream, sends a request that makes it speak, and ends it. Returns the messages of the stream."""
        got = []
        for sent, mark in ((message, b"acknowledged"), (provoke, b"resources/updated")):
            self.conversation.sent(sent)
            lines = self.server.exchange(compact(sent) + b"\n", lambda line: mark in line)
            got += [parse(line) for line in lines]
        self.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": message["id"]}})
        for value in got:
            self.conversation.received(value)
        return [value for value in got if "method" in value]

    def start(self, revision):
        if revision != NEWEST:
            reply = self.ask(initialize("start", revision))
            check(reply["result"]["protocolVersion"] == revision, f"{reply}")
            self.say(INITIALIZED)

    def finish(self):
        lines, status = self.server.finish()
        for line in lines:
            self.conversation.received(parse(line))
        check(status == 0, f"status {status} at the end of input")

    def close(self):
        self.server.kill()


class HTTPTalk:
    def __init__(self, port, conversation):
        self.port = port
        self.connection = Connection(port)
        self.conversation = conversation
        self.headers = []

    def post(self, message, headers=None):
        modern = "io.modelcontextprotocol/protocolVersion" in str(message.get("params", {}).get("_meta", {}))
        if headers is None:
            headers = modern_headers(message) if modern else self.headers
        response = self.connection.post(compact(message), headers)
        check(response is not None, f"the connection ended after {message}")
        for value in response.messages:
            self.conversation.received(value, modern)
        return response

    def ask(self, message):
        self.conversation.sent(message)
        response = self.post(message)
        check(response.messages, f"status {response.status} without a message for {message}")
        return response.messages[-1]

    def say(self, message):
        self.conversation.sent(message)
        response = self.post(message)
        check(response.status == 202 and not response.body, f"{response.status} {response.body!r} for {message}")

    def raw(self, data):
        response = self.connection.post(data, self.headers)
        check(response.status == 400, f"{response.status} for {data!r}")
        for value in response.messages:
            self.conversation.received(value)
        return response.messages[-1]

    def listen(self, message, provoke):
        self.conversation.sent(message)
        got = []
        with Connection(self.port) as connection:
            connection.send(post(self.port, compact(message), modern_headers(message)))
            status, headers = connection.head()
            check(status == 200, f"{status} for a listening stream")
            events = connection.events(headers)
            got.append(next(events))
            self.ask(provoke)
            got.append(next(events))
        for value in got:
            self.conversation.received(value, True)
        return got

    def start(self, revision):
        if revision == NEWEST:
            return
        message = initialize("start", revision)
        self.conversation.sent(message)
        response = self.post(message, [])
        check(response.messages[-1]["result"]["protocolVersion"] == revision, f"{response.body!r}")
        self.headers = [("MCP-Protocol-Version", revision)]
        if (identifier := response.header("mcp-session-id")) is not None:
            self.headers.append(("Mcp-Session-Id", identifier))
        self.say(INITIALIZED)

    def finish(self):
        self.connection.close()

    close = finish


class Script:
    """The conversation, the same for both transports and both programs."""

    def __init__(self, talk, revision, story):
        self.talk, self.story = talk, story
        self.modern = revision == NEWEST
        self.last = 0

    def ask(self, method, params=None, id=None):
        self.last += 1
        return self.talk.ask(request(method, params, self.last if id is None else id, self.modern))

    def result(self, method, params=None, id=None):
        reply = self.ask(method, params, id)
        check("result" in reply, f"{method} {params}: {reply}")
        return reply["result"]

    def error(self, code, method, params=None, id=None):
        reply = self.ask(method, params, id)
        check("error" in reply and reply["error"]["code"] == code, f"{method} {params} should be {code}: {reply}")
        return reply["error"]

    def pages(self, method, key):
        items, cursor = [], None
        for _ in range(1000):
            result = self.result(method, {"cursor": cursor} if cursor is not None else {})
            items += result[key]
            cursor = result.get("nextCursor")
            if cursor is None:
                return items
        raise CheckFailed(f"{method} has no last page")

    def run(self):
        corpus = Corpus(lambda method: self.result(method))
        self.lists(corpus)
        self.calls(corpus)
        self.ids()
        self.errors()
        if self.modern:
            self.newest()
        else:
            self.handshake()

    def lists(self, corpus):
        self.pages("tools/list", "tools")
        for item in self.pages("resources/list", "resources"):
            self.result("resources/read", {"uri": item["uri"]})
        self.pages("resources/templates/list", "resourceTemplates")
        for prompt in self.pages("prompts/list", "prompts"):
            arguments = {item["name"]: "x" for item in prompt.get("arguments", [])}
            self.result("prompts/get", {"name": prompt["name"], "arguments": arguments})
            for name in arguments:
                self.result("completion/complete", {
                    "ref": {"type": "ref/prompt", "name": prompt["name"]}, "argument": {"name": name, "value": ""}})
        for template in corpus.templates:
            start, end = template.find("{"), template.find("}")
            found = self.result("completion/complete", {
                "ref": {"type": "ref/resource", "uri": template}, "argument": {"name": template[start + 1:end], "value": ""}})
            for value in found["completion"]["values"][:5]:
                self.result("resources/read", {"uri": template[:start] + value + template[end + 1:]})

    def calls(self, corpus):
        random = Random(1)
        for tool in corpus.tools:
            arguments = {name: corpus.value(random, member) for name, member in tool["inputSchema"].get("properties", {}).items()
                         if name in tool["inputSchema"].get("required", [])}
            for token in ("token", 7):
                meta = {"progressToken": token}
                if self.modern:
                    meta["io.modelcontextprotocol/logLevel"] = "debug"
                self.result("tools/call", {"name": tool["name"], "arguments": arguments, "_meta": meta})
            self.result("tools/call", {"name": tool["name"], "arguments": {"no such argument": [None]}})

    def ids(self):
        for id in (0, "", "7", 7, -1, 9007199254740993, "é\u2028", "x" * 60):
            self.result("tools/list", {}, id)

    def errors(self):
        missing = -32602 if self.modern else -32002
        self.error(-32601, "no/such/method")
        self.error(-32601, "notifications/initialized")
        self.error(-32602, "tools/call", {"name": "no_such_tool", "arguments": {}})
        self.error(-32602, "tools/call", {"name": 5})
        self.error(-32602, "prompts/get", {"name": "no such prompt"})
        self.error(missing, "resources/read", {"uri": "test://nothing/at/all"})
        for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
            self.error(-32602, method, {"cursor": "bm8gY3Vyc29y"})
        self.error(-32602, "completion/complete", {
            "ref": {"type": "ref/prompt", "name": "no such prompt"}, "argument": {"name": "x", "value": ""}})

    def handshake(self):
        self.result("ping")
        self.result("logging/setLevel", {"level": "debug"})
        self.error(-32602, "logging/setLevel", {"level": "loud"})
        self.error(-32601, "server/nothing")
        uri = self.pages("resources/list", "resources")[0]["uri"]
        self.result("resources/subscribe", {"uri": uri})
        self.result("resources/unsubscribe", {"uri": uri})
        for data, code in ((b"{", -32700), (b"\xff", -32700), (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
                           (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600), (b'5', -32600),
                           (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600)):
            reply = self.talk.raw(data)
            check(reply["error"]["code"] == code and "id" not in reply, f"{data!r} should be {code} without an id: {reply}")

    def newest(self):
        discovered = self.result("server/discover")
        check(NEWEST in discovered["supportedVersions"], f"{discovered}")
        for method in ("initialize", "ping", "logging/setLevel", "resources/subscribe"):
            self.error(-32601, method, {})
        if isinstance(self.talk, StdioTalk):
            # Over HTTP a header has to say the same, which is tested with the headers.
            error = self.error(-32022, "tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": "1999-01-01"}})
            check(error["data"]["requested"] == "1999-01-01" and NEWEST in error["data"]["supported"], f"{error}")
        self.last += 1
        bare = request("tools/list", {"_meta": {key: value for key, value in ENVELOPE.items() if "Capabilities" not in key}}, self.last)
        reply = self.talk.ask(bare)
        check(reply["error"]["code"] == -32602, f"{reply}")
        if self.story == "fixture":
            self.subscription()

    def subscription(self):
        uri = "test://watched-resource"
        for id in ("listen", 99):
            message = request("subscriptions/listen", {"notifications": {"resourceSubscriptions": [uri]}}, id, True)

            touch = request("tools/call", {"name": "test_touch", "arguments": {}}, f"touch-{id}", True)
            got = self.talk.listen(message, touch)
            for value in got:
                if value.get("method", "").startswith("notifications/"):
                    tag = value["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"]
                    check(type(tag) is type(id) and tag == id, f"another subscription: {value}")
            check(got[0]["method"] == "notifications/subscriptions/acknowledged", f"{got[0]}")


def converse(story, transport, revision, command, server):
    conversation = Conversation(f"{story}, {revision}, {transport}")
    talk = StdioTalk(command, conversation) if transport == "stdio" else HTTPTalk(server.port, conversation)
    try:
        talk.start(revision)
        Script(talk, revision, story).run()
        talk.finish()
    except (CheckFailed, ValueError, KeyError) as error:
        conversation.problems.append(f"{conversation.name}: {type(error).__name__}: {error}")
    finally:
        talk.close()
    return conversation


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--story", action="append", choices=["fixture", "maven"])
    options.add_argument("--transport", action="append", choices=["stdio", "http"])
    options.add_argument("--revision", action="append", choices=REVISIONS)
    arguments = options.parse_args()
    problems, counts = 0, Counter()
    for story in arguments.story or ["fixture", "maven"]:
        for transport in arguments.transport or ["stdio", "http"]:
            with ExitStack() as stack:
                workspace = stack.enter_context(Workspace()) if story == "maven" else None
                command = fixture() if workspace is None else workspace.command("mcp" if transport == "stdio" else "serve")
                try:
                    server = None
                    if transport == "http":
                        server = stack.enter_context(HTTPServer(command, "--port" if workspace else "--http"))
                except CheckFailed as error:
                    problems += 1
                    print(f"{story} over {transport}: {error}", file=sys.stderr)
                    continue
                for revision in arguments.revision or REVISIONS:
                    conversation = converse(story, transport, revision, command, server)
                    counts.update(conversation.counts)
                    problems += len(conversation.problems)
                    said = "failed" if conversation.problems else "passed"
                    print(f"{said}: {conversation.name}, {sum(conversation.counts.values())} messages", flush=True)
                    for problem in conversation.problems[:20]:
                        print(f"  {problem}", file=sys.stderr)
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(f"messages held against the models: {said}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
