"""The programs under test: where they are, how their servers start and stop, and what they use.

A `Command` is an argument list with the environment it needs. `StdioServer` and `HTTPServer` are context managers
that end the process they started, and only that.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MOHA_BUILD", TOP / ".build" / "debug"))
OLDER_PYTHON = TOP / ".build" / "clients" / "older" / "bin" / "python"

#: Seconds that any single answer may take, on a machine that is busy with other work.
PATIENCE = 30.0


class CheckFailed(Exception):
    """What the program did, and what it should have done."""


def check(condition, message):
    if not condition:
        raise CheckFailed(message)


@dataclass
class Command:
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"

    def also(self, *more):
        return Command([*self.arguments, *more], self.environment, self.folder)


def fixture():
    """The server without records. MCP_FIXTURE names another one, as a shell would split it."""
    return Command(shlex.split(os.environ.get("MCP_FIXTURE", str(BUILD / "mcp-fixture"))), base_environment())


def base_environment():
    return {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "LC_ALL": "C.UTF-8"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A started process. Its standard error goes to a file, which a failure shows the end of."""

    def __init__(self, command, **streams):
        self.command = command
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command.arguments, env=command.environment, cwd=command.folder, stderr=self.errors, **streams)

    @property
    def pid(self):
        return self.process.pid

    @property
    def alive(self):
        return self.process.poll() is None

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def memory(self):
        """Resident and peak memory in bytes; zeros when the process has ended."""
        with suppress(OSError):
            text = Path(f"/proc/{self.pid}/status").read_text()
            sizes = {name: int(kilobytes) * 1024 for name, kilobytes in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", text)}
            return sizes.get("VmRSS", 0), sizes.get("VmHWM", 0)
        return 0, 0

    def kill(self):
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Asks the process to end, and makes it end. Returns its status, negative for a signal."""
        if self.alive:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CheckFailed(f"{self.command.arguments[0]} did not end within {PATIENCE:.0f} s of SIGTERM")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.error_text()[-2000:], file=sys.stderr)
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self.errors.close()


class HTTPServer(Server):
    """A server on a free port of the loopback address."""

    def __init__(self, command, option="--port"):
        self.port = free_port()
        super().__init__(command.also(option, str(self.port)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if not self.alive or time.monotonic() > deadline:
                text = self.error_text()[-2000:]
                self.kill()
                raise CheckFailed(f"{command.arguments} does not listen on port {self.port}: {text}")
            time.sleep(0.005)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"
