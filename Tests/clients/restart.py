"""Kills the server with SIGKILL while it writes, starts it again, and counts.

    run.sh restart [--rounds N] [--seed S] [--part stdio|http|crowd]

Each round sends records, several at a time, and kills the process at a moment that the seed chooses. What was not
acknowledged is sent again with the same idempotency key to the next process. At every kill all that was acknowledged is
in HEAD; at the end each key has exactly one record, the counter says how many files there are, and the database agrees.
"""

import argparse
import random
import sys
import threading

from programs import PATIENCE, CheckFailed, HTTPServer, check
from wire import (
    INITIALIZED, Connection, Session, StdioServer, compact, initialize, modern_headers, parse, request,
)
from workspace import Workspace

#: Records in flight at once, and in one round.
TOGETHER = 4
A_ROUND = 16


class Record:
    """One record to be written: a decision, or now and then an event. `word` occurs in it and in nothing else."""

    def __init__(self, number, generator):
        self.key = f"restart-{number}-{generator.randrange(10**9)}"
        self.word = f"zq{number}x{generator.randrange(10**9)}"
        self.is_event = generator.random() < 0.25
        self.answer = None

    def call(self, id):
        if self.is_event:
            params = {"name": "maven_log_event", "arguments": {
                "event_type": "note", "content": f"Noted {self.word}", "idempotency_key": self.key}}
        else:
            params = {"name": "maven_record_decision", "arguments": {
                "decision_type": "hold", "asset": "BTC", "action": f"Held {self.word}", "reasoning": "Nothing changed",
                "confidence": 50, "risk_level": "low", "idempotency_key": self.key}}
        return request("tools/call", params, id, modern=True)

    def post(self, connection, id):
        """Sends the record over HTTP and takes the answer."""
        message = self.call(id)
        response = connection.post(compact(message), modern_headers(message))
        check(response is not None, f"{self.key}: the connection ended without an answer")
        check(response.status == 200, f"{self.key}: {response.status}: {response.body[:300]}")
        self.take([value for value in response.messages if "method" not in value][0])

    def take(self, reply):
        """Takes an answer. An error or a failure is no acknowledgement, and is wrong here: nothing else is broken."""
        check("result" in reply and not reply["result"].get("isError"), f"{self.key}: {reply}")
        value = reply["result"]["structuredContent"]
        check(value["success"] is True and value["git_persisted"] is True, f"{self.key}: {value}")
        if self.answer is not None:
            check(value["data"].get("filename") == self.answer["data"].get("filename"), f"{self.key}: another record: {value}")
        self.answer = value


class Killer:
    """Kills a server a moment after it has acknowledged so many records: what it writes then is cut."""

    def __init__(self, server, acknowledgements, delay):
        self.server, self.left, self.delay = server, acknowledgements, delay
        #: Whether the end of the process is ours: from the moment before the signal.
        self.has_fired = False
        self.timer = None
        self.lock = threading.Lock()
        self.count(0)

    def count(self, acknowledged):
        with self.lock:
            self.left -= acknowledged
            if self.left <= 0 and self.timer is None:
                self.timer = threading.Timer(self.delay, self.fire)
                self.timer.start()

    def fire(self):
        self.has_fired = True
        self.server.kill()

    def wait(self):
        """Ends the process in any case, and returns when it has ended."""
        if self.timer is None:
            self.fire()
        else:
            self.timer.join()


def round_on_stdio(workspace, records, acknowledgements, delay):
    """Sends records to one process until it is killed. Those that were acknowledged have their answer."""
    with StdioServer(workspace.command("mcp")) as server:
        by_id = dict(enumerate(records))
        reply, _ = server.call(initialize("start"))
        check("result" in reply, f"{reply}")
        server.send(INITIALIZED)
        killer = Killer(server, acknowledgements, delay)

        def take(line):
            reply = parse(line)
            if "method" not in reply:
                by_id.pop(reply["id"]).take(reply)
                killer.count(1)
            return not by_id

        try:
            server.exchange(b"".join(compact(record.call(id)) + b"\n" for id, record in by_id.items()), take)
        except (CheckFailed, OSError):
            if not killer.has_fired:
                raise
        killer.wait()


def round_on_http(workspace, records, acknowledgements, delay):
    """The same over several connections. A connection that ends without an answer leaves its record open."""
    failures = []

    def send(part):
        try:
            with Connection(server.port) as connection:
                for id, record in enumerate(part):
                    record.post(connection, id)
                    killer.count(1)
        except (OSError, CheckFailed) as error:
            if not killer.has_fired:
                failures.append(error)

    with HTTPServer(workspace.command("serve")) as server:
        killer = Killer(server, acknowledgements, delay)
        threads = [threading.Thread(target=send, args=(records[start::TOGETHER],)) for start in range(TOGETHER)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        killer.wait()
    if failures:
        raise failures[0]


def acknowledged_is_committed(workspace, records):
    """Whatever was acknowledged is in HEAD, whatever happened to the process since."""
    files = set(workspace.decision_files())
    log = workspace.show(".moha/maven/session_log.md")
    for record in records:
        if record.answer is None:
            continue
        workspace.git("merge-base", "--is-ancestor", record.answer["commit"], "HEAD")
        if record.is_event:
            check(log.count(record.word) == 1, f"the event of {record.key} is {log.count(record.word)} times in the log")
        else:
            check(record.answer["data"]["filename"] in files, f"{record.answer['data']['filename']} is not in HEAD")


def crowd(seed):
    """Several processes of both transports write at the same time into one repository, and nobody is killed."""
    generator = random.Random(f"{seed} crowd")
    with Workspace() as workspace:
        before, counted = workspace.decision_files(), workspace.identity()["total_decisions"]
        groups = [[Record(writer * 1000 + number, generator) for number in range(A_ROUND)] for writer in range(5)]
        failures = []

        def write(group, number):
            try:
                if number < 3:
                    with StdioServer(workspace.command("mcp")) as server:
                        for id, record in enumerate(group):
                            record.take(server.call(record.call(id))[0])
                        check(server.finish()[1] == 0, "a server ended badly at the end of its input")
                else:
                    with HTTPServer(workspace.command("serve")) as server, Connection(server.port) as connection:
                        for id, record in enumerate(group):
                            record.post(connection, id)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(group, number)) for number, group in enumerate(groups)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE * 4)
        if failures:
            raise CheckFailed(f"{type(failures[0]).__name__}: {failures[0]}")
        records = [record for group in groups for record in group]
        acknowledged_is_committed(workspace, records)
        finished(workspace, records, before, counted)
    print(f"restart: five processes wrote {len(records)} records side by side; none lost, none twice", flush=True)


