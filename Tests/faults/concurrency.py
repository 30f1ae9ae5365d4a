#!/usr/bin/env python3
"""Many writers at once, beside a person who works in the same repository.

    crowd      8 processes write 64 decisions each: 512 answers, 512 files in HEAD, the counter 512 higher
    killed     8 processes write and are killed at random; who is not answered sends the same key again
    worktrees  writers in two linked working trees, each on its branch
    rebase     a record in the middle of a rebase is pending, and is committed by the run after it

Meanwhile a person stages, commits and amends files of their own, and rebases a branch in a third working tree; and
three reconciles run at once. Nobody loses anything.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import harness
from checker import Checker, Write
from harness import TREE, Scratch


class Person(threading.Thread):
    """Commits, amends and rebases until told to stop; tries again where git is busy, as people do."""

    def __init__(self, scratch, topic, generator):
        super().__init__(daemon=True)
        self.scratch, self.topic, self.generator = scratch, topic, generator
        self.stopping = threading.Event()
        self.files, self.topic_files, self.rebases, self.errors = {}, {}, 0, []

    def git(self, folder, *arguments):
        """True when it worked; False where a lock was in the way."""
        deadline = time.monotonic() + 20
        while True:
            done = subprocess.run(
                ["git", "-C", folder, *arguments], env=self.scratch.environment, capture_output=True, text=True)
            if done.returncode == 0:
                return True
            # A lock, or a ref that one of ours moved between its reading and its writing.
            busy = "lock" in done.stderr or "expected" in done.stderr
            if not busy or time.monotonic() > deadline:
                self.errors.append(f"git {' '.join(arguments)}: {done.stdout}{done.stderr}")
                return False
            time.sleep(0.002)

    def run(self):
        number = 0
        while not self.stopping.is_set() or number < 6:
            number += 1
            name = f"src/person{number}"
            self.files[name] = f"person {number}\n".encode()
            self.scratch.write(name, self.files[name])
            # Only this path: what else is staged stays staged.
            if not self.git(self.scratch.path, "add", name):
                return
            if not self.git(self.scratch.path, "commit", "-q", "-m", f"person {number}", "--", name):
                return
            if number % 3 == 0:
                amended = f"src/amended{number}"
                self.files[amended] = b"amended\n"
                self.scratch.write(amended, self.files[amended])
                if not self.git(self.scratch.path, "add", amended):
                    return
                if not self.git(self.scratch.path, "commit", "-q", "--amend", "--no-edit", "--", amended):
                    return
            topic = f"topic{number}"
            self.topic_files[topic] = f"topic {number}\n".encode()
            with open(f"{self.topic}/{topic}", "wb") as file:
                file.write(self.topic_files[topic])
            if not self.git(self.topic, "add", topic) or not self.git(self.topic, "commit", "-q", "-m", topic):
                return
            if number % 2 == 0:
                if not self.git(self.topic, "rebase", "-q", "main"):
                    return
                self.rebases += 1
            self.stopping.wait(self.generator.random() * 0.2)

    def finish(self, violations):
        self.stopping.set()
        self.join(60)
        violations += self.errors
        scratch = self.scratch
        for folder, revision, files in ((scratch.path, "main", self.files), (self.topic, "topic", self.topic_files)):
            for name, content in files.items():
                shown = subprocess.run(
                    ["git", "-C", folder, "show", f"{revision}:{name}"], env=scratch.environment, capture_output=True)
                if shown.stdout != content:
                    violations.append(f"I9: the person's {name} is not on {revision}: {shown.stderr.decode()}")
        if not self.files:
            violations.append("the person came to nothing")


class PersonChecker(Checker):
    """The person's commits are theirs: only ours must be of our paths."""

    def _person(self):
        scratch = self.scratch
        for line in scratch.git("log", "--first-parent", "--format=%H %s", f"{self.head}..HEAD").split("\n"):
            commit, _, subject = line.partition(" ")
            if not subject.startswith("maven:"):
                continue
            paths = scratch.git("diff-tree", "--no-commit-id", "--name-only", "-r", commit).split("\n")
            foreign = [path for path in paths if path and not path.startswith(".moha/")]
            # An amended commit of ours holds what the person added to it.
            foreign = [path for path in foreign if not path.startswith("src/amended")]
            self.expect(not foreign, "I9", f"our commit {commit[:10]} holds {foreign}")
        kept = set(self.index)
        self.expect(kept <= set(self._person_index()), "I9", "the person's staged entries changed")
        for name, content in self.person.items():
            self.expect(scratch.read(name) == content, "I9", f"{name} changed")


