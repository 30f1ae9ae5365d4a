"""Measures the MCP server beside the Python SDK's own, in one run and in turns.

    bash Tests/clients/setup.sh && apt-get install wrk
    .build/clients/current/bin/python Benchmarks/mcp-peers/bench.py [--rounds N] [--seconds S] [--build FOLDER] [--json]

First `mcp-fixture`, on the product's server library, so that both answer the same requests with the same texts. Then the
product, `moha-sync`, with a tree of records, which the peer reads too. Over HTTP, `wrk` drives 16 connections from one thread.
On standard input, one request waits for the answer of the one before. The servers take turns round by round; the first
round warms up and is not counted. A server is measured only after its answer was looked at.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PEER = Path(__file__).parent / "peer_server.py"
sys.path.insert(0, str(TOP / "Tests" / "clients"))

from programs import Command, HTTPServer, base_environment, check  # noqa: E402
from wire import (  # noqa: E402
    INITIALIZED, Connection, Session, StdioServer, compact, initialize, modern_headers, post, request,
)
from workspace import Workspace  # noqa: E402

CONNECTIONS = 16
FIRST_ID = 1_000_000
CALLS = 5_000
STARTS = 10


@dataclass
class Contest:
    """Ours and the peer's, each as a command for standard input and one for HTTP, with the option that takes its port."""

    name: str
    stdio: dict[str, Command]
    http: dict[str, tuple[Command, str]]
    #: What is asked; the second one also on standard input.
    requests: dict[str, tuple[str, dict]]

    def line(self):
        return list(self.requests.values())[1]


def library(build):
    peer = Command([sys.executable, str(PEER)], base_environment())
    ours = Command([str(build / "mcp-fixture")], base_environment())
    return Contest("library", {"ours": ours, "peer": peer}, {"ours": (ours, "--http"), "peer": (peer, "--http")}, {
        "tools/list": ("tools/list", {}),
        "tools/call test_simple_text": ("tools/call", {"name": "test_simple_text", "arguments": {}}),
        "resources/read test://static-text": ("resources/read", {"uri": "test://static-text"}),
    })


def product(build, workspace):
    workspace.program = str(build / "moha-sync")
    peer = Command([sys.executable, str(PEER), "--tree", str(workspace.tree)], base_environment())
    return Contest("product", {"ours": workspace.command("mcp"), "peer": peer},
                   {"ours": (workspace.command("serve"), "--port"), "peer": (peer, "--http")}, {
        "tools/list": ("tools/list", {}),
        "tools/call maven_get_stats": ("tools/call", {"name": "maven_get_stats", "arguments": {}}),
        "resources/read maven://identity": ("resources/read", {"uri": "maven://identity"}),
    })


def wrk(port, message, headers, seconds):
    """Requests a second, and the latencies in milliseconds at 50 and 99 percent.

    Each request has an id of its own, of the same length: a session refuses one that is in flight already.
    """
    whole = post(port, compact(message | {"id": FIRST_ID}), headers)
    before, after = whole.split(b"%d" % FIRST_ID)
    lines = [f"local id, before, after = {FIRST_ID}, {lua(before)}, {lua(after)}",
             "function request() id = id + 1; return before .. id .. after end",
             "function done(summary, latency)",
             '  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),',
             "    latency:percentile(99), summary.errors.status + summary.errors.connect + summary.errors.read",
             "    + summary.errors.write + summary.errors.timeout))", "end"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines) + "\n")
        script.flush()
        output = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script.name, f"http://127.0.0.1:{port}/mcp"],
            capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", output)
    check(found, f"wrk said: {output}")
    count, micros, half, tail, errors = map(int, found.groups())
    check(errors == 0 and count > 0, f"{errors} of {count} requests failed: {output}")
    return {"rate": count / micros * 1e6, "p50": half / 1000, "p99": tail / 1000}


def lua(data):
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


def measure_http(server, asked, era, seconds):
    method, params = asked
    message = request(method, params, 1, era == "newest")
    with Connection(server.port) as connection:
        headers = modern_headers(message) if era == "newest" else Session(connection).headers
        response = connection.post(compact(message), headers)
        check(response.status == 200 and "result" in response.messages[-1], f"{method}: {response.status} {response.body[:300]}")
        return wrk(server.port, message, headers, seconds)