def stale_session(workspace):
    """A session of a process that was killed is unknown to the next one, which says so and starts another."""
    with HTTPServer(workspace.command("serve")) as first, Connection(first.port) as connection:
        headers = Session(connection).headers
        first.kill()
    if not any(name == "Mcp-Session-Id" for name, _ in headers):
        return
    with HTTPServer(workspace.command("serve")) as second, Connection(second.port) as connection:
        response = connection.post(compact(request("tools/list", id=1)), headers)
        check(response.status == 404, f"{response.status} for a session of a killed process")
        response = connection.post(compact(initialize()), headers)
        check(response.status == 200 and response.header("mcp-session-id") not in (None, dict(headers)["Mcp-Session-Id"]),
              f"{response.status} for initialize with a stale session")


def run(transport, seed, rounds):
    generator = random.Random(f"{seed} {transport}")
    with Workspace() as workspace:
        before = workspace.decision_files()
        counted = workspace.identity()["total_decisions"]
        records, kills, acknowledged, open_at_kills = [], 0, 0, 0
        play = round_on_stdio if transport == "stdio" else round_on_http
        while True:
            unanswered = [record for record in records if record.answer is None]
            if kills < rounds:
                fresh = [Record(len(records) + number, generator) for number in range(A_ROUND)]
                records += fresh
                # Some of those acknowledged are sent again too: the answer is the same.
                again = generator.sample([record for record in records if record.answer], k=min(2, len(records) - len(unanswered) - len(fresh)))
                wanted = generator.randrange(len(unanswered) + len(fresh))
                play(workspace, unanswered + fresh + again, wanted, generator.uniform(0, 0.06))
                kills += 1
                acknowledged += sum(record.answer is not None for record in unanswered + fresh)
                open_at_kills += sum(record.answer is None for record in unanswered + fresh)
            elif unanswered:
                play(workspace, unanswered, len(unanswered), 0)
            else:
                break
            acknowledged_is_committed(workspace, records)
        finished(workspace, records, before, counted)
        if transport == "http":
            stale_session(workspace)
    decisions = sum(not record.is_event for record in records)
    print(f"restart over {transport}: {kills} kills, {decisions} decisions and {len(records) - decisions} events, "
          f"{acknowledged} acknowledged before a kill, {open_at_kills} sent again after one; none lost, none twice",
          flush=True)


def finished(workspace, records, before, counted):
    decisions = [record for record in records if not record.is_event]
    texts = {name: workspace.show(f".moha/maven/decisions/{name}") for name in set(workspace.decision_files()) - set(before)}
    check(len(texts) == len(decisions), f"{len(texts)} files for {len(decisions)} decisions")
    for record in decisions:
        holders = [name for name, text in texts.items() if record.word in text]
        check(holders == [record.answer["data"]["filename"]], f"{record.key} is in {holders}")
    total = workspace.identity()["total_decisions"]
    check(total == counted + len(decisions), f"the counter says {total} for {counted} + {len(decisions)}")
    workspace.git("fsck", "--strict", "--no-dangling")
    check(not (workspace.folder / ".git" / "index.lock").exists(), "a lock of the index is left")
    workspace.moha("reconcile", "--quiet")
    workspace.moha("verify", "--quiet")
    rows = workspace.query("SELECT git_filename FROM maven_decisions")
    check(sorted(row[0] for row in rows) == workspace.decision_files(), "files and rows differ")
    events = workspace.query("SELECT description FROM maven_memory WHERE event_type ILIKE 'note'")
    for record in records:
        if record.is_event:
            count = sum(record.word in row[0] for row in events)
            check(count == 1, f"{count} rows for the event of {record.key}")
    left = workspace.git("status", "--porcelain", "--", ".moha")
    check(left == "", f"uncommitted records are left: {left}{workspace.git('diff', '--', '.moha')[:1000]}")


def main():
    parts = {"stdio": lambda: run("stdio", arguments.seed, arguments.rounds),
             "http": lambda: run("http", arguments.seed, arguments.rounds), "crowd": lambda: crowd(arguments.seed)}
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=12)
    options.add_argument("--seed", type=int, default=20260728)
    options.add_argument("--part", action="append", choices=parts)
    arguments = options.parse_args()
    failed = False
    for name in arguments.part or parts:
        try:
            parts[name]()
        except CheckFailed as error:
            failed = True
            print(f"restart, {name}, seed {arguments.seed}: {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