def writer(scratch, writes, violations):
    for write in writes:
        ran = scratch.run(*write.arguments, timeout=120)
        write.take(ran.status, ran.json)
        if ran.status != 0 or write.answer is None:
            violations.append(f"I1: {write.marker} was not answered: {ran}")


def killed_writer(scratch, writes, generator, violations, kills):
    for write in writes:
        for attempt in range(30):
            process = subprocess.Popen(
                scratch.arguments(*write.arguments), cwd=scratch.path, env=scratch.environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            try:
                # The later ones are left alone.
                output, _ = process.communicate(timeout=generator.random() * 0.4 if attempt < 3 else 120)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                output, _ = process.communicate()
                kills.append(1)
            ran = harness.Ran(process.returncode, output.decode(), "", 0)
            write.take(ran.status, ran.json)
            if write.answer:
                break
        else:
            violations.append(f"I8: {write.marker} was never answered: {ran}")


def together(jobs):
    threads = [threading.Thread(target=job, args=arguments) for job, *arguments in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def reconciles(scratch, stopping, violations, counts):
    """Three at once, again and again: each does its work or says that another is at it."""
    while not stopping.is_set():
        ran = scratch.run("reconcile")
        counts[ran.status] = counts.get(ran.status, 0) + 1
        # 3: records came while it ran, and the next one takes them.
        if ran.status not in (0, 3, 11):
            violations.append(f"I8: a reconcile beside writers: {ran}")
            return
        time.sleep(0.2)


class Stage:
    def __init__(self, options):
        self.options, self.work = options, harness.Work(options)
        self.server = harness.Postgres(self.work)
        self.generator = random.Random(options.seed)
        self.failed = 0

    def scratch(self, name):
        self.server.query("postgres", f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        scratch = Scratch.make(self.work, f"{self.work.path}/{name}", self.server.url(name))
        assert scratch.run("sync").status == 0
        return scratch

    def person(self, scratch):
        topic = f"{scratch.path}-topic"
        scratch.git("worktree", "add", "-q", "-b", "topic", topic)
        return Person(scratch, topic, random.Random(self.generator.random()))

    def report(self, name, text, violations):
        print(f"{name}: {text}, {len(violations)} violations", flush=True)
        for violation in violations[:10]:
            print(f"  {violation}")
        self.failed += 1 if violations else 0

    def crowd(self):
        processes, each = 8, self.options.writes
        scratch = self.scratch("crowd")
        checker, violations, counts = PersonChecker(scratch), [], {}
        checker.session, checker.database = harness.Session(self.server), "crowd"
        person, stopping = self.person(scratch), threading.Event()
        person.start()
        repairs = [threading.Thread(target=reconciles, args=(scratch, stopping, violations, counts)) for _ in range(3)]
        for thread in repairs:
            thread.start()
        writes = [[Write("decision", f"crowd-{number}-{one}-") for one in range(each)] for number in range(processes)]
        start = time.monotonic()
        together([(writer, scratch, list, violations) for list in writes])
        seconds = time.monotonic() - start
        stopping.set()
        for thread in repairs:
            thread.join()
        person.finish(violations)
        all = [write for list in writes for write in list]
        checker.at_once(all)
        violations += checker.recovered(all, [["reconcile"]])
        files = scratch.git("ls-tree", "-r", "--name-only", "HEAD", f"{TREE}/decisions/").split("\n")
        answers = sum(1 for write in all if write.answer)
        counter = checker._identity()["total_decisions"] - checker.base_identity["total_decisions"]
        wanted = processes * each
        if not answers == len(files) - 3 == counter == wanted:
            violations.append(f"I4: {answers} answers, {len(files) - 3} files, counter +{counter}, wanted {wanted}")
        commits = len(scratch.git("log", "--format=%H", "--grep=^maven:", f"{checker.head}..HEAD").split("\n"))
        self.report(
            "crowd", f"{answers} answers in {seconds:.0f} s, {len(files) - 3} files in HEAD by {commits} commits, counter "
            f"+{counter}; the person made {len(person.files)} files and {person.rebases} rebases; reconciles by exit "
            f"code {dict(sorted(counts.items()))}", violations)

    def killed(self):
        scratch = self.scratch("killed")
        checker, violations, kills = PersonChecker(scratch), [], []
        checker.session, checker.database = harness.Session(self.server), "killed"
        person = self.person(scratch)
        person.start()
        kinds = ["decision", "event", "milestone", "decision", "event"]
        writes = [[Write(kinds[one % 5], f"killed-{number}-{one}-", f"k-{number}-{one}", rebirth=one % 5 == 4)
                   for one in range(max(2, self.options.writes // 10))] for number in range(8)]
        together([(killed_writer, scratch, list, random.Random(self.generator.random()), violations, kills)
                  for list in writes])
        person.finish(violations)
        all = [write for list in writes for write in list]
        checker.at_once(all)
        violations += checker.recovered(all, [["reconcile"]])
        self.report("killed", f"{len(all)} writes, {len(kills)} kills; the person made {len(person.files)} files", violations)

    def worktrees(self):
        scratch = self.scratch("worktrees")
        scratch.url = None
        second_path = f"{scratch.path}-second"
        scratch.git("worktree", "add", "-q", "-b", "second", second_path)
        second = Scratch(self.work, second_path)
        violations, all = [], []
        each = max(2, self.options.writes // 8)
        sides = [(tree, [[Write("decision", f"{name}-{number}-{one}-") for one in range(each)] for number in range(4)])
                 for tree, name in ((scratch, "one"), (second, "two"))]
        checkers = [Checker(tree) for tree, _ in sides]
        together([(writer, tree, list, violations) for tree, lists in sides for list in lists])
        for checker, (tree, lists) in zip(checkers, sides):
            flat = [write for list in lists for write in list]
            all += flat
            checker.at_once(flat)
            violations += checker.recovered(flat, [["commit"]])
        self.report("worktrees", f"{len(all)} writes in two working trees", violations)

    def rebase(self):
        scratch = self.scratch("rebase")
        for number in range(2):
            scratch.write(f"src/more{number}", "more\n")
            scratch.git("add", f"src/more{number}")
            scratch.git("commit", "-q", "-m", f"more {number}", "--", f"src/more{number}")
        # A rebase refuses to begin with changes that are not committed: the person has put theirs away.
        scratch.git("stash", "-q")
        checker, violations = Checker(scratch), []
        environment = {**scratch.environment, "GIT_SEQUENCE_EDITOR": "sed -i 1abreak"}
        subprocess.run(["git", "-C", scratch.path, "rebase", "-q", "-i", "--force-rebase", "HEAD~2"], env=environment,
                       capture_output=True, check=True)
        write = Write("milestone", "mid-rebase")
        ran = scratch.run(*write.arguments)
        pending = ran.json and ran.json["data"]["commit_status"] == "pending" and ran.json["git_persisted"] is False
        if ran.status != 0 or not pending:
            violations.append(f"a record in the middle of a rebase is not pending: {ran}")
        scratch.git("-c", "core.editor=true", "rebase", "--continue")
        after = scratch.run("commit")
        if after.status != 0 or not after.json["committed"]:
            violations.append(f"the run after the rebase does not commit it: {after}")
        if write.end.decode() not in scratch.git("show", f"HEAD:{ran.json['data']['path']}"):
            violations.append("I1: the record is not in HEAD")
        # The rebase made new commits of the person's own: compare from there on.
        checker.head = scratch.git("rev-parse", "HEAD~1")
        violations += checker.recovered([write], [["commit"]])
        scratch.git("stash", "pop", "-q", "--index")
        if scratch.read("src/staged") != b"staged by a person\n":
            violations.append("I9: what the person had put away is not back")
        self.report("rebase", "one record in the middle", violations)


def main():
    options = harness.parser(__doc__)
    options.add_argument("--writes", type=int, default=64, help="by each of 8 processes (default: 64)")
    options.add_argument("--only", action="append", choices=["crowd", "killed", "worktrees", "rebase"], help="this one")
    options = harness.parse(options)
    stage = Stage(options)
    names = options.only or ["rebase", "worktrees", "killed", "crowd"]
    for name in names:
        getattr(stage, name)()
    print(f"concurrency: {len(names)} scenes, {stage.failed} with violations")
    return 1 if stage.failed else 0


if __name__ == "__main__":
    sys.exit(main())
