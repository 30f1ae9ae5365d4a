#!/usr/bin/env python3
"""Breaks every write command at every system call, in every way of the fault matrix, and checks the invariants.

For each command a first run, without a fault, lists its calls on files of the repository and on sockets. Then each
of them is a point: the process is killed before it, or it fails with an errno of the matrix, once or for ever, or it
writes only half. After each point one checker runs what would run next and asserts I1 to I12.

    sweep.py                        a spread sample for --seconds, the critical points first
    sweep.py --all                  every point
    sweep.py --command decision --point rename:3:KILL      one point
"""

import multiprocessing
import os
import random
import sys
import time

import harness
import tracer
from checker import Checker, Write
from harness import TREE, Scratch, decision

FILE_CALLS = [
    "openat", "write", "pwrite64", "fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "link", "linkat",
    "unlink", "unlinkat", "mkdir", "mkdirat", "ftruncate", "flock", "fcntl", "fchmod", "close", "read", "pread64",
    "getdents64", "newfstatat",
]
SOCKET_CALLS = ["connect", "sendto", "recvfrom"]
CHANGING = {
    "write", "pwrite64", "fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "link", "linkat", "unlink",
    "unlinkat", "mkdir", "mkdirat", "ftruncate",
}
# Which errnos a call can give, of the matrix.
ERRNOS = {
    "openat": ["ENOSPC", "EMFILE", "EROFS", "EIO"], "write": ["ENOSPC", "EIO"], "pwrite64": ["ENOSPC", "EDQUOT", "EIO"],
    "fsync": ["EIO"], "fdatasync": ["EIO"], "syncfs": ["EIO"], "rename": ["EIO", "EROFS"], "renameat": ["EIO", "EROFS"],
    "renameat2": ["EIO"], "link": ["EIO", "EDQUOT"], "linkat": ["EIO", "ENOSPC"], "unlink": ["EIO"],
    "unlinkat": ["EROFS"], "mkdir": ["ENOSPC"], "mkdirat": ["ENOSPC"], "ftruncate": ["EIO"], "flock": ["EINTR", "ENOLCK"],
    "connect": ["ECONNREFUSED"], "sendto": ["EPIPE"], "recvfrom": ["ECONNRESET"], "read": ["EIO"], "pread64": ["EIO"],
    "getdents64": ["EIO"],
}


class Command:
    """One command of the sweep: how its repository and database are prepared, what it runs, what comes next."""

    def __init__(self, name, write=None, arguments=None, prepare=None, database="synced", after=None, killed=None):
        self.name, self.make_write, self.arguments, self.prepare = name, write, arguments, prepare
        self.database, self.after, self.killed = database, after, killed

    def line(self, write):
        return write.arguments if write else self.arguments

    def next_runs(self, write, choice):
        """What runs next: the same again where that is harmless, or something else."""
        if write is None:
            return [self.arguments] if self.after is None else self.after[choice % len(self.after)]
        if write.key:
            return [write] if choice % 2 else [["reconcile"], write]
        other = Write("event", f"other{choice}")
        return [[other], [["commit"]], [["reconcile"]], [other, Write("decision", f"second{choice}")]][choice % 4]


def record(name, kind, key=False, rebirth=False, **keywords):
    return Command(name, lambda: Write(kind, f"{name}-fault", f"key-{name}" if key else None, rebirth), **keywords)


def written_by_hand(scratch):
    # What a power cut leaves of a writer, without an entry of the journal.
    scratch.write(f"{TREE}/.moha-1-1.tmp", "half a")
    scratch.write(f"{TREE}/decisions/decision_20260204_080000.md", decision(1, "2026-02-04"))
    scratch.write(f"{TREE}/decisions/decision_20260204_090000.md", decision(2, "2026-02-04"))
    identity = scratch.read(f"{TREE}/identity.json").replace(b'"total_decisions": 3', b'"total_decisions": 5')
    scratch.write(f"{TREE}/identity.json", identity)
    log = scratch.read(f"{TREE}/session_log.md")
    scratch.write(f"{TREE}/session_log.md", log + b"\n## [2026-02-04T08:00:00+00:00] NOTE\n\nBy hand.\n\n---\n")


