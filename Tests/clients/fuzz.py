"""A hundred thousand spoiled and proper inputs for each kind of server, on both transports.

    run.sh fuzz [--inputs N] [--seed S] [--target NAME]... [--batch N]

A batch depends on the seed, the target and its number only: a failure prints the three, and the first input of the
batch that fails on its own with a fresh server. The oracle: the server lives, answers each request once with its exact
id, answers no notification, sends strict JSON with codes that the protocol knows, keeps its memory, and takes a proper
request after every batch.
"""

import argparse
import json
import random
import sys
import time
from contextlib import ExitStack

from expectations import Ledger, Number, cancelled, expect, judge_code, load
from fuzz_http import HTTPTarget
from mutations import Corpus, inputs
from programs import PATIENCE, CheckFailed, HTTPServer, check, fixture
from wire import INITIALIZED, StdioServer, compact, initialize, request
from workspace import Workspace

BATCH = 250
MEBIBYTE = 1024 * 1024
#: More than this at its peak is a leak or an amplification: the largest input is 10 MiB.
PEAK_MEMORY = 320 * MEBIBYTE
#: Growth after the first fifth of the inputs.
GROWTH = 48 * MEBIBYTE

class StdioTarget:
    """Sends batches of lines to one process, in pieces that fall anywhere."""

    def __init__(self, command, writes):
        self.command = command
        self.writes = writes
        self.server = self.start()
        self.corpus = Corpus(lambda method: self.call(self.server, method), writes)
        #: Ids of requests that may still be answered after their batch, and those of them that listen.
        self.open = set()
        self.listening = set()

    def start(self):
        server = StdioServer(self.command)
        reply, _ = server.call(initialize())
        check("result" in reply, f"initialize failed: {reply}")
        server.send(INITIALIZED)
        return server

    @staticmethod
    def call(server, method):
        reply, _ = server.call(request(method, id="list"))
        return reply["result"]

    def close(self):
        self.server.kill()

    def run(self, generator, data, number):
        # A server lets only so many streams listen: those of the batch before are given up.
        lines = [cancellation(key) for key in sorted(self.listening)] + b"\n".join(data).split(b"\n")
        self.listening.clear()
        faults = self.exchange(self.server, lines, generator.choice([1_000, 4_096, 65_536]), f"end-{number}")
        if faults:
            raise CheckFailed("\n".join(faults[:5]) + "\n" + self.isolated(lines))

    def exchange(self, server, lines, piece, mark, patience=PATIENCE):
        """Sends lines and a proper request, waits for all that is owed, and returns what was wrong."""
        ledger, faults, ended = Ledger(frozenset(self.open)), [], False
        for line in lines:
            expectation = expect(line)
            ledger.owe(expectation)
            unsure = [key for key, (low, _) in expectation.ids.items() if low == 0]
            self.open.update(unsure)
            if expectation.anonymous == (0, 0):
                self.listening.update(unsure)
        given_up = [key for key in map(cancelled, lines) if key is not None]
        ledger.forgive(given_up)
        self.open.update(given_up)

        def take(line):
            nonlocal ended
            try:
                message, _ = load(line)
            except ValueError as error:
                faults.append(f"a line that is no JSON: {error}: {line[:200]!r}")
                return False
            if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
                faults.append(f"a line that is no message: {line[:200]!r}")
            elif "method" in message:
                if "id" in message or not str(message["method"]).startswith("notifications/"):
                    faults.append(f"a request of the server: {line[:200]!r}")
            elif message.get("id") == mark:
                ended = True
            else:
                fault = judge_code(message) or ledger.replied(message)
                if fault:
                    faults.append(f"{fault}: {line[:300]!r}")
            return ended and ledger.settled

        last = compact(request("tools/list", id=mark, modern=len(lines) % 2 == 0))
        try:
            server.exchange(b"\n".join([*lines, last]) + b"\n", take, patience, piece)
        except CheckFailed as error:
            faults.append(str(error))
            faults.append(server.error_text()[-500:])
        # Of several requests with one id, some may be answered later.
        self.open.update(key for key, (_, high) in ledger.ids.items() if ledger.replies.get(key, 0) < high)
        return faults + list(ledger.faults())

    def isolated(self, lines):
        """The first line that fails alone."""
        for line in lines:
            if len(line) == 0:
                continue
            with self.start() as server:
                faults = self.exchange(server, [line], 65536, "end", PATIENCE / 6)
                if faults:
                    return f"alone: {line[:1500]!r} ({len(line)} bytes)\n  " + "\n  ".join(faults)
        return "No line of the batch fails alone."

    def finish(self):
        """Ends the input: what is in flight is flushed, and the process ends well."""
        last, status = self.server.finish()
        for line in last:
            load(line)
        check(status == 0, f"status {status} at the end of input: {self.server.error_text()[-500:]}")


