"""Writes down what a client and a server say to each other: `record` beside a standard input and output, `Proxy` between
HTTP's two ends. `judge_stdio` and `judge_http` hold the record against the models.

    recorder.py LOG -- COMMAND [ARGUMENT...]

runs the command with every line of both directions in LOG, each after the letter of its sender, and ends with its
status. Only the standard library, since clients of either environment start it.
"""

import os
import socket
import subprocess
import sys
import threading


def record(path, command):
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    lock = threading.Lock()
    log = open(path, "ab", buffering=0)

    def pump(source, target, letter):
        rest = b""
        while chunk := os.read(source, 65536):
            *lines, rest = (rest + chunk).split(b"\n")
            with lock:
                for line in lines:
                    log.write(letter + line + b"\n")
            try:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(target, view):]
            except BrokenPipeError:
                break
        if rest:
            with lock:
                log.write(letter + b"!" + rest + b"\n")

    def feed():
        pump(0, server.stdin.fileno(), b"c")
        server.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    pump(server.stdout.fileno(), 1, b"s")
    status = server.wait()
    with lock:
        log.write(b"x%d\n" % status)
    return status


class Proxy:
    """Passes connections on to a port of this machine and keeps the bytes of both directions.

    `connections` holds a pair of byte strings for each: what the client sent, and what the server answered.
    """

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (bytearray(), bytearray())
            self.connections.append(pair)
            for source, sink, kept in ((client, server, pair[0]), (server, client, pair[1])):
                threading.Thread(target=self.pump, args=(source, sink, kept), daemon=True).start()

    @staticmethod
    def pump(source, sink, kept):
        try:
            while chunk := source.recv(65536):
                kept += chunk
                sink.sendall(chunk)
        except OSError:
            pass
        # The end of one direction ends both, as it does for a client and a server without a proxy.
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def judge_stdio(conversation, path):
    """Feeds a log into a conversation of the oracle."""
    from wire import parse

    for entry in open(path, "rb").read().split(b"\n")[:-1]:
        letter, line = entry[:1], entry[1:]
        if letter == b"x":
            if line != b"0":
                conversation.problems.append(f"{conversation.name}: the server ended with status {line.decode()}")
            continue
        if letter == b"s" and line.startswith(b"!"):
            conversation.problems.append(f"{conversation.name}: a last line without an end: {line[:200]!r}")
            continue
        try:
            message = parse(line)
        except ValueError as error:
            if letter == b"s":
                conversation.problems.append(f"{conversation.name}: {error}: {line[:200]!r}")
            continue
        if letter == b"s":
            conversation.received(message)
        else:
            conversation.sent(message)


def judge_http(conversation, connections):
    """Feeds recorded connections into a conversation of the oracle: each request, then what answered it."""
    from wire import NEWEST, parse

    for sent, answered in connections:
        requests, answers = Recorded(bytes(sent)), Recorded(bytes(answered))
        while (request := requests.request()) is not None:
            verb, headers, body = request
            answer = answers.answer(verb)
            if verb == "POST":
                conversation.sent(parse(body))
            if answer is None:
                break
            status, fields, messages = answer
            modern = headers.get("mcp-protocol-version") == NEWEST
            for message in messages:
                conversation.received(message, modern)
            judge_answer(conversation, verb, headers, status, fields, modern)


def judge_answer(conversation, verb, headers, status, fields, modern):
    def problem(text):
        conversation.problems.append(f"{conversation.name}: {verb} with {headers}: {text}: {status} {fields}")

    kind = fields.get("content-type", "").split(";")[0]
    if status == 200 and verb == "POST" and kind not in ("application/json", "text/event-stream"):
        problem("an answer of another type than JSON or an event stream")
    if kind == "text/event-stream" and fields.get("x-accel-buffering") != "no":
        problem("an event stream that a proxy may hold back")
    if modern and "mcp-session-id" in fields:
        problem(f"a session in a revision that has none")
    if status >= 500:
        problem("a failure of the server")


class Recorded:
    """One direction of a recorded connection."""

    def __init__(self, data):
        from wire import Connection

        self.reader = Connection.__new__(Connection)
        self.reader.buffer = data
        self.reader.fill = lambda: False

    def request(self):
        head = self.reader.until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return first.split(" ")[0], headers, b"".join(self.reader.pieces(list(headers.items())))

    def answer(self, verb):
        """The status, headers and messages of an answer, as far as it was recorded."""
        from programs import CheckFailed
        from wire import event_data, parse

        head = self.reader.head()
        if head is None:
            return None
        status, headers = head
        fields, body = dict(headers), b""
        if status not in (204, 304):
            try:
                for piece in self.reader.pieces(headers):
                    body += piece
            except CheckFailed:
                self.reader.buffer = b""  # The client left in the middle.
        kind = fields.get("content-type", "").split(";")[0]
        if kind == "text/event-stream":
            whole = body[:body.replace(b"\r\n", b"\n").rfind(b"\n\n") + 2]
            return status, fields, [parse(data) for data in event_data(whole) if data]
        return status, fields, [parse(body)] if kind == "application/json" and body else []


if __name__ == "__main__":
    sys.exit(record(sys.argv[1], sys.argv[3:]))
