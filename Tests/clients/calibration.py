"""Checks the checkers: what each of them has to find, planted.

    run.sh calibration

A server that drops, doubles or changes one message has to fail the fuzzer; messages with one fault each have to fail the
models; and the inputs whose answer the protocol fixes have to be told apart.
"""

import json
import os
import random
import subprocess
import sys
import threading
from copy import deepcopy

from expectations import expect
from fuzz import StdioTarget
from mutations import inputs
from oracle import SERVER_KEY, Conversation
from programs import CheckFailed, Command, check, fixture
from wire import HANDSHAKE, request


def answer(key):
    return {key: (1, 1)}, (0, 0)


NOTHING, REFUSAL = ({}, (0, 0)), ({}, (1, 1))
TABLE = [
    (b'{"jsonrpc":"2.0","id":7,"method":"ping"}', answer(("number", "7"))),
    (b'{"jsonrpc":"2.0","id":"7","method":"ping"}', answer(("text", "7"))),
    (b'{"jsonrpc":"2.0","id":"","method":"no/such/method","params":{}}\r', answer(("text", ""))),
    (b'{"jsonrpc":"2.0","id":0,"method":"tools/call"}', answer(("number", "0"))),
    (b'{"jsonrpc":"2.0","method":"ping"}', NOTHING),
    (b'{"jsonrpc":"2.0","method":"notifications/x","params":[1]}', NOTHING),
    (b"", NOTHING), (b"\r", NOTHING),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', REFUSAL),
    (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', REFUSAL),
    (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', REFUSAL),
    (b'[{"jsonrpc":"2.0","id":7,"method":"ping"}]', REFUSAL),
    (b'{"jsonrpc":"2.0","id":7,"method":"ping",}', REFUSAL),
    (b'{"jsonrpc":"2.0","id":7,"method":"ping","x":NaN}', REFUSAL),
    (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":7,"method":"ping"}', REFUSAL),
    (b'{"jsonrpc":"2.0","id":7,"method":"\xff"}', REFUSAL),
    (b"{}", REFUSAL), (b"5", REFUSAL),
]


def inputs_are_told_apart():
    for data, (ids, anonymous) in TABLE:
        told = expect(data)
        check((told.ids, told.anonymous) == (ids, anonymous), f"{data!r} is told as {told}")


#: Faults of a server on standard input: each takes a line and returns the lines to write in its place.
def typed(line):
    message = json.loads(line)
    message["id"] = str(message["id"]) if isinstance(message["id"], int) else 5
    return [json.dumps(message).encode()]


FAULTS = {
    "drops": lambda line: [],
    "doubles": lambda line: [line, line],
    "changes the type of the id": typed,
    "writes noise": lambda line: [b"a line of a library", line],
    "cuts a line in two": lambda line: [line[:20], line[20:]],
    "answers what nobody asked": lambda line: [line, b'{"jsonrpc":"2.0","id":"nobody","result":{}}'],
    "answers a notification": lambda line: [line, b'{"jsonrpc":"2.0","error":{"code":-32600,"message":"m"}}'],
    "asks the client": lambda line: [line, b'{"jsonrpc":"2.0","id":1,"method":"roots/list"}'],
    "has an internal error": lambda line: [
        json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], "error": {"code": -32603, "message": "m"}}).encode()],
    "invents a code": lambda line: [
        json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], "error": {"code": -32050, "message": "m"}}).encode()],
    "ends": lambda line: sys.exit(3),
}


