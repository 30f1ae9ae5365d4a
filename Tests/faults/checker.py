"""The one checker of the invariants I1 to I12, run after every fault.

    I1  what was acknowledged is in HEAD            I7  flushing Redis changes latency only
    I2  git fsck is clean, every record parses      I8  the next run succeeds unaided within 5 s
    I3  a final name holds the old or the new bytes I9  a commit holds only our paths
    I4  the counter equals the files                I10 exit 0 means I1
    I5  one idempotency key, one record             I11 a second reconcile changes nothing
    I6  the database equals a rebuild from HEAD     I12 no stray temporary or lock file

I7 is not checked here: the runs have no Redis. The tests of the command line have one that is broken in every way.

Files that stay and are no leftovers (I12): the flock files `moha-sync/*.flock` and `moha-sync/writer`, the journal's
and the keys' folders, and with `commit = periodic` the journal's entries. Loose objects that nothing refers to are
no damage either (`git gc` takes them); unfinished ones, `tmp_obj*`, are leftovers.
"""

import json
import os
import re
import subprocess
import tempfile

from harness import AGENT, TREE

LIMIT = 5.0
KINDS = {"decision": ("maven_decisions", "decided_at"), "milestone": ("maven_milestones", "achieved_at"),
         "event": ("maven_memory", "event_at"), "snapshot": ("maven_portfolio_snaps", "snapshot_at")}
# A snapshot is not given by options; the folder goes with the process that made it.
INPUTS = tempfile.TemporaryDirectory(prefix="moha-inputs-")


class Write:
    """One `record` that was tried, and what came back.

    `marker` is in the record's text once, and nowhere else.
    """

    def __init__(self, kind, marker, key=None, rebirth=False):
        self.kind, self.marker, self.key, self.rebirth = kind, marker, key, rebirth
        self.answer = None

    def _input(self, text):
        path = f"{INPUTS.name}/{self.marker}.json"
        if not os.path.exists(path):
            # Whole at once: the same request may be at work, sent before.
            with open(f"{path}.new", "w") as file:
                json.dump({"total_value_usd": 1250.50, "available_balance_usd": 1000, "notes": text}, file)
            os.rename(f"{path}.new", path)
        return path

    @property
    def arguments(self):
        text = f"[{self.marker} from here {'and on ' * 20}to the end of {self.marker}]"
        line = {
            "decision": ["--type", "buy", "--asset", "BTC", "--action", "Buy 1", "--reasoning", text, "--confidence",
                         "80", "--risk", "low"],
            "event": ["--event", "REBIRTH" if self.rebirth else "NOTE", "--content", text],
            "milestone": ["--title", f"Title {self.marker}", "--category", "test", "--description", text],
            "identity": ["--updates", json.dumps({**({"rebirth": True} if self.rebirth else {}), f"n-{self.marker}": text})],
            "snapshot": ["--input", self._input(text)] if self.kind == "snapshot" else [],
        }[self.kind]
        return ["record", self.kind, *line, *(["--idempotency-key", self.key] if self.key else [])]

    @property
    def end(self):
        """What a whole record holds."""
        return f"to the end of {self.marker}]".encode()

    def take(self, status, answer):
        """Keeps the answer if it acknowledges the write. Who has read a whole answer has it, however the process ended."""
        if answer and answer.get("success") is True and answer.get("git_persisted") is True:
            self.answer = answer
        return self.answer is not None or status != 0


