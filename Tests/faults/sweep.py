#!/usr/bin/env python3
"""Breaks every write command at every system call, in every way of the fault matrix, and checks the invariants.

For each command a first run, without a fault, lists its calls on files of the repository and on sockets. Then each
of them is a point: the process is killed before it, or it fails with an errno of the matrix, once or for ever, or it
writes only half. After each point one checker runs what would run next and asserts I1 to I12.

The commands `beside-…` have a second writer that has made its own record and waits to commit while the first is
killed; it then commits, whatever it finds, and the first one's request is sent again under the same key.

    sweep.py                        a spread sample for --seconds, the critical points first; its last lines say
                                    what share of all points that was; another seed takes others
    sweep.py --all                  every point
    sweep.py --all --share 3/40     every fortieth point, from the third on: forty runs make up all of them
    sweep.py --command decision --point rename:3:KILL      one point
"""

import collections
import multiprocessing
import os
import queue
import random
import sys
import time

import harness
import tracer
from checker import Checker, Write
from harness import TREE, Scratch, decision
from mixed_paused import CHANGING as PAUSING
from mixed_paused import Paused

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

    def __init__(self, name, write=None, arguments=None, prepare=None, database="synced", after=None, killed=None,
                 is_beside=False):
        self.name, self.make_write, self.arguments, self.prepare = name, write, arguments, prepare
        self.database, self.after, self.killed = database, after, killed
        # Whether another writer waits to commit meanwhile.
        self.is_beside = is_beside
        # Commands that need the same have the same.
        self.template = f"{database} {prepare.__name__ if prepare else ''} {killed}"

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


def written_by_hand(scratch, *_):
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
    session("INSERT INTO maven_memory (event_type, description, created_at) VALUES ('NOTE', 'Inserted by a bot', now() - interval '1 hour')")


def drifted(scratch, session, database):
    scratch.write(f"{TREE}/decisions/decision_20260204_080000.md", decision(1, "2026-02-04"))


