"""Lets the public checker of the newest revision look at both programs, and requires it to find nothing.

    run.sh check [--story fixture|maven] [--transport stdio|http]

The checker speaks HTTP only. For standard input a bridge of a few lines stands between: it passes bodies on as lines and
gives back what comes, so that the checks of bodies are made there too. Those of headers would check the bridge.
"""

import argparse
import http.server
import json
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

from programs import PATIENCE, CheckFailed, HTTPServer, fixture
from wire import StdioServer, compact
from workspace import Workspace

CHECKER = str(Path(sys.executable).parent / "jbt-mcpcheck")
ALL = ["handshake", "session", "discover", "protocol", "schemas", "errors", "cache", "origin"]
OF_BODIES = ["discover", "schemas", "errors", "cache"]
#: The status over HTTP of an error, where it is not 200.
STATUS = {-32700: 400, -32600: 400, -32602: 400, -32020: 400, -32021: 400, -32022: 400, -32601: 404}


@contextmanager
def bridge(command):
    """The URL of an HTTP server that asks a process on standard input."""
    server, lock = StdioServer(command), threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body, status = b"", 202
            with lock:
                if "id" in message:
                    reply, _ = server.call(message)
                    body, status = compact(reply), STATUS.get(reply.get("error", {}).get("code"), 200)
                else:
                    server.send(message)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with server, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{front.server_address[1]}/mcp"
        finally:
            front.shutdown()


def examine(url, strict, names=()):
    """Runs the checker. Returns what it said in a line; throws CheckFailed with what it found."""
    # The checker calls every tool that only reads, and one of the fixture's ends the process.
    names = [name for name in names or ALL if strict or name != "errors"]
    selected = [word for name in names for word in ("--check", name)]
    result = subprocess.run([CHECKER, "--json", *selected, url], capture_output=True, text=True, timeout=PATIENCE * 4)
    if result.returncode not in (0, 1):
        raise CheckFailed(f"status {result.returncode}: {result.stderr}")
    checks = json.loads(result.stdout)["checks"]
    found = [f"{item['name']}: {item['status']}: {item['summary']}" for item in checks if item["status"] not in ("pass", "warn")]
    for item in checks:
        for finding in item["failures"] + (item["warnings"] if strict else []):
            found.append(f"{item['name']}: {finding['subject']}: {finding['message']}")
    if found or not checks:
        raise CheckFailed("\n  ".join(found) or "no check was made")
    return ", ".join(item["name"] for item in checks)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--story", action="append", choices=["fixture", "maven"])
    options.add_argument("--transport", action="append", choices=["stdio", "http"])
    arguments = options.parse_args()
    failed = False
    for story in arguments.story or ["fixture", "maven"]:
        for transport in arguments.transport or ["stdio", "http"]:
            try:
                with ExitStack() as stack:
                    workspace = stack.enter_context(Workspace()) if story == "maven" else None
                    # The fixture has tools that are wrong on purpose, so there its warnings say nothing.
                    strict = workspace is not None
                    if transport == "http":
                        command = fixture() if workspace is None else workspace.command("serve")
                        server = stack.enter_context(HTTPServer(command, "--port" if workspace else "--http"))
                        said = examine(server.url, strict)
                    else:
                        command = fixture() if workspace is None else workspace.command("mcp")
                        url = stack.enter_context(bridge(command))
                        said = examine(url, strict, OF_BODIES)
                print(f"passed: {story}, {transport}: {said}", flush=True)
            except (CheckFailed, subprocess.TimeoutExpired) as error:
                failed = True
                print(f"failed: {story}, {transport}", flush=True)
                print(f"  {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