class Checker:
    """What a repository was before the fault, to compare with afterwards."""

    def __init__(self, scratch, session=None, database=None):
        self.scratch, self.session, self.database = scratch, session, database
        self.violations = []
        # Where removing is what fails, nobody can ask that nothing is left.
        self.forgives_leftovers = False
        # A record finds what a killed one left by its journal, all of which only a power cut can take.
        self.records_tidy_up = False
        # The keys of records that were rows first.
        self.adopted = ()
        self.head = scratch.git("rev-parse", "HEAD")
        self.index = self._person_index()
        self.person = {name: scratch.read(name) for name in self._person_files()}
        self.files = self._tree_files()
        self.base_identity = self._identity()

    # What is there

    def _person_index(self):
        lines = self.scratch.git("ls-files", "-s", "-z", "--", ":!.moha").split("\0")
        return sorted(line for line in lines if line)

    def _person_files(self):
        names = []
        for folder, folders, files in os.walk(self.scratch.path):
            folders[:] = [name for name in folders if name not in (".git", ".moha")]
            names += [os.path.relpath(os.path.join(folder, name), self.scratch.path) for name in files]
        return sorted(names)

    def _tree_files(self):
        # What a killed writer has not finished is no file yet.
        return {path: self.scratch.read(path) for path in self._walk()
                if not re.fullmatch(r"\.moha-.*\.tmp", os.path.basename(path))}

    def _walk(self):
        for folder, _, files in os.walk(f"{self.scratch.path}/.moha"):
            for name in files:
                yield os.path.relpath(os.path.join(folder, name), self.scratch.path)

    def _identity(self):
        try:
            return json.loads(self.scratch.read(f"{TREE}/identity.json") or b"{}")
        except ValueError:
            return None

    def _head_files(self):
        """The record files of HEAD: path to bytes, in two processes."""
        listing = self.scratch.git("ls-tree", "-r", "-z", "HEAD", "--", ".moha/")
        entries = [line.split("\t", 1) for line in listing.split("\0") if line]
        names = "".join(entry[0].split(" ")[2] + "\n" for entry in entries)
        raw = subprocess.run(
            ["git", "-C", self.scratch.path, "cat-file", "--batch"], env=self.scratch.environment,
            input=names.encode(), capture_output=True).stdout
        files, position = {}, 0
        for _, path in entries:
            end = raw.index(b"\n", position)
            words = raw[position:end].split(b" ")
            if len(words) < 3:
                self.fail("I2", f"HEAD names {path}, which cannot be read: {raw[position:end].decode()}")
                position = end + 1
                continue
            size = int(words[2])
            files[path] = raw[end + 1:end + 1 + size]
            position = end + 2 + size
        return files

    # What must hold

    def fail(self, name, text):
        self.violations.append(f"{name}: {text}")

    def expect(self, holds, name, text):
        if not holds:
            self.fail(name, text)

    def at_once(self, writes):
        """Right after the fault, before anything has recovered: I1, I3, I6's second half, I9, I10."""
        now = self._tree_files()
        for path, old in self.files.items():
            new = now.get(path)
            if new is None:
                self.fail("I3", f"{path} is gone")
            elif new != old and path.endswith("identity.json"):
                self.expect(self._identity() is not None, "I3", f"{path} is no JSON")
            elif new != old and path.endswith("session_log.md"):
                self.expect(new.startswith(old), "I3", f"{path} lost bytes that it had")
            elif new != old:
                self.fail("I3", f"{path} changed")
        # Names that are there now must keep their bytes: nobody may see a record that is then completed.
        self.seen = {
            path: bytes for path, bytes in now.items()
            if path not in self.files and re.search(r"/(decision_[^/]*\.md|milestone_[^/]*\.md|snapshot_[^/]*\.json)$", path)}
        for path, bytes in self.seen.items():
            for write in writes:
                if write.marker.encode() in bytes:
                    self.expect(write.end in bytes, "I3", f"{path} holds a part of a record")
        head = self._head_files()
        for write in writes:
            self._acknowledged(write, head, "I10")
            if self.session and write.kind in KINDS:
                table, _ = KINDS[write.kind]
                rows = self._rows(write)
                in_head = any(write.end in bytes for bytes in head.values())
                self.expect(not rows or in_head, "I6", f"{table} has a row that HEAD does not")
        self._person()

    def recovered(self, writes, next_runs, rebuilds=True):
        """Runs what would run next, then asserts all invariants. `next_runs` are argument lists or unanswered writes."""
        for run in next_runs:
            arguments = run.arguments if isinstance(run, Write) else run
            ran = self.scratch.run(*arguments)
            self.expect(ran.status == 0, "I8", f"the next run, {' '.join(arguments[:2])}, failed: {ran}")
            self.expect(not ran.exceeds(LIMIT), "I8", f"the next run, {' '.join(arguments[:2])}, took {ran.seconds:.1f} s")
            if isinstance(run, Write):
                run.take(ran.status, ran.json)
                if run not in writes:
                    writes = writes + [run]
        if self.records_tidy_up and any(isinstance(run, Write) for run in next_runs):
            left = [path for path in self._walk() if os.path.basename(path).startswith(".moha-")]
            self.expect(not left or self.forgives_leftovers, "I12", f"the next record left {', '.join(left)}")
        self._commit()
        head = self._head_files()
        for write in writes:
            self._acknowledged(write, head, "I1")
            self._once(write, head)
        for path, bytes in self.seen.items() if hasattr(self, "seen") else []:
            self.expect(head.get(path) == bytes, "I3", f"{path} was seen with other bytes than HEAD has")
        work = self._tree_files()
        for path in sorted(set(work) | set(head)):
            self.expect(work.get(path) == head.get(path), "I1", f"{path} differs between the working tree and HEAD")
        self._fsck()
        self._counter(head, writes)
        self._person()
        if self.session:
            self._database(writes, rebuilds)
        self._leftovers()
        return self.violations

    def _commit(self):
        ran = self.scratch.run("commit")
        self.expect(ran.status == 0, "I8", f"the next commit failed: {ran}")
        self.expect(not ran.exceeds(LIMIT), "I8", f"the next commit took {ran.seconds:.1f} s")

    def _acknowledged(self, write, head, name):
        if write.answer is None:
            return
        path = (write.answer.get("data") or {}).get("path")
        self.expect(
            write.end in head.get(path, b""), name, f"{write.marker} was acknowledged, and HEAD's {path} lacks it")

    def _once(self, write, head):
        marker = f"[{write.marker} from here".encode()
        places = [path for path, bytes in head.items() for _ in range(bytes.count(marker))]
        needed = 1 if write.answer else 0
        self.expect(len(places) >= needed, "I1", f"{write.marker} is not in HEAD")
        # An unkeyed write that fails may be there or not; nobody has sent it twice.
        self.expect(len(places) <= 1, "I5", f"{write.marker} is in HEAD {len(places)} times: {', '.join(places)}")

    def _rows(self, write):
        table, _ = KINDS[write.kind]
        column = {"decision": "reasoning", "snapshot": "notes"}.get(write.kind, "description")
        exists = self.session(f"SELECT to_regclass('public.{table}') IS NOT NULL", self.database)
        if exists != [["t"]]:
            return 0
        return int(self.session(
            f"SELECT count(*) FROM {table} WHERE strpos({column}, '[{write.marker} from here') > 0")[0][0])

    def _fsck(self):
        done = subprocess.run(
            ["git", "-C", self.scratch.path, "fsck", "--full", "--strict", "--no-dangling", "--no-progress"],
            env=self.scratch.environment, capture_output=True, text=True)
        self.expect(done.returncode == 0, "I2", f"git fsck: {(done.stdout + done.stderr).strip()[:300]}")

    def _counter(self, head, writes):
        pattern = rf"{re.escape(TREE)}/decisions/(.*/)?decision_[^/]*\.md"
        files = [path for path in head if re.fullmatch(pattern, path)]
        names = [os.path.basename(path) for path in files]
        identity = self._identity()
        if identity is None:
            return self.fail("I4", "identity.json is no JSON")
        self.expect(
            identity.get("total_decisions") == len(files), "I4",
            f"total_decisions is {identity.get('total_decisions')}, and there are {len(files)} decisions")
        self.expect(len(set(names)) == len(names), "I4", "a name is used twice")
        if self.base_identity is None:
            return
        born = [write for write in writes if write.rebirth]
        done = sum(1 for write in born if any(write.end in bytes for bytes in head.values()))
        count = identity.get("rebirth_count", 0) - self.base_identity.get("rebirth_count", 0)
        self.expect(count == done, "I5", f"{done} rebirths are recorded and rebirth_count went up by {count}")

    def _person(self):
        """I9: commits touch `.moha` alone; the person's index and files are as they were."""
        scratch = self.scratch
        changed = scratch.git("log", "--first-parent", "--name-only", "--format=", f"{self.head}..HEAD").split("\n")
        foreign = sorted({path for path in changed if path and not path.startswith(".moha/")})
        self.expect(not foreign, "I9", f"a commit holds {', '.join(foreign)}")
        self.expect(self._person_index() == self.index, "I9", "the person's index entries changed")
        for name, bytes in self.person.items():
            self.expect(scratch.read(name) == bytes, "I9", f"{name} changed")

    def _database(self, writes, rebuilds):
        scratch = self.scratch
        first, second = scratch.run("reconcile"), scratch.run("reconcile")
        self.expect(first.status == 0, "I8", f"reconcile failed: {first}")
        self.expect(not first.exceeds(LIMIT), "I8", f"reconcile took {first.seconds:.1f} s")
        self.expect(second.status == 0, "I11", f"the second reconcile failed: {second}")
        if second.json:
            rest = {name: count for name, count in second.json.get("differences", {}).items()
                    if count and name != "unbacked"}
            self.expect(not rest, "I11", f"the second reconcile found {rest}")
        proof = scratch.run("verify")
        self.expect(proof.status == 0 and proof.json and proof.json["in_sync"], "I6", f"verify: {proof}")
        if proof.json:
            errors = [finding for finding in proof.json["findings"] if finding["severity"] == "error"]
            self.expect(not errors, "I2", f"verify finds {errors[:3]}")
        for write in writes:
            if write.kind in KINDS:
                count = self._rows(write)
                self.expect(count <= 1, "I5", f"{write.marker} has {count} rows")
        if rebuilds:
            built = scratch.run("sync", "--at", "HEAD", "--into", "rebuilt")
            self.expect(built.status == 0, "I6", f"the rebuild failed: {built}")
            self._compare_rebuild()

    def _compare_rebuild(self):
        for table, key in (("maven_decisions", "git_filename"), ("maven_milestones", "git_filename"),
                           ("maven_portfolio_snaps", "git_filename"), ("maven_memory", "event_key")):
            # A row that is adopted is older than its record, and keeps its own time.
            adopted = ", ".join(f"'{name}'" for name in self.adopted) or "NULL"
            columns = (f"{key}, agent, git_path, encode(content_hash, 'hex'), git_status, "
                       f"CASE WHEN {key} IN ({adopted}) THEN NULL ELSE created_at END AS created_at")
            sides = [f"SELECT {columns} FROM {schema}.{table}" for schema in ("public", "rebuilt")]
            rows = self.session(
                f"(({sides[0]}) EXCEPT ALL ({sides[1]})) UNION ALL (({sides[1]}) EXCEPT ALL ({sides[0]}))",
                self.database)
            self.expect(not rows, "I6", f"{table} differs from a rebuild from HEAD: {rows[:2]}")

    def _leftovers(self):
        """I12, and that the index agrees with HEAD below `.moha`."""
        scratch, found = self.scratch, []
        for folder, _, files in os.walk(scratch.path):
            relative = os.path.relpath(folder, scratch.path)
            for name in files:
                path = os.path.normpath(f"{relative}/{name}")
                if path.startswith(".git/") or path == ".git":
                    own = path.startswith(".git/moha-sync/")
                    stray = (name.endswith((".lock", ".tmp", ".new")) or name.startswith(("tmp_obj", ".moha-"))
                             or own and re.search(r"\.\d+$", name)
                             or own and ("/journal/" in path or "/keys/" in path and not self._is_key(name)))
                else:
                    stray = path.startswith(".moha/") and (name.startswith(".") or name.endswith((".tmp", ".lock")))
                if stray:
                    found.append(path)
        self.expect(not found or self.forgives_leftovers, "I12", f"left over: {', '.join(sorted(found))}")
        staged = scratch.git("diff", "--cached", "--name-only", "--", ".moha")
        self.expect(not staged, "I12", f"the index differs from HEAD in {staged!r}")

    @staticmethod
    def _is_key(name):
        return bool(re.fullmatch(rf"[0-9a-f]{{64}}|complete-{AGENT}", name))
