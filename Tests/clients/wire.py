"""The two transports as bytes: nothing here repairs, retries or hides what a server sends."""

import json
import os
import selectors
import socket
import subprocess
import time

from programs import PATIENCE, CheckFailed, Server, check

NEWEST = "2026-07-28"
HANDSHAKE = "2025-11-25"
#: What a client of the newest revision sends with every request.
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": NEWEST,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
}
#: The parameter whose value the header Mcp-Name repeats.
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def request(method, params=None, id=1, modern=False):
    """A request as a dictionary; with the newest revision's envelope when modern."""
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    if modern:
        params = {**(params or {}), "_meta": {**ENVELOPE, **(params or {}).get("_meta", {})}}
    if params is not None:
        message["params"] = params
    return message


def initialize(id=0, version=HANDSHAKE):
    return request("initialize", {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "wire", "version": "1"}}, id)


INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def reject_constant(text):
    raise ValueError(f"{text} is not JSON")


def strict_pairs(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key occurs twice: {keys}")
    return dict(pairs)


def parse(data):
    """The value of strict JSON: UTF-8, no constant that JSON lacks, no key twice. Throws ValueError."""
    return json.loads(data.decode("utf-8"), parse_constant=reject_constant, object_pairs_hook=strict_pairs)


class StdioServer(Server):
    """A server on standard input and output. Writing and reading go on together, so neither side can block."""

    def __init__(self, command):
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.input = self.process.stdin.fileno()
        self.output = self.process.stdout.fileno()
        os.set_blocking(self.input, False)
        os.set_blocking(self.output, False)
        self.rest = b""
        self.ended = False

    def exchange(self, data, enough, patience=PATIENCE, piece=65536):
        """Writes data in pieces and reads lines until enough(line) was true for one and all is written.

        Returns the lines without their line feeds. Throws CheckFailed on a timeout or when the output ends first.
        """
        pending = memoryview(data)
        lines, satisfied = [], False
        deadline = time.monotonic() + patience
        with selectors.DefaultSelector() as selector:
            selector.register(self.output, selectors.EVENT_READ)
            if pending:
                selector.register(self.input, selectors.EVENT_WRITE)
            while pending or not satisfied:
                left = deadline - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    raise CheckFailed(f"no answer within {patience:.0f} s; {len(pending)} bytes were not taken")
                for key, _ in ready:
                    if key.fd == self.input:
                        try:
                            pending = pending[os.write(self.input, pending[:piece]):]
                        except BlockingIOError:
                            continue
                        except BrokenPipeError:
                            raise CheckFailed(f"the server ended with status {self.process.wait()}")
                        if not pending:
                            selector.unregister(self.input)
                        continue
                    chunk = os.read(self.output, 262144)
                    if not chunk:
                        self.ended = True
                        raise CheckFailed(f"standard output ended, status {self.process.wait(PATIENCE)}")
                    *whole, self.rest = (self.rest + chunk).split(b"\n")
                    for line in whole:
                        lines.append(line)
                        satisfied = satisfied or enough(line)
        return lines

    def call(self, message, patience=PATIENCE):
        """Sends a request and returns its reply and the notifications before it, parsed."""
        wanted = message["id"]
        def answers(line):
            value = parse(line)
            return "method" not in value and same(value.get("id"), wanted)
        *before, reply = [parse(line) for line in self.exchange(compact(message) + b"\n", answers, patience)]
        return reply, before

    def send(self, message):
        """Writes a message whose answer, if any, is read later."""
        os.set_blocking(self.input, True)
        os.write(self.input, compact(message) + b"\n")
        os.set_blocking(self.input, False)

    def finish(self):
        """Closes standard input. Returns the lines that still came, and the exit status."""
        self.process.stdin.close()
        os.set_blocking(self.output, True)
        chunks = [self.rest]
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self.output, selectors.EVENT_READ)
            while True:
                check(selector.select(max(0, deadline - time.monotonic())), "the output stays open after end of input")
                chunk = os.read(self.output, 262144)
                if not chunk:
                    break
                chunks.append(chunk)
        text = b"".join(chunks)
        check(text == b"" or text.endswith(b"\n"), f"the last line is cut: {text[-80:]!r}")
        return text.split(b"\n")[:-1], self.process.wait(PATIENCE)


def same(left, right):
    """Whether two ids are the same, type included."""
    return type(left) is type(right) and left == right


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return next((value for key, value in self.headers if key == name), None)

    @property
    def messages(self):
        """The JSON-RPC messages of the body, in order; of an event stream, those of its events."""
        kind = (self.header("content-type") or "").split(";")[0].strip()
        if kind == "text/event-stream":
            return [parse(data) for data in event_data(self.body) if data]
        return [parse(self.body)] if self.body else []


