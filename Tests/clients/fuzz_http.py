"""The HTTP side of the fuzzer: spoiled bodies on kept connections, and spoiled requests on connections of their own."""

import selectors
import socket
import time

from expectations import Number, expect, identifier, judge_code, load
from mutations import Corpus, encode
from programs import PATIENCE, CheckFailed, check
from wire import (
    BASE_HEADERS, NAMED, NEWEST, Connection, Response, Session, compact, event_data, modern_headers, post, request,
)

CONNECTIONS = 8
STATUSES = {200, 202, 400, 403, 404, 405, 406, 411, 413, 414, 415, 417, 426, 431, 501, 505}
#: These are told by the status alone; their body is free.
STATUS_ALONE = {403, 405, 406, 411, 413, 414, 415, 417, 426, 431, 501, 505}


class HTTPTarget:
    def __init__(self, server, writes):
        self.server = server
        self.corpus = Corpus(self.list, writes)
        self.connections = [Connection(server.port) for _ in range(CONNECTIONS)]
        self.sessions = [Session(connection).headers for connection in self.connections]

    def close(self):
        self.server.kill()

    def list(self, method):
        with Connection(self.server.port) as connection:
            message = request(method, id="list", modern=True)
            response = connection.post(compact(message), modern_headers(message))
            check(response is not None and response.status == 200, f"{method}: {response and response.body[:300]}")
            return response.messages[-1]["result"]

    def run(self, generator, data, number):
        for start in range(0, len(data), CONNECTIONS):
            bodies = data[start:start + CONNECTIONS]
            for index, body in enumerate(bodies):
                self.connections[index].send(post(self.server.port, body, self.headers(generator, index, body)))
            for index, body in enumerate(bodies):
                try:
                    fault = self.judge(self.answer(index), body)
                except (CheckFailed, ValueError, TimeoutError) as error:
                    fault = f"{type(error).__name__} {error}"
                if fault is not None:
                    raise CheckFailed(f"{fault}\nfor the body {body[:1500]!r} ({len(body)} bytes)\n"
                                      f"{self.server.error_text()[-500:]}")
        if number % 4 == 0:
            self.spoiled_requests(generator)
        self.list("tools/list")

    def headers(self, generator, index, body):
        """The headers of either era, as a client would derive them from the body, mostly."""
        session = self.sessions[index]
        try:
            value, _ = load(body)
            params = value["params"]
            modern = params["_meta"]["io.modelcontextprotocol/protocolVersion"] == NEWEST
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            return session if generator.random() < 0.7 else [("MCP-Protocol-Version", NEWEST), ("Mcp-Method", "ping")]
        if not modern or generator.random() < 0.05:
            return session
        method, named = value.get("method"), None
        if isinstance(method, str) and method in NAMED:
            named = params.get(NAMED[method])
        return [("MCP-Protocol-Version", NEWEST), ("Mcp-Method", plain(method)), ("Mcp-Name", plain(named))]

    def answer(self, index):
        """The answer on a connection, which is made anew when the server closed it or the answer stays open."""
        connection = self.connections[index]
        head = connection.head()
        if head is None:
            self.renew(index)
            raise CheckFailed("the connection ended without an answer")
        status, headers = head
        fields = dict(headers)
        if fields.get("content-type", "").startswith("text/event-stream"):
            body = b""
            for piece in connection.pieces(headers):
                body += piece
                if any(b"subscriptions/acknowledged" in data for data in event_data(body)):
                    self.renew(index)
                    return Response(status, headers, None)
        else:
            body = b"".join(connection.pieces(headers))
        return Response(status, headers, body)

    def renew(self, index):
        self.connections[index].close()
        self.connections[index] = Connection(self.server.port)

    def judge(self, response, body):
        """What is wrong with an answer to a body, or None."""
        if response.body is None:
            return None
        if response.status not in STATUSES:
            return f"the status {response.status}: {response.body[:300]!r}"
        owed = expect(body)
        if response.status == 202:
            if response.body:
                return f"202 with a body: {response.body[:300]!r}"
            return None if owed.total[0] == 0 else "202 for a request"
        if response.status in STATUS_ALONE:
            return None
        text = response.body
        kind = (response.header("content-type") or "").split(";")[0].strip()
        if kind == "text/event-stream":
            data = list(event_data(text))
        elif kind == "application/json":
            data = [text]
        else:
            return None if response.status >= 400 else f"an answer of the type {kind!r}"
        replies = []
        for item in filter(None, data):
            message, _ = load(item)
            if "method" not in message:
                replies.append(message)
        if len(replies) != 1:
            return f"{len(replies)} replies in one answer: {text[:300]!r}"
        reply = replies[0]
        if fault := judge_code(reply):
            return fault
        if "id" in reply:
            key = identifier(reply["id"])
            if key not in owed.ids:
                return f"a reply to {reply['id']!r}, which the body does not ask for"
        elif response.status < 400:
            return f"status {response.status} with an error that has no id"
        if "result" in reply and response.status != 200:
            return f"status {response.status} with a result"
        if owed.total[1] == 0 and "result" in reply:
            return "a result for a notification"
        return None

    def spoiled_requests(self, generator):
        """Requests that are not proper HTTP, or not proper for this endpoint. Each gets an answer or the end."""
        samples = [spoiled_request(generator, self.server.port, self.corpus) for _ in range(40)]
        with selectors.DefaultSelector() as selector:
            waiting = {}
            for sample in samples:
                connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE)
                try:
                    cut = generator.randrange(len(sample) + 1) if generator.random() < 0.2 else len(sample)
                    connection.sendall(sample[:cut])
                    if cut < len(sample):
                        connection.sendall(sample[cut:])
                except OSError:
                    pass
                selector.register(connection, selectors.EVENT_READ)
                waiting[connection] = (sample, b"")
            # What answers does so soon. Silence is right for a request that has not ended.
            deadline = time.monotonic() + 0.25
            while waiting and (left := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    connection = key.fileobj
                    sample, text = waiting[connection]
                    try:
                        chunk = connection.recv(262144)
                    except OSError:
                        chunk = b""
                    text += chunk
                    waiting[connection] = (sample, text)
                    if not chunk:
                        selector.unregister(connection)
                        del waiting[connection]
                        connection.close()
                        self.judge_raw(sample, text)
            for connection, (sample, text) in waiting.items():
                connection.close()
                self.judge_raw(sample, text)

    def judge_raw(self, sample, text):
        if not text:
            return
        first = text.split(b"\r\n")[0].split(b" ")
        if not (first[0] in (b"HTTP/1.1", b"HTTP/1.0") and len(first) >= 2 and first[1].isdigit()):
            raise CheckFailed(f"an answer that is no HTTP: {text[:200]!r}\nfor the request {sample[:1500]!r}")
        if int(first[1]) not in STATUSES | {100, 204}:
            raise CheckFailed(f"the status {first[1].decode()}: {text[:300]!r}\nfor the request {sample[:1500]!r}\n"
                              f"{self.server.error_text()[-500:]}")

    def finish(self):
        slow = slow_connections(self.server.port)
        self.list("tools/list")
        for connection in [*slow, *self.connections]:
            connection.close()
        status = self.server.stop()
        check(status in (0, -15, 130, 143), f"status {status} after SIGTERM: {self.server.error_text()[-500:]}")


def slow_connections(port):
    """Two hundred connections that send a request one byte at a time and never end it."""
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(200)]
    for byte in post(port, b"{")[:12]:
        for connection in sockets:
            try:
                connection.send(bytes([byte]))
            except OSError:
                pass
    return sockets