def quarantined(scratch, session, database):
    session("INSERT INTO maven_decisions (git_filename, decision_type, action, reasoning, confidence, risk_level, "
            "decided_at) VALUES ('decision_20200101_000000.md', 'buy', 'Buy', 'By a bot', 50, 'low', '2020-01-01')", database)
    session("INSERT INTO maven_memory (event_type, description, created_at) VALUES ('NOTE', 'Inserted by a bot', now() - interval '1 hour')")
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
    *(record(f"beside-{kind}", kind, key=True, is_beside=True)
      for kind in ("decision", "milestone", "event", "snapshot", "identity")),
    Command("commit", arguments=["commit"], prepare=written_by_hand),
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
        # Those of another bench will do: they are only copied.
        self.name, self.count, self.templates, self.waits = name, 0, {}, {}

    def template(self, command):
        """The repository and the database before the command; the same for commands that need no other."""
        key = command.template
        if key in self.templates:
            return self.templates[key]
        database = f"t_{self.name}_{len(self.templates)}"
        self.session(f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'", "postgres")
        scratch = Scratch.make(self.work, f"{self.folder}/t-{len(self.templates)}", self.server.url(database))
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
        self.templates[key] = scratch, database, writes
        return self.templates[key]

    def broken(self, scratch, write, arguments, fault=None, records=False):
        """Runs a command with a fault; returns the outcome and what it printed."""
        stdout, stderr = f"{self.folder}/stdout", f"{self.folder}/stderr"
        calls = FILE_CALLS + SOCKET_CALLS
        outcome = tracer.run(
            scratch.arguments(*arguments), scratch.environment, scratch.path, stdout, stderr,
            fault=tracer.Fault(fault) if fault else None, calls=calls, records=records, timeout=harness.patience(30))
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

    def waiting(self, command):
        """The call at which a writer has made its record and asks for the lock of those who commit.

        It has locked the tree and let go of it before: the lock of commits is the first on another file.
        """
        if command.name not in self.waits:
            scratch, database, _ = self.copy(command)
            calls = self.waiter(scratch, None, PAUSING).finish()["calls"]
            self.drop(scratch, database)
            journal = next(number for number, (name, _, about) in enumerate(calls)
                           if name == "rename" and "/journal/" in about)
            tree = {about for name, _, about in calls[:journal] if name == "flock"}
            self.waits[command.name] = next(f"{name}:{number}" for name, number, about in calls[journal:]
                                            if name == "flock" and about not in tree)
        return self.waits[command.name]

    def waiter(self, scratch, fault, calls=None):
        """Another writer, that stands at a call, or runs to its end where none is named."""
        paused = Paused(scratch.arguments(*Write("event", "waiting").arguments), scratch.environment, scratch.path,
                        fault, calls=calls, work=self.folder)
        if paused.reached() != (fault is not None):
            raise RuntimeError(f"the waiting writer did not come to {fault}: {paused.finish()}")
        return paused

    def points(self, command):
        """All points of a command, critical ones first in rank: (rank, fault)."""
        waiting = self.waiting(command) if command.is_beside else None
        scratch, database, writes = self.copy(command)
        write = command.make_write() if command.make_write else None
        waiter = self.waiter(scratch, waiting) if waiting else None
        outcome, ran = self.broken(scratch, write, command.line(write), records=True)
        assert ran.status == 0, f"{command.name} fails without a fault: {ran}"
        if waiter:
            waiter.finish()
        self.drop(scratch, database)
        calls = outcome.calls
        if not waiter:
            return points_of(calls, scratch.path)
        # Only what a killed writer leaves to the other one: from its entry of the journal on.
        journal = next(number for number, call in enumerate(calls)
                       if call.name == "rename" and "/journal/" in call.about)
        return [(rank, fault) for rank, fault in points_of(calls[journal:], scratch.path) if fault.endswith(":KILL")]

    def check(self, command, fault, choice, rebuilds):
        """Breaks the command at one point and returns (hit, violations)."""
        scratch, database, writes = self.copy(command)
        try:
            checker = Checker(scratch, self.session, database)
            broken = tracer.Fault(fault)
            checker.records_tidy_up = True
            if command.prepare is quarantined:
                checker.adopted = ("decision_20200101_000000.md",)
            checker.forgives_leftovers = broken.call.startswith("unlink") and broken.errno is not None
            write = command.make_write() if command.make_write else None
            waiter = self.waiter(scratch, self.waiting(command)) if command.is_beside else None
            outcome, ran = self.broken(scratch, write, command.line(write), fault)
            if outcome.timed_out:
                checker.fail("I8", "the command did not end within 30 s")
            writes = writes + ([write] if write else [])
            if waiter:
                other, ended = Write("event", "waiting"), waiter.finish()
                waited = harness.Ran(ended.get("status"), ended["stdout"], ended["stderr"], ended.get("seconds", 0))
                other.take(waited.status, waited.json)
                checker.expect(other.answer is not None, "I8", f"the writer that waited was not answered: {waited}")
                writes = writes + [other]
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
        number, count = options.share
        faults = [fault for rank, fault in points if options.from_rank <= rank <= options.rank]
        return faults[number - 1::count]
    order = []
    for rank in range(options.from_rank, options.rank + 1):
        of_rank = [fault for which, fault in points if which == rank]
        generator.shuffle(of_rank)
        order += of_rank
    return order


Listed = collections.namedtuple("Listed", "name points template wait")
Tried = collections.namedtuple("Tried", "name fault choice hit violations")


def work_through(number, options, work, server, tasks, results):
    """Lists the points of commands and tries points, as they come, until the deadline or the end of the tasks."""
    bench = Bench(work, server, f"w{number}")
    while True:
        task = tasks.get()
        if task is None:
            bench.session.close()
            return
        name, fault, choice, rebuilds, template, waits = task
        command = next(command for command in COMMANDS if command.name == name)
        try:
            if fault is None:
                points = bench.points(command)
                results.put(Listed(name, points, bench.templates[command.template], bench.waits.get(name)))
                continue
            if template:
                bench.templates.setdefault(command.template, template)
            if waits:
                bench.waits[name] = waits
            hit, violations = bench.check(command, fault, choice, rebuilds)
        except Exception as error:  # A fault of the harness is a failure, not the end of the sweep.
            hit, violations = True, [f"harness: {type(error).__name__}: {error}"]
        if fault is None:
            results.put(Listed(name, [], None, None))
        results.put(Tried(name, fault, choice, hit, violations))


def share(text):
    """`NUMBER/COUNT` as a pair."""
    number, count = (int(part) for part in text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(text)
    return number, count


class Schedule:
    """Gives tasks to the workers: first the listings of all commands, then points, of the least tried command first."""

    def __init__(self, options, commands, tasks):
        self.options, self.commands, self.tasks = options, commands, tasks
        self.totals, self.critical, self.tried = {}, {}, {command.name: 0 for command in commands}
        self.faults, self.templates, self.waits = {}, {}, {}
        self.outstanding = 0
        self.generators = {command.name: random.Random(f"{options.seed} {command.name}") for command in commands}
        if options.point:
            self.faults = {command.name: list(options.point) for command in commands}
        else:
            for command in commands:
                self._put(command.name, None, None, False)

    def _put(self, name, *task):
        self.outstanding += 1
        self.tasks.put((name, *task, self.templates.get(name), self.waits.get(name)))

    def take(self, listed):
        name = listed.name
        self.outstanding -= 1
        self.templates[name], self.waits[name] = listed.template, listed.wait
        self.totals[name] = len(listed.points)
        self.critical[name] = {fault for rank, fault in listed.points if rank == 0}
        self.faults[name] = chosen(listed.points, self.options, self.generators[name])

    def feed(self):
        """Keeps every worker in work until the deadline. False where nothing is left to be done."""
        is_listed = len(self.faults) == len(self.commands)
        while is_listed and not self.options.list and self.outstanding < 2 * self.options.jobs:
            left = [name for name in self.tried if self.tried[name] < len(self.faults[name])]
            if not left or self.options.deadline and time.monotonic() > self.options.deadline:
                break
            name = left[0] if self.options.all else min(left, key=lambda name: self.tried[name])
            number, generator = self.tried[name], self.generators[name]
            self.tried[name] += 1
            choice = self.options.choice if self.options.choice is not None else generator.randrange(1000)
            self._put(name, self.faults[name][number], choice, bool(self.options.point) or number % 8 == 0)
        return self.outstanding > 0


def main():
    options = harness.parser(__doc__)
    options.add_argument("--all", action="store_true", help="every point, without a limit of time")
    options.add_argument(
        "--rank", type=int, default=3, choices=range(4),
        help="up to: 0 killed at calls that change something, 1 their errnos, and killed at others, 2 and 3 the rest")
    options.add_argument("--from-rank", type=int, default=0, choices=range(4), help="leave out the ranks below")
    options.add_argument("--seconds", type=float, default=150, help="how long the sample runs (default: 150)")
    options.add_argument("--share", type=share, default=(1, 1), help="with --all, NUMBER/COUNT: that part of them")
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
    work = harness.Work(options)
    server = harness.Postgres(work)
    commands = [command for command in COMMANDS if not options.command or command.name in options.command]
    start = time.monotonic()
    options.deadline = None if options.all or options.point else start + options.seconds

    tasks, results = multiprocessing.Queue(), multiprocessing.Queue()
    schedule = Schedule(options, commands, tasks)
    workers = [multiprocessing.Process(target=work_through, args=(number, options, work, server, tasks, results))
               for number in range(options.jobs)]
    for worker in workers:
        worker.start()
    counts, critical, violations, missed = {}, 0, 0, 0
    while schedule.feed():
        try:
            result = results.get(timeout=0.2)
        except queue.Empty:
            if any(worker.exitcode is not None for worker in workers):
                break
            continue
        if isinstance(result, Listed):
            schedule.take(result)
            continue
        name, fault, choice, hit, found = result
        # A listing that failed was taken already, without points.
        schedule.outstanding -= 1 if fault else 0
        counts[name] = counts.get(name, 0) + 1
        critical += 1 if fault in schedule.critical.get(name, ()) else 0
        missed += 0 if hit else 1
        if found:
            violations += 1
            print(f"{name} at {fault}:", flush=True)
            for text in found:
                print(f"  {text}", flush=True)
            print(f"  again: python3 Tests/faults/sweep.py --command {name} --point {fault} --choice {choice}", flush=True)
    for _ in workers:
        tasks.put(None)
    for worker in workers:
        worker.join(60)
    totals = schedule.totals
    if options.list:
        for command in commands:
            print(command.name, *schedule.faults.get(command.name, []), sep="\n  ")
        return 1 if violations else 0
    failed = [worker.exitcode for worker in workers if worker.exitcode != 0]
    for command in commands:
        print(f"{command.name}: {counts.get(command.name, 0)} of {totals.get(command.name, len(options.point or []))} points")
    if totals:
        every, dangerous = sum(totals.values()), sum(len(faults) for faults in schedule.critical.values())
        print(f"share of this run: {sum(counts.values())} of all {every} points, and {critical} of the {dangerous} at "
              f"which a command is killed before it changes something; --seed {options.seed} takes the same")
    print(f"sweep: {sum(counts.values())} points of {len(commands)} commands in {time.monotonic() - start:.0f} s, "
          f"{missed} not reached, {violations} with violations")
    return 1 if violations or failed or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