def unlike(scratch, session, database):
    """Every kind of difference, in rows."""
    session("UPDATE maven_decisions SET confidence = 12 WHERE id = (SELECT min(id) FROM maven_decisions)", database)
    session("DELETE FROM maven_decisions WHERE id = (SELECT max(id) FROM maven_decisions)")
    session("DELETE FROM maven_memory WHERE id = (SELECT min(id) FROM maven_memory)")
    session("INSERT INTO maven_milestones (git_filename, title, description, achieved_at) VALUES "
            "('milestone_20200101_000000_by_a_bot.md', 'By a bot', 'Not in git', '2020-01-01')")
    session("INSERT INTO maven_memory (event_type, description) VALUES ('NOTE', 'Inserted by a bot')")


def drifted(scratch, session, database):
    scratch.write(f"{TREE}/decisions/decision_20260204_080000.md", decision(1, "2026-02-04"))


def quarantined(scratch, session, database):
    session("INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, "
            "decided_at) VALUES ('decision_20200101_000000.md', 'buy', 'Buy', 'By a bot', 50, 'low', '2020-01-01')", database)
    session("INSERT INTO maven_memory (event_type, description) VALUES ('NOTE', 'Inserted by a bot')")
    scratch.run("reconcile")


def unborn(scratch):
    """A repository without a commit of the tree's own branch yet."""
    scratch.git("checkout", "-q", "--orphan", "fresh")


COMMANDS = [
    record("decision", "decision"), record("event", "event"), record("milestone", "milestone"),
    record("identity", "identity"), record("decision-key", "decision", key=True), record("event-key", "event", key=True),
    record("snapshot", "snapshot"), record("snapshot-key", "snapshot", key=True),
    record("milestone-key", "milestone", key=True), record("identity-key", "identity", key=True, rebirth=True),
    record("rebirth", "event", key=True, rebirth=True),
    # Writers that find what a killed one left: recovery is itself broken.
    record("recover-decision", "decision", key=True, killed=("decision", "renameat:1:KILL")),
    record("recover-event", "event", key=True, killed=("event", "fsync:1:KILL")),
    record("recover-commit", "decision", key=True, killed=("decision", "rename:4:KILL")),
    Command("commit", arguments=["commit"], prepare=lambda scratch, *_: written_by_hand(scratch)),
    Command("sync", arguments=["sync"], database="empty"),
    Command("restore-over", arguments=["restore"], prepare=unlike),
    Command("reconcile", arguments=["reconcile"], prepare=unlike),
    Command("reconcile-counter", arguments=["reconcile"], prepare=drifted),
    Command("adopt", arguments=["adopt", "1", "2"], prepare=quarantined,
            after=[[["reconcile"]], [["commit"]], [["reconcile"], ["commit"]]]),
]