def plain(value):
    """A header value for a string of the body, encoded as the revision says when it needs it."""
    from mcp.shared.inbound import encode_header_value
    if isinstance(value, Number) or not isinstance(value, str):
        return ""
    try:
        return encode_header_value(value)
    except UnicodeEncodeError:
        return ""


HEADERS = [
    ("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", "http://127.0.0.1:1@evil.example"), ("Origin", ""),
    ("Origin", "http://localhost.evil.example"), ("Host", "evil.example"), ("Host", ""), ("Host", "127.0.0.1:1@evil"),
    ("Content-Length", "-1"), ("Content-Length", "99999999999999999999"), ("Content-Length", "0x10"), ("Content-Length", "+5"),
    ("Content-Length", "5, 5"), ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "gzip, chunked"),
    ("Transfer-Encoding", "xchunked"), ("Content-Type", "text/plain"), ("Content-Type", "application/json; charset=utf-16"),
    ("Content-Type", ""), ("Accept", "text/html"), ("Accept", "*/*"), ("Accept", "application/json;q=0"), ("Accept", ""),
    ("MCP-Protocol-Version", "1999-01-01"), ("MCP-Protocol-Version", NEWEST), ("MCP-Protocol-Version", "2025-11-25 "),
    ("Mcp-Method", "tools/call"), ("Mcp-Method", "=?base64?!!?="), ("Mcp-Name", "=?base64?eA==?="), ("Mcp-Name", "\xff\xfe"),
    ("Mcp-Session-Id", "x"), ("Mcp-Session-Id", "A" * 4096), ("Mcp-Session-Id", "\x01"), ("Last-Event-ID", "0"),
    ("Last-Event-ID", "-1 or 1=1"), ("Expect", "100-continue"), ("Connection", "close"), ("Connection", "upgrade"),
    ("Upgrade", "h2c"), ("Content-Encoding", "gzip"), ("Authorization", "Bearer x"), ("X", "y" * 100_000), ("Range", "bytes=0-1"),
    ("X-Forwarded-Host", "evil.example"), ("Cookie", "a=b"), ("Mcp-Param-x", "1"),
]