def measure_stdio(command, asked):
    """The round trips of one request after the other, in milliseconds, and the resident memory after them."""
    with StdioServer(command) as server:
        server.call(initialize())
        server.send(INITIALIZED)
        reply, _ = server.call(request(*asked, id=1))
        check("result" in reply, f"{reply}")
        os.set_blocking(server.input, True)
        os.set_blocking(server.output, True)
        times = []
        for id in range(2, CALLS + 2):
            line = compact(request(*asked, id=id)) + b"\n"
            begin = time.perf_counter()
            os.write(server.input, line)
            answer = os.read(server.output, 65536)
            while not answer.endswith(b"\n"):
                answer += os.read(server.output, 65536)
            times.append((time.perf_counter() - begin) * 1000)
        check(b'"id":%d' % id in answer, f"{answer[:300]}")
        times.sort()
        return {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "memory": server.memory()[0]}


def measure_start(command):
    """Milliseconds from the start of the process to its first answer on standard input."""
    begin = time.perf_counter()
    with StdioServer(command) as server:
        server.call(initialize())
        return (time.perf_counter() - begin) * 1000


def play(contest, rounds, seconds):
    """All measurements of a contest: for each row, those of ours and of the peer's, round by round."""
    results = {}

    def keep(row, who, value, counted):
        if counted:
            results.setdefault(f"{contest.name}: {row}", {}).setdefault(who, []).append(value)

    with ExitStack() as stack:
        running = {who: stack.enter_context(HTTPServer(*command)) for who, command in contest.http.items()}
        for number in range(rounds + 1):
            for era in ("newest", "handshake"):
                for name, asked in contest.requests.items():
                    for who, server in running.items():
                        measured = measure_http(server, asked, era, seconds if number else 1)
                        keep(f"HTTP {name}, {era}: requests/s", who, measured["rate"], number)
                        keep(f"HTTP {name}, {era}: p50 ms", who, measured["p50"], number)
                        keep(f"HTTP {name}, {era}: p99 ms", who, measured["p99"], number)
        for who, server in running.items():
            keep("HTTP, resident after the load: MiB", who, server.memory()[0] / 2**20, True)
    name = list(contest.requests)[1]
    for number in range(rounds + 1):
        for who, command in contest.stdio.items():
            measured = measure_stdio(command, contest.line())
            keep(f"stdio {name}: p50 ms", who, measured["p50"], number)
            keep(f"stdio {name}: p99 ms", who, measured["p99"], number)
            keep("stdio, resident after the calls: MiB", who, measured["memory"] / 2**20, number)
    for number in range(STARTS + 1):
        for who, command in contest.stdio.items():
            keep("start to first answer: ms", who, measure_start(command), number)
    return results


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--build", type=Path, default=TOP / ".build" / "release")
    options.add_argument("--contest", action="append", choices=["library", "product"])
    options.add_argument("--json", action="store_true")
    arguments = options.parse_args()
    results, build = {}, arguments.build.resolve()
    for name in arguments.contest or ["library", "product"]:
        with Workspace(database=False) as workspace:
            contest = library(build) if name == "library" else product(build, workspace)
            results |= play(contest, arguments.rounds, arguments.seconds)
    if arguments.json:
        json.dump(results, sys.stdout, indent=1)
        return print()
    print("| what | ours | peer | ratio |\n|---|---:|---:|---:|")
    for row, values in results.items():
        ours, peer = (statistics.median(values[who]) for who in ("ours", "peer"))
        # The ratio is taken round by round: what disturbs the machine disturbs both.
        ratios = [b / a for a, b in zip(values["ours"], values["peer"])]
        ratio = statistics.median([1 / value for value in ratios] if "requests/s" in row else ratios)
        print(f"| {row} | {number_text(ours)} | {number_text(peer)} | {ratio:.1f} |")


def number_text(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


if __name__ == "__main__":
    main()