class Bench:
    """A worker's tools: scratch space of its own, one psql, the templates of the commands."""

    def __init__(self, work, server, name):
        self.work, self.server = work, server
        self.folder = f"{work.path}/{name}"
        os.makedirs(self.folder, exist_ok=True)
        self.session = harness.Session(server)
        self.name, self.count, self.templates = name, 0, {}

    def template(self, command):
        """The repository and the database before the command."""
        if command.name in self.templates:
            return self.templates[command.name]
        database = f"t_{self.name}_{command.name.replace('-', '_')}"
        self.session(f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'", "postgres")
        scratch = Scratch.make(self.work, f"{self.folder}/t-{command.name}", self.server.url(database))
        if command.database == "synced":
            ran = scratch.run("sync")
            assert ran.status == 0, ran
        # The index of keys is made at the first use.
        ran = scratch.run(*Write("event", "first", key="first").arguments)
        assert ran.status == 0, ran
        if command.database == "synced":
            assert scratch.run("reconcile").status == 0
        if command.prepare:
            command.prepare(scratch, self.session, database)
        writes = []
        if command.killed:
            kind, fault = command.killed
            writes.append(Write(kind, "killed-before", key="key-killed-before"))
            self.broken(scratch, writes[0], writes[0].arguments, fault)
        self.session("SELECT 1", "postgres")
        self.templates[command.name] = scratch, database, writes
        return self.templates[command.name]

    def broken(self, scratch, write, arguments, fault=None, records=False):
        """Runs a command with a fault; returns the outcome and what it printed."""
        stdout, stderr = f"{self.folder}/stdout", f"{self.folder}/stderr"
        calls = FILE_CALLS + SOCKET_CALLS
        outcome = tracer.run(
            scratch.arguments(*arguments), scratch.environment, scratch.path, stdout, stderr,
            fault=tracer.Fault(fault) if fault else None, calls=calls, records=records)
        with open(stdout, "rb") as out, open(stderr, "rb") as err:
            ran = harness.Ran(outcome.status, out.read().decode(), err.read().decode(), outcome.seconds)
        if write:
            write.take(ran.status, ran.json)
        return outcome, ran

    def copy(self, command):
        template, source, writes = self.template(command)
        self.count += 1
        database = f"p_{self.name}_{self.count}"
        self.session(f"CREATE DATABASE {database} TEMPLATE {source}", "postgres")
        scratch = template.copy(f"{self.folder}/{self.count}", self.server.url(database))
        copies = []
        for write in writes:
            copy = Write(write.kind, write.marker, write.key, write.rebirth)
            copy.answer = write.answer
            copies.append(copy)
        return scratch, database, copies

    def drop(self, scratch, database):
        self.session("SELECT 1", "postgres")
        self.session(f"DROP DATABASE {database} WITH (FORCE)")
        scratch.remove()

    def points(self, command):
        """All points of a command, critical ones first in rank: (rank, fault)."""
        scratch, database, writes = self.copy(command)
        write = command.make_write() if command.make_write else None
        outcome, ran = self.broken(scratch, write, command.line(write), records=True)
        assert ran.status == 0, f"{command.name} fails without a fault: {ran}"
        self.drop(scratch, database)
        return points_of(outcome.calls, scratch.path)

    def check(self, command, fault, choice, rebuilds):
        """Breaks the command at one point and returns (hit, violations)."""
        scratch, database, writes = self.copy(command)
        try:
            checker = Checker(scratch, self.session, database)
            broken = tracer.Fault(fault)
            checker.records_tidy_up = True
            checker.forgives_leftovers = broken.call.startswith("unlink") and broken.errno is not None
            write = command.make_write() if command.make_write else None
            outcome, ran = self.broken(scratch, write, command.line(write), fault)
            if outcome.timed_out:
                checker.fail("I8", "the command did not end within 30 s")
            writes = writes + ([write] if write else [])
            if write and ran.status == 0 and write.answer is None:
                checker.fail("I10", f"exit 0 without an answer: {ran}")
            checker.at_once(writes)
            runs = command.next_runs(write, choice)
            # Who does not know sends the same again, under the same key.
            runs = runs + [other for other in writes if other.key and other not in runs]
            violations = checker.recovered(writes, runs, rebuilds)
            return outcome.hit, violations
        finally:
            self.drop(scratch, database)


def points_of(calls, folder):
    points = []
    for call in calls:
        about = call.about
        socket = call.name in SOCKET_CALLS
        ours = (folder in about and "/opt/" not in about and "/usr/" not in about) or "/stdout" in about
        if not ours and not socket:
            continue
        durable = call.name in CHANGING and "/stdout" not in about
        points.append((0 if durable else 1, f"{call.name}:{call.number}:KILL"))
        for number, error in enumerate(ERRNOS.get(call.name, [])):
            if "/stdout" in about:
                continue
            # Opening what is not there fails in any case; what is made is of more interest.
            rank = 1 if durable and number == 0 else 2
            points.append((rank, f"{call.name}:{call.number}:{error}"))
            if call.name in CHANGING | {"openat"} and number == 0:
                points.append((3, f"{call.name}:{call.number}+:{error}"))
        if call.name in ("write", "pwrite64") and "/stdout" not in about:
            points.append((1, f"{call.name}:{call.number}:SHORT"))
    return points


def chosen(points, options, generator):
    """The points in the order in which they are tried: all in a row, or a spread that can be cut anywhere."""
    if options.all:
        return [fault for rank, fault in points if options.from_rank <= rank <= options.rank]
    order = []
    for rank in range(options.from_rank, options.rank + 1):
        of_rank = [fault for which, fault in points if which == rank]
        generator.shuffle(of_rank)
        order += of_rank
    return order


def work_through(number, options, work, server, tasks, results):
    bench = Bench(work, server, f"w{number}")
    while True:
        task = tasks.get()
        if task is None:
            bench.session.close()
            return
        name, fault, choice, rebuilds = task
        if options.deadline and time.monotonic() > options.deadline:
            continue
        command = next(command for command in COMMANDS if command.name == name)
        try:
            hit, violations = bench.check(command, fault, choice, rebuilds)
        except Exception as error:  # A fault of the harness is a failure, not the end of the sweep.
            hit, violations = True, [f"harness: {type(error).__name__}: {error}"]
        results.put((name, fault, choice, hit, violations))


def interleaved(lists):
    """One of each in turn, so that a cut sample covers every command."""
    longest = max((len(values) for values in lists), default=0)
    return [values[index] for index in range(longest) for values in lists if index < len(values)]


def main():
    options = harness.parser(__doc__)
    options.add_argument("--all", action="store_true", help="every point, without a limit of time")
    options.add_argument(
        "--rank", type=int, default=3, choices=range(4),
        help="up to: 0 killed at calls that change something, 1 their errnos, and killed at others, 2 and 3 the rest")
    options.add_argument("--from-rank", type=int, default=0, choices=range(4), help="leave out the ranks below")
    options.add_argument("--seconds", type=float, default=150, help="how long the sample runs (default: 150)")
    options.add_argument("--command", action="append", choices=[command.name for command in COMMANDS], help="this one only")
    options.add_argument("--point", action="append", help="this point only: CALL:N:FAULT")
    options.add_argument("--choice", type=int, default=None, help="which next run, as a violation names it")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many points at once")
    options.add_argument("--list", action="store_true", help="print the points and run none")
    options = harness.parse(options)
    reason = tracer.supported()
    if reason:
        print(f"skipped: {reason}")
        return 0
    generator = random.Random(options.seed)
    work = harness.Work(options)
    server = harness.Postgres(work)
    commands = [command for command in COMMANDS if not options.command or command.name in options.command]
    start = time.monotonic()
    options.deadline = None if options.all or options.point else start + options.seconds

    bench = Bench(work, server, "m")
    tasks_of, totals = [], {}
    for command in commands:
        if options.point:
            faults = options.point
        else:
            points = bench.points(command)
            totals[command.name] = len(points)
            faults = chosen(points, options, generator)
        if options.list:
            print(command.name, *faults, sep="\n  ")
        tasks_of.append([
            (command.name, fault, options.choice if options.choice is not None else generator.randrange(1000),
             bool(options.point) or number % 8 == 0)
            for number, fault in enumerate(faults)])
    bench.session.close()
    if options.list:
        return 0

    tasks, results = multiprocessing.Queue(), multiprocessing.Queue()
    every = interleaved(tasks_of) if not options.all else [task for list in tasks_of for task in list]
    for task in every + [None] * options.jobs:
        tasks.put(task)
    workers = [
        multiprocessing.Process(target=work_through, args=(number, options, work, server, tasks, results))
        for number in range(options.jobs)]
    for worker in workers:
        worker.start()
    counts, violations, missed = {}, 0, 0
    while any(worker.is_alive() for worker in workers) or not results.empty():
        try:
            name, fault, choice, hit, found = results.get(timeout=0.2)
        except Exception:
            continue
        counts[name] = counts.get(name, 0) + 1
        missed += 0 if hit else 1
        if found:
            violations += 1
            print(f"{name} at {fault}:", flush=True)
            for text in found:
                print(f"  {text}", flush=True)
            print(f"  again: python3 Tests/faults/sweep.py --command {name} --point {fault} --choice {choice}", flush=True)
    failed = [worker.exitcode for worker in workers if worker.exitcode != 0]
    for command in commands:
        print(f"{command.name}: {counts.get(command.name, 0)} of {totals.get(command.name, len(options.point or []))} points")
    print(f"sweep: {sum(counts.values())} points of {len(commands)} commands in {time.monotonic() - start:.0f} s, "
          f"{missed} not reached, {violations} with violations")
    return 1 if violations or failed or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
