#!/usr/bin/env python3
"""Kills, stops and misses Postgres while records are written, restored and reconciled.

Killed in mid-statement: one backend, or the server with all of its processes, when the command has sent its n-th
message. Stopped (SIGSTOP): a write still answers within two seconds. Down: writes succeed and say that there is no
row; when the server is back one reconcile heals all.
"""

import os
import random
import signal
import sys
import time

import harness
import tracer
from checker import Checker, Write
from harness import Scratch
from sweep import unlike

LIMIT = 2.0


class Bench:
    def __init__(self, options):
        self.work = harness.Work(options)
        self.server = harness.Postgres(self.work)
        self.count, self.failed, self.points = 0, 0, 0

    def scratch(self, synced=True):
        """A repository with a database of its own."""
        self.count += 1
        database = f"d{self.count}"
        self.server.query("postgres", f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'")
        scratch = Scratch.make(self.work, f"{self.work.path}/r{self.count}", self.server.url(database))
        if synced:
            ran = scratch.run("sync")
            assert ran.status == 0, ran
        return scratch, database

    def report(self, what, violations):
        self.points += 1
        if violations:
            self.failed += 1
            print(f"{what}:")
            for text in violations:
                print(f"  {text}", flush=True)

    def recovered(self, checker, writes, runs, database):
        session = harness.Session(self.server)
        try:
            checker.session, checker.database = session, database
            return checker.recovered(writes, runs)
        finally:
            session.close()

    def backends(self, database):
        """The processes of the server that serve a database, by their titles."""
        found = []
        for pid in self.server.processes():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    title = file.read().decode("utf-8", "replace")
            except OSError:
                continue
            if f" {database} " in title:
                found.append(pid)
        return found

    def await_recovery(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                self.server.query("postgres", "SELECT 1")
                return
            except RuntimeError:
                time.sleep(0.05)

    def whole_or_absent(self, database, what):
        """A restore into an empty database leaves none of its rows, or all of them."""
        if what != "restore into an empty database":
            return []
        exists = self.server.query(database, "SELECT to_regclass('maven_checkpoint') IS NOT NULL")
        if exists != [["t"]]:
            return []
        counts = self.server.query(
            database, "SELECT (SELECT count(*) FROM maven_decisions) + (SELECT count(*) FROM maven_memory) "
            "+ (SELECT count(*) FROM maven_milestones), (SELECT count(*) FROM maven_checkpoint)")
        rows, checkpoints = int(counts[0][0]), int(counts[0][1])
        if (rows > 0) != (checkpoints > 0):
            return [f"I6: {rows} rows and {checkpoints} checkpoints: a mix of the old and the new state"]
        return []


def killed(bench, what, arguments, prepare, generator, seconds):
    """Kills a backend or the server at messages of a command."""
    start = time.monotonic()
    base, base_database = bench.scratch(synced=prepare is not None)
    if prepare:
        session = harness.Session(bench.server)
        prepare(base, session, base_database)
        session.close()
    stdout, stderr = f"{bench.work.path}/out", f"{bench.work.path}/err"

    def copy():
        bench.count += 1
        database = f"d{bench.count}"
        bench.server.query("postgres", f"CREATE DATABASE {database} TEMPLATE {base_database}")
        return base.copy(f"{bench.work.path}/r{bench.count}", bench.server.url(database)), database

    scratch, database = copy()
    outcome = tracer.run(
        scratch.arguments(*arguments), scratch.environment, scratch.path, stdout, stderr, calls=["sendto"], records=True)
    assert outcome.status == 0, open(stdout).read()
    messages = [call.number for call in outcome.calls]
    generator.shuffle(messages)
    for position, number in enumerate(messages):
        if time.monotonic() - start > seconds:
            break
        scratch, database = copy()
        checker = Checker(scratch)
        # A backend dies alone one time in three; the postmaster then ends the others, as after a crash.
        whole = position % 3 == 0

        def strike(_):
            if whole:
                bench.server.kill()
            else:
                for pid in bench.backends(database):
                    harness.signalled(pid, signal.SIGKILL)

        outcome = tracer.run(
            scratch.arguments(*arguments), scratch.environment, scratch.path, stdout, stderr,
            fault=tracer.Fault(f"sendto:{number}:KILL"), on_hit=strike)
        answer = harness.Ran(outcome.status, open(stdout).read(), open(stderr).read(), outcome.seconds)
        if whole:
            bench.server.start()
        else:
            bench.await_recovery()
        violations = []
        if outcome.timed_out:
            violations.append(f"the command did not end: {answer}")
        elif outcome.status != 0 and "error" not in (answer.json or {}):
            violations.append(f"no error in JSON: {answer}")
        violations += bench.whole_or_absent(database, what)
        violations += bench.recovered(checker, [], [arguments], database)
        target = "the server" if whole else "its backend"
        bench.report(f"{what}, {target} killed at message {number}", violations)
        bench.server.query("postgres", f"DROP DATABASE {database} WITH (FORCE)")


def answered(write, ran, violations, limit=None):
    write.take(ran.status, ran.json)
    if ran.status != 0 or write.answer is None:
        violations.append(f"I1: {write.kind} was not recorded: {ran}")
    elif write.kind != "identity":
        data = write.answer["data"]
        if data.get("db_persisted") is not False or not data.get("db_error"):
            violations.append(f"{write.kind}: the answer does not say that there is no row: {data}")
    if limit and ran.exceeds(limit):
        violations.append(f"{write.kind} took {ran.seconds:.2f} s, more than {limit} s")


def stopped(bench):
    """A server that hangs: its processes are stopped, new connections are taken by nobody."""
    scratch, database = bench.scratch()
    checker, writes, violations = Checker(scratch), [], []
    pids = [bench.server.process.pid] + bench.server.processes()
    for pid in pids:
        harness.signalled(pid, signal.SIGSTOP)
    try:
        for kind in ("decision", "event", "milestone", "identity"):
            write = Write(kind, f"stopped-{kind}", f"key-{kind}")
            writes.append(write)
            answered(write, scratch.run(*write.arguments), violations, LIMIT)
    finally:
        for pid in pids:
            harness.signalled(pid, signal.SIGCONT)
    bench.report("stopped", violations + bench.recovered(checker, writes, [["reconcile"]], database))


def stopped_meanwhile(bench):
    """The server hangs after the connection was made: at the message with the row."""
    scratch, database = bench.scratch()
    checker, violations = Checker(scratch), []
    stdout, stderr = f"{bench.work.path}/out", f"{bench.work.path}/err"
    probe = Write("decision", "probe")
    outcome = tracer.run(
        scratch.arguments(*probe.arguments), scratch.environment, scratch.path, stdout, stderr, calls=["sendto"],
        records=True)
    assert outcome.status == 0
    writes = []
    for call in outcome.calls:
        pids = []

        def strike(_):
            pids.extend([bench.server.process.pid] + bench.server.processes())
            for pid in pids:
                harness.signalled(pid, signal.SIGSTOP)

        write = Write("decision", f"meanwhile-{call.number}")
        writes.append(write)
        outcome = tracer.run(
            scratch.arguments(*write.arguments), scratch.environment, scratch.path, stdout, stderr,
            fault=tracer.Fault(f"sendto:{call.number}:KILL"), on_hit=strike)
        for pid in pids:
            harness.signalled(pid, signal.SIGCONT)
        ran = harness.Ran(outcome.status, open(stdout).read(), open(stderr).read(), outcome.seconds)
        write.take(ran.status, ran.json)
        # The tracer takes its time too.
        if outcome.hit and (write.answer is None or ran.exceeds(LIMIT + 1)):
            violations.append(f"I8: stopped at message {call.number}: {ran}")
    bench.report("stopped meanwhile", violations + bench.recovered(checker, writes, [["reconcile"]], database))


def down(bench):
    scratch, database = bench.scratch()
    checker, writes, violations = Checker(scratch), [], []
    bench.server.stop()
    for kind in ("decision", "event", "milestone", "identity"):
        for number in range(2):
            write = Write(kind, f"down-{kind}-{number}", f"key-{kind}-{number}")
            writes.append(write)
            answered(write, scratch.run(*write.arguments), violations, LIMIT)
    loud = scratch.run("reconcile")
    if loud.status != 69:
        violations.append(f"reconcile without a server: {loud}, not 69")
    bench.server.start()
    first = scratch.run("reconcile")
    if first.status != 0 or first.json["remaining"] != 0 or first.json["differences"]["missing"] != 6:
        violations.append(f"one reconcile does not heal all: {first}")
    proof = scratch.run("verify")
    if proof.status != 0 or not proof.json["in_sync"]:
        violations.append(f"not in sync after one reconcile: {proof}")
    bench.report("down", violations + bench.recovered(checker, writes, [["commit"]], database))


def main():
    options = harness.parser(__doc__)
    options.add_argument("--seconds", type=float, default=40, help="how long to kill it (default: 40); the rest takes 15")
    options = harness.parse(options)
    reason = tracer.supported()
    if reason:
        print(f"skipped: {reason}")
        return 0
    generator = random.Random(options.seed)
    bench = Bench(options)
    stopped(bench)
    stopped_meanwhile(bench)
    down(bench)
    for what, arguments, prepare in (("restore into an empty database", ["restore"], None),
                                     ("restore over another state", ["restore"], unlike),
                                     ("reconcile", ["reconcile"], unlike)):
        killed(bench, what, arguments, prepare, generator, options.seconds / 3)
    print(f"postgres_faults: {bench.points} faults, {bench.failed} with violations")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