def event_data(text):
    """The data of each event of a stream. Throws CheckFailed for a line that is no field and no comment."""
    for event in text.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = []
        for line in filter(None, event.split(b"\n")):
            name, _, value = line.partition(b":")
            check(name in (b"", b"data", b"event", b"id", b"retry"), f"a strange line in an event stream: {line!r}")
            if name == b"data":
                data.append(value.removeprefix(b" "))
        if data:
            yield b"\n".join(data)


class Connection:
    """A connection to an HTTP server, blocking, with a deadline for each answer.

    After an answer that says `Connection: close`, and only then, the next request goes over a new one.
    """

    def __init__(self, port, patience=PATIENCE):
        self.port, self.patience = port, patience
        self.open()

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=self.patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.is_closing = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def fill(self):
        """Reads more. False at the end of the stream."""
        try:
            chunk = self.socket.recv(262144)
        except ConnectionResetError:
            chunk = b""
        self.buffer += chunk
        return bool(chunk)

    def until(self, mark):
        while (end := self.buffer.find(mark)) < 0:
            if not self.fill():
                return None
        head, self.buffer = self.buffer[:end], self.buffer[end + len(mark):]
        return head

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise CheckFailed(f"the connection ended after {len(self.buffer)} of {count} bytes")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def head(self):
        """The status and headers of the next answer, names in lower case; None when the connection ended."""
        head = self.until(b"\r\n\r\n")
        if head is None:
            check(self.buffer == b"", f"the connection ended in a head: {self.buffer[:200]!r}")
            return None
        first, *lines = head.split(b"\r\n")
        version, status, *_ = first.split(b" ", 2)
        check(version == b"HTTP/1.1" and len(status) == 3, f"a strange status line: {first!r}")
        headers = [(name.strip().lower().decode("latin-1"), value.strip().decode("latin-1"))
                   for name, _, value in (line.partition(b":") for line in lines)]
        self.is_closing = ("connection", "close") in headers
        return int(status), headers

    def pieces(self, headers):
        """The body of an answer as it comes."""
        fields = dict(headers)
        if fields.get("transfer-encoding") == "chunked":
            while True:
                size = self.until(b"\r\n")
                check(size is not None, "the connection ended in a chunked body")
                length = int(size.split(b";")[0], 16)
                piece = self.exactly(length)
                check(self.exactly(2) == b"\r\n", "a chunk does not end where it says")
                if length == 0:
                    return
                yield piece
        elif "content-length" in fields:
            yield self.exactly(int(fields["content-length"]))

    def response(self):
        """The next answer with its whole body; None when the connection ended before one."""
        head = self.head()
        if head is None:
            return None
        status, headers = head
        body = b"" if status in (204, 304) else b"".join(self.pieces(headers))
        return Response(status, headers, body)

    def send(self, data):
        if self.is_closing:
            self.close()
            self.open()
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The answer that made the server close is still to be read.

    def post(self, body, headers=()):
        self.send(post(self.port, body, headers))
        return self.response()

    def events(self, headers):
        """The parsed messages of an event stream, one at a time as they come."""
        text = b""
        for piece in self.pieces(headers):
            text = (text + piece).replace(b"\r\n", b"\n")
            while (end := text.find(b"\n\n")) >= 0:
                event, text = text[:end + 2], text[end + 2:]
                yield from (parse(data) for data in event_data(event) if data)


BASE_HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"))


def post(port, body, headers=(), base=BASE_HEADERS, verb="POST"):
    """The bytes of a request to the endpoint."""
    lines = [f"{verb} /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (*base, *headers)]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body


def modern_headers(message):
    """The headers that a request of the newest revision needs."""
    headers = [("MCP-Protocol-Version", NEWEST), ("Mcp-Method", message["method"])]
    if message["method"] in NAMED:
        headers.append(("Mcp-Name", message["params"][NAMED[message["method"]]]))
    return headers


class Session:
    """A session of the handshake revisions over HTTP, on one connection."""

    def __init__(self, connection, version=HANDSHAKE):
        self.connection = connection
        response = connection.post(compact(initialize(version=version)))
        check(response is not None and response.status == 200, f"initialize: {response and response.status}")
        self.reply = response.messages[-1]
        identifier = response.header("mcp-session-id")
        self.headers = [("MCP-Protocol-Version", version)]
        if identifier is not None:
            self.headers.append(("Mcp-Session-Id", identifier))
        accepted = connection.post(compact(INITIALIZED), self.headers)
        check(accepted.status == 202 and accepted.body == b"", f"initialized: {accepted.status} {accepted.body!r}")