def faulty_server(name, command):
    """Passes on what a sound server says, but for one reply, which gets the fault."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        while chunk := os.read(0, 65536):
            server.stdin.write(chunk)
            server.stdin.flush()
        server.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    replies = 0
    try:
        for line in server.stdout:
            line = line.rstrip(b"\n")
            lines = [line]
            if b'"id":' in line and b'"result":' in line:
                replies += 1
                # The first ones are the handshake and the lists.
                if replies == 40:
                    lines = FAULTS[name](line)
            for written in lines:
                os.write(1, written + b"\n")
    finally:
        server.kill()


def fuzzer_finds_faults():
    for name in [None, *FAULTS]:
        sound = fixture()
        command = sound
        if name is not None:
            command = Command([sys.executable, "-B", __file__, name, *sound.arguments], sound.environment)
        target = StdioTarget(command, writes=0)
        try:
            generator = random.Random(1)
            faults = []
            for number in range(2):
                data = [line for whole in inputs(generator, target.corpus, 100, number * 200 + 1) for line in whole.split(b"\n")]
                faults += target.exchange(target.server, data, 4096, f"end-{number}", patience=3)
                if faults:
                    break
        finally:
            target.close()
        check(bool(faults) == (name is not None), f"a server that {name or 'is sound'}: {faults[:3]}")


def models_find_faults():
    """One good answer of each kind, and its faults: a path, and the value that is put there (absent: None)."""
    server = {SERVER_KEY: {"name": "s", "version": "1"}}
    tool = {"name": "t", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object", "required": ["a"]},
            "annotations": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}}
    listed = {"resultType": "complete", "_meta": server, "tools": [tool], "ttlMs": 0, "cacheScope": "public"}
    called = {"content": [{"type": "text", "text": '{"a":1}'}], "structuredContent": {"a": 1}, "isError": False}
    read = {"contents": [{"uri": "u://x", "text": "t"}]}
    cases = [
        (request("tools/list", {}, 1, True), listed, [
            (("resultType",), None), (("_meta",), None), (("ttlMs",), None), (("ttlMs",), -1), (("cacheScope",), "all"),
            (("tools", 0, "inputSchema"), {"type": "array"}), (("tools", 0, "inputSchema"), {"type": "object", "oneOf": []}),
            (("tools", 0, "name"), 5), (("tools", 0, "extra"), 1), (("tools", 0, "annotations", "openWorldHint"), None),
            (("tools",), [tool, tool])]),
        (request("tools/call", {"name": "t", "arguments": {}}, 1), called, [
            (("content",), None), (("content", 0, "type"), "x"), (("structuredContent",), {"b": 1}), (("structuredContent",), None),
            (("structuredContent",), {"a": 2}), (("content", 0, "text"), "{}"), (("resultType",), "complete"), (("isError",), "no")]),
        (request("resources/read", {"uri": "u://x"}, 1), read, [
            (("contents",), []), (("contents", 0, "uri"), "u://y"), (("contents", 0, "blob"), "AAAA"), (("contents", 0, "text"), None)]),
        (request("no/such/method", {}, 1), {}, [((), None)]),
    ]
    for asked, result, faults in cases:
        for path, value in [(None, None), *faults]:
            spoiled = deepcopy(result)
            if path:
                place = spoiled
                for step in path[:-1]:
                    place = place[step]
                if value is None:
                    del place[path[-1]]
                else:
                    place[path[-1]] = value
            conversation = Conversation("calibration")
            conversation.version = HANDSHAKE
            conversation.tools["t"] = tool
            conversation.sent(asked)
            conversation.received({"jsonrpc": "2.0", "id": 1, "result": spoiled})
            fine = path is None and asked["method"] != "no/such/method"
            check(bool(conversation.problems) != fine, f"{asked['method']} {path} {value}: {conversation.problems}")


def messages_find_faults():
    for message in [
        {"jsonrpc": "2.0", "id": "1", "result": {}}, {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "m"}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1.5, "message": "m"}}, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32042, "message": "m"}},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 5, "progress": 1}},
        {"jsonrpc": "2.0", "method": "notifications/unknown"}, {"jsonrpc": "2.0", "id": 9, "method": "tools/list"},
        {"id": 1, "result": {}}, [], "text",
    ]:
        conversation = Conversation("calibration")
        conversation.sent(request("ping", None, 1))
        conversation.received(message)
        check(conversation.problems, f"nothing is wrong with {message}")
    conversation = Conversation("calibration")
    conversation.sent(request("ping", {"_meta": {"progressToken": "p"}}, 1))
    for progress in (1, 2, 2):
        check(not conversation.problems, f"{conversation.problems}")
        conversation.received({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "p", "progress": progress}})
    check(conversation.problems, "progress may stand still")


def main():
    failed = False
    for part in (inputs_are_told_apart, messages_find_faults, models_find_faults, fuzzer_finds_faults):
        try:
            part()
            print(f"passed: {part.__name__.replace('_', ' ')}", flush=True)
        except CheckFailed as error:
            failed = True
            print(f"failed: {part.__name__.replace('_', ' ')}\n  {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        faulty_server(sys.argv[1], sys.argv[2:])
    else:
        main()
