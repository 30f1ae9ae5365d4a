"""One repository of the mixed run, from its making to its judgement."""

import json
import os
import random
import shlex
import shutil
import subprocess
import time

import harness
from harness import Scratch
from mixed_oracle import Judge, decision_files, left_over, outline, rows_of
from mixed_person import Ledger, Person
from mixed_records import IDENTITY, WRITER, Watch, person_of
from mixed_writers import Traffic

SETTINGS = {
    "flat": "moha:\n  layout: flat\nlog:\n  rotate-bytes: 1500\n",
    "dated": "moha:\n  layout: dated\nlog:\n  rotate-bytes: 1500\n",
    "topics": "log:\n  rotate-bytes: 1500\n",
    "periodic": "moha:\n  commit: periodic\nlog:\n  rotate-bytes: 1500\n",
}


class Bench:
    """What one process of the run has: a private Postgres, repositories to copy, a folder."""

    def __init__(self, work, name):
        self.work, self.name = work, name
        self.folder = work.folder(name)
        self.server = harness.Postgres(work, f"{name}-pg")
        self.session = harness.Session(self.server)
        self.templates, self.points, self.count = {}, {}, 0

    def close(self):
        self.session.close()
        self.server.stop()

    def template(self, settings):
        """A repository and a database in sync with it."""
        if settings not in self.templates:
            database = f"t_{self.name}_{settings}"
            self.session(f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'", "postgres")
            scratch = Scratch.make(
                self.work, f"{self.folder}/t-{settings}", self.server.url(database), settings=SETTINGS[settings])
            if settings == "topics":
                branch_off(scratch)
            ran = scratch.run("sync")
            assert ran.status == 0, ran
            self.session("SELECT 1", "postgres")
            self.templates[settings] = scratch, database
        return self.templates[settings]

    def reconnect(self):
        """A new psql, after the server was killed."""
        self.session.process.kill()
        self.session.process.wait()
        self.session = harness.Session(self.server)


def branch_off(scratch):
    """Branches beside main: `topic` and `ahead` go together with it, `clash` does not."""
    scratch.git("stash", "push", "-q", "-u")
    for branch, name in (("topic", "src/topic"), ("clash", "src/same")):
        scratch.git("switch", "-q", "-c", branch)
        scratch.write(name, f"{name} of {branch}\n")
        scratch.git("add", name)
        scratch.git("commit", "-q", "-m", f"{branch}'s")
        scratch.git("switch", "-q", "main")
    scratch.write("src/same", "src/same of main\n")
    scratch.git("commit", "-q", "-a", "-m", "main's")
    scratch.git("switch", "-q", "-c", "ahead")
    scratch.write("src/ahead", "ahead\n")
    scratch.git("add", "src/ahead")
    scratch.git("commit", "-q", "-m", "ahead's")
    scratch.git("switch", "-q", "main")
    scratch.git("stash", "pop", "-q", "--index")


class Stage:
    """A repository with its writers' traffic and the ledger of its people. `base` may be on another file system."""

    def __init__(self, bench, settings="flat", database=True, base=None, redis=None):
        self.bench, self.has_database = bench, database
        bench.count += 1
        self.name = f"{bench.name}_{bench.count}"
        template, source = bench.template(settings)
        self.database = None
        url = None
        if database:
            self.database = f"d_{self.name}"
            bench.session(f"CREATE DATABASE {self.database} TEMPLATE {source}", "postgres")
            url = bench.server.url(self.database)
        self.scratch = template.copy(f"{base or bench.folder}/{self.name}", url)
        self.scratch.url = url
        self.folder = self.scratch.path
        self.ledger = Ledger()
        self.traffic = Traffic(bench.work, self.name.replace("_", ""), self.folder, url, redis)
        self.start = time.monotonic()
        self.people, self.trees = [], {"main": self.folder}
        self.counts_rebirths = False
        self.violations, self.notes = [], []
        self.was_removed = self.was_moved_back = self.was_swept = 0
        # When HEAD moved, in a scene in which nobody waits for anybody.
        self.watches = None

    def person(self, generator, repertoire, folder=None, home="main", label="person", kind=Person, **keywords):
        made = kind(folder or self.folder, self.bench.work, self.ledger, generator, repertoire, home, label, **keywords)
        self.people.append(made)
        return made

    def linked(self, branch):
        """A linked working tree on a branch of its own."""
        path = f"{self.folder}-{branch}"
        self.scratch.git("worktree", "add", "-q", "-b", branch, path)
        self.trees[branch] = path
        return path

    def hook(self, *arguments, output="/dev/null"):
        """What people put into a pre-commit hook; `commit` where nothing else is named."""
        path = f"{self.folder}/.git/hooks/pre-commit"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        line = shlex.join(self.traffic.line(*(arguments or ["commit"]), root=self.folder))
        with open(path, "w") as file:
            names = " ".join(f"{name}={value}" for name, value in person_of(WRITER).items())
            file.write(f"#!/bin/sh\nexport {names}\n{line} >{output} 2>/dev/null\necho $? >{output}.status\nexit 0\n")
        os.chmod(path, 0o755)

    def run(self, *arguments, folder=None):
        """A command of the program, as the writers run it."""
        start, timeout = time.monotonic(), harness.patience(120)
        try:
            done = subprocess.run(
                self.traffic.line(*arguments), cwd=folder or self.folder, env=self.traffic.environment,
                capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout)
        except subprocess.TimeoutExpired:
            return harness.Ran(-14, "", f"no end after {timeout} s", time.monotonic() - start)
        return harness.Ran(done.returncode, done.stdout.decode("utf-8", "replace"),
                           done.stderr.decode("utf-8", "replace"), time.monotonic() - start)

    def record(self, kind, key=None, rebirth=False, folder=None):
        """One record of the command line, from its sending to its answer."""
        entry = self.traffic.new(kind, None, folder or self.folder, key, rebirth)
        return entry, self.send(entry)

    def send(self, entry):
        entry.begin()
        ran = self.run(*entry.arguments, folder=entry.folder)
        return self.traffic.answered(entry, ran.status, ran.json)

    # The end

    def finish(self, judges_rows=True):
        """Everybody comes to rest; one run on each branch and working tree that was written to; then the judgement."""
        for person in self.people:
            person.finish()
        for person in self.people:
            self.settle(person)
        violations = self.ledger.violations + self.traffic.violations + self.violations
        if self.has_database and judges_rows:
            self.repair(violations)
        judge = self.judge()
        violations += judge.violations
        violations += self.left_over()
        self.notes = judge.notes
        self.was_removed, self.was_moved_back, self.was_swept = map(len, (judge.removed, judge.moved_back, judge.swept))
        if self.has_database and judges_rows:
            self.rows(violations, judge)
        return violations

    def left_over(self):
        left = [path for folder in self.trees.values() for path in left_over(folder, self.git_folder(folder))]
        return [f"LEFT: {', '.join(left)}"] if left else []

    def judge(self):
        judge = Judge(self.folder, self.scratch.environment, self.traffic.entries, self.ledger, self.start,
                      self.moments())
        judge.judge()
        return judge

    def watch(self):
        """Notes when each branch moves from now on."""
        self.watches = [Watch(f"{self.git_folder(path)}/logs/HEAD") for path in self.trees.values()]

    def git_folder(self, path):
        return self.scratch.git("-C", path, "rev-parse", "--absolute-git-dir")

    def moments(self):
        if self.watches is None:
            return None
        found = {}
        for watch in self.watches:
            for commit, times in watch.times().items():
                found.setdefault(commit, []).extend(times)
        return found

    def settle(self, person):
        """The next run on every branch that was checked out in the person's folder; the home branch comes last."""
        self.commit(person.folder)
        others = {branch for _, branch in self.ledger.currents[person.folder]} - {person.home, None}
        tips = subprocess.run(["git", "-C", self.folder, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"],
                              capture_output=True, text=True).stdout.split()
        for branch in sorted(others & set(tips)):
            person.action = self.ledger.begin("switch", person.label)
            if person.git("switch", "-q", "-f", branch):
                person.look()
                self.commit(person.folder)
        if person.branch != person.home:
            person.git("switch", "-q", "-f", person.home)
            person.look()
        self.commit(person.folder)
        # Whatever form the index has now: the person's next commit undoes nothing.
        answers = [self.record(kind, folder=person.folder)[1] for kind in ("event", "decision")]
        if any(answer.pending for answer in answers):
            self.commit(person.folder)
        person.act("commit_staged")

    def commit(self, folder):
        ran = self.run("commit", folder=folder)
        if ran.status != 0:
            self.violations.append(f"FAILED: the last commit in {os.path.basename(folder)}: {outline(ran)}")

    def repair(self, violations):
        # The commit by name: rows may come from a commit that a person moved the branch back over.
        for arguments in (["reconcile", "--at", "HEAD", "--allow-removals", "1000000"],
                          ["reconcile", "--allow-removals", "1000000"]):
            ran = self.run(*arguments)
            if ran.status != 0:
                violations.append(f"ROWS: {' '.join(arguments)} at the end: {outline(ran)}")

    def rows(self, violations, judge):
        try:
            identity = json.loads(self.scratch.read(IDENTITY) or b"")
        except ValueError:
            identity = None
        before = len(judge.violations)
        attempted = sum(1 for entry in self.traffic.entries if entry.rebirth and entry.tries)
        counts = self.counts_rebirths and not judge.removed | judge.moved_back | judge.swept
        judge.counters(len(decision_files(self.folder)), identity, attempted, counts, 1)
        violations += judge.violations[before:]
        found = rows_of(self.bench.session, self.database)
        self.bench.session("SELECT 1", "postgres")
        for marker, count in found.items():
            if count > 1:
                violations.append(f"ROWS: {judge.known.get(marker, marker)} has {count} rows")
        proof = self.run("verify")
        if proof.status != 0 or not proof.json or not proof.json.get("in_sync"):
            violations.append(f"ROWS: verify: {outline(proof)}")

    def tell(self, path, violations):
        """Writes down what happened, in order: seconds, who, what."""
        lines = []
        for action in self.ledger.actions:
            ends = ", ".join(f"{end - self.start:.3f}" for end in action.ends)
            lines.append((action.start, f"{action.person} {action.name}: {action} (its commands until {ends})"))
        for entry in self.traffic.entries:
            if entry.begun:
                key = f" key {entry.key}" if entry.key else ""
                lines.append((entry.begun, f"{entry}{key} sent, {entry.tries} times"))
            for answer in entry.answers:
                words = [answer.status, answer.code, answer.commit, "pending" if answer.pending else None,
                         "repeated" if answer.repeated else None, answer.path]
                words = " ".join(str(word) for word in words if word is not None)
                lines.append((answer.at, f"{entry} answered {words}"))
        for commit, times in (self.moments() or {}).items():
            lines += [(at, f"HEAD came to {commit[:8]}") for at in times]
        with open(path, "w") as file:
            file.writelines(f"{at - self.start:8.3f} {text}\n" for at, text in sorted(lines))
            file.writelines(f"{text}\n" for text in violations + self.notes)

    def drop(self, keeps=False):
        self.traffic.objects.close()
        for watch in self.watches or []:
            watch.finish()
        if self.traffic.redis:
            # An MCP server, which is not told of that Redis, has started one of its own.
            self.run("down")
        if self.database and not keeps:
            self.bench.session("SELECT 1", "postgres")
            self.bench.session(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        if not keeps:
            for path in [self.folder, f"{self.folder}-glance", f"{self.folder}-elsewhere", *self.trees.values()]:
                shutil.rmtree(path, ignore_errors=True)

    @staticmethod
    def generator(seed):
        return random.Random(seed)