def spoiled_request(generator, port, corpus):
    message = corpus.message(generator, generator.randrange(1_000_000))
    while message.get("method") == "subscriptions/listen":
        message = corpus.message(generator, generator.randrange(1_000_000))
    body = encode(message).encode("utf-8", "surrogatepass")
    headers = [(name, plain(value)) for name, value in modern_headers(message)] if "id" in message else []
    kind = generator.randrange(8)
    if kind <= 2:
        headers = headers + generator.choices(HEADERS, k=generator.randrange(1, 4))
        base = BASE_HEADERS if generator.random() < 0.7 else BASE_HEADERS[:1]
        return post(port, body, headers, base)
    if kind == 3:
        verb = generator.choice(["GET", "DELETE", "OPTIONS", "PUT", "PATCH", "HEAD", "TRACE", "CONNECT", "post", "X" * 300])
        return post(port, body if generator.random() < 0.5 else b"", headers + [generator.choice(HEADERS)], verb=verb)
    whole = bytearray(post(port, body, headers))
    if kind == 4:
        start = generator.choice([b"POST /", b"POST /mcp/../mcp", b"POST //mcp", b"POST /mcp?token=x", b"POST /%6dcp", b"POST *",
                                  b"POST http://evil.example/mcp", b"POST /mcp\x00", b"POST /" + b"a" * 9_000])
        whole[:len(b"POST /mcp")] = start
    elif kind == 5:
        version = generator.choice([b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"http/1.1", b"HTTP/1.1 x", b""])
        at = whole.find(b"HTTP/1.1")
        whole[at:at + 8] = version
    elif kind == 6:
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:3], body[3:]) if part)
        spoil = generator.choice([b"0\r\n\r\n", b"", b"-1\r\n\r\n", b"zz\r\n\r\n", b"ffffffffffffffffff\r\n", b"0\r\nX: y\r\n\r\n"])
        head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTransfer-Encoding: chunked\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in (*BASE_HEADERS, *headers))
        return head.encode("utf-8") + b"\r\n" + pieces + spoil
    else:
        for _ in range(generator.randrange(1, 4)):
            at = generator.randrange(len(whole))
            whole[at:at + generator.randrange(3)] = bytes(generator.choice(b"\x00\r\n :\xff\t;,\x7fA") for _ in range(generator.randrange(3)))
    return bytes(whole) * (2 if generator.random() < 0.1 else 1)