def cancellation(key):
    kind, value = key
    spelled = value if kind == "number" else json.dumps(value)
    return b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}' % spelled.encode()


def big_inputs(number):
    """A few inputs that are large rather than odd, spread over the run."""
    large = b"x" * (10 * MEBIBYTE)
    return [
        b'{"jsonrpc":"2.0","id":"large","method":"ping","params":{"x":"' + large + b'"}}',
        b"[" * 100_000, b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        large, b'{"jsonrpc":"2.0","id":' + b"9" * 100_000 + b',"method":"ping"}',
        b'{"jsonrpc":"2.0","id":"' + b"i" * 100_000 + b'","method":"ping"}',
        b'{"jsonrpc":"2.0","method":"notifications/x","params":{' + b",".join(b'"%d":1' % key for key in range(100_000)) + b"}}",
    ][number % 7:number % 7 + 1]


def fuzz(name, target, seed, count, only=None):
    """Runs batches until count inputs were sent. Throws CheckFailed with the numbers that repeat it."""
    started = time.monotonic()
    early = peak = current = 0
    batches = [only] if only is not None else range((count + BATCH - 1) // BATCH)
    for number in batches:
        generator = random.Random(f"{seed} {name} {number}")
        target.corpus.patient = number % 10 == 0
        data = list(inputs(generator, target.corpus, BATCH, number * BATCH * 2 + 10))
        if number % 20 == 19:
            data += big_inputs(number // 20)
        try:
            check(target.server.alive, f"the server ended: {target.server.error_text()[-500:]}")
            target.run(generator, data, number)
            current, peak = target.server.memory()
            check(peak < PEAK_MEMORY, f"{peak // MEBIBYTE} MiB resident at the peak")
            if number <= len(batches) // 5:
                early = max(early, current)
            elif only is None:
                check(current - early < GROWTH, f"memory grew from {early // MEBIBYTE} to {current // MEBIBYTE} MiB")
        except CheckFailed as error:
            raise CheckFailed(f"{error}\nAgain with: --target {name} --seed {seed} --batch {number}")
    target.finish()
    seconds = time.monotonic() - started
    sent = len(batches) * BATCH
    print(f"{name}: {sent} inputs in {seconds:.1f} s, {sent / seconds:.0f}/s, {current / MEBIBYTE:.0f} MiB resident, "
          f"{peak / MEBIBYTE:.0f} at the peak", flush=True)


#: The share of the inputs that each target gets: a line on standard input costs less than a request over HTTP.
SHARES = {"fixture-stdio": 0.40, "fixture-http": 0.15, "moha-stdio": 0.30, "moha-http": 0.15}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--inputs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=20260728)
    options.add_argument("--target", action="append", choices=SHARES)
    options.add_argument("--batch", type=int)
    arguments = options.parse_args()
    names = arguments.target or list(SHARES)
    whole = sum(SHARES[name] for name in names)
    failed = False
    for name in names:
        count = int(arguments.inputs * SHARES[name] / whole)
        with ExitStack() as stack:
            try:
                workspace = None
                if name.startswith("moha"):
                    workspace = stack.enter_context(Workspace())
                    command = workspace.command("mcp" if name.endswith("stdio") else "serve")
                else:
                    command = fixture()
                if name.endswith("stdio"):
                    target = StdioTarget(command, writes=0.01)
                else:
                    option = "--http" if workspace is None else "--port"
                    target = HTTPTarget(HTTPServer(command, option), writes=0.01)
                stack.callback(target.close)
                fuzz(name, target, arguments.seed, count, arguments.batch)
                if workspace is not None:
                    sound(workspace)
            except CheckFailed as error:
                failed = True
                print(f"{name}: {error}", file=sys.stderr, flush=True)
    sys.exit(1 if failed else 0)


def sound(workspace):
    """Whatever the inputs wrote is whole: git's objects, every record, and the database after a reconcile."""
    workspace.git("fsck", "--strict", "--no-dangling")
    workspace.moha("reconcile", "--quiet")
    workspace.moha("verify", "--quiet")
    check(workspace.git("status", "--porcelain", "--", ".moha") == "", "uncommitted records are left")


if __name__ == "__main__":
    main()
