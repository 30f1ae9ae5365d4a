"""What the mixed run writes and reads: entries with their answers, and a repository's history as git's objects tell it.

Nothing here asks the program under test: commits, trees and blobs come from `git cat-file`, reflogs from their files.
"""

import ctypes
import json
import os
import re
import select
import subprocess
import threading
import time
from collections import Counter, namedtuple

from checker import Write
from harness import AGENT, TREE

WRITER = ("Writer", "writer@example.org")
PERSON = ("Person", "person@example.org")
WHOLE = re.compile(rb"\[([\w.]+) from here (?:and on )*to the end of \1\]")
BEGUN = re.compile(rb"\[([\w.]+) from here ")
CONFLICT = re.compile(rb"^<{7} ", re.MULTILINE)
RECORD = re.compile(rf"{re.escape(TREE)}/((?:decisions|milestones)/(?:.*/)?[^/]*\.md|portfolio/(?:.*/)?[^/]*\.json)")
DECISION = re.compile(rf"{re.escape(TREE)}/decisions/(?:.*/)?[^/]*\.md", re.IGNORECASE)
LOG = f"{TREE}/session_log.md"
IDENTITY = f"{TREE}/identity.json"
LITTER = re.compile(r"(^|/)(\.#[^/]*|#[^/]*#|\.[^/]*\.sw[a-p])$")
TEMPORARY = re.compile(r"/\.moha-[^/]*\.tmp$")
TOOLS = {"decision": "maven_record_decision", "event": "maven_log_event", "milestone": "maven_create_milestone",
         "identity": "maven_update_identity"}


def person_of(name_and_mail):
    name, mail = name_and_mail
    return {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", mail))}


class Answer(namedtuple("Answer", "status code success commit path repeated pending at")):
    """What one try gave. `code` is the error's; `commit` that of a write that says it is committed."""

    @staticmethod
    def of(status, json, at):
        json = json if isinstance(json, dict) else {}
        error = json.get("error")
        code = error.get("code") if isinstance(error, dict) else json.get("code")
        data = json.get("data") or {}
        success = json.get("success") is True
        persisted = success and json.get("git_persisted") is True
        return Answer(status, code, success, json.get("commit") if persisted else None, data.get("path"),
                      data.get("repeated") is True, success and not persisted, at)


class Entry(Write):
    """One record that somebody asks for, perhaps several times under one key, with all that was answered."""

    def __init__(self, kind, marker, key=None, rebirth=False):
        super().__init__(kind, marker, key, rebirth)
        self.begun, self.tries, self.answers = None, 0, []
        # Answers whose commit did not hold the entry when it was looked at, each with what was seen.
        self.false_claims = []
        # The tree that it was written into: its folder.
        self.folder = None
        # Written when another content was known under its key: it must be refused.
        self.is_other_content = False

    def begin(self):
        self.tries += 1
        if self.begun is None:
            self.begun = time.monotonic()

    @property
    def acknowledged(self):
        return [answer for answer in self.answers if answer.success]

    @property
    def is_refused(self):
        """Every try was told that nothing was written."""
        return len(self.answers) == self.tries > 0 and all(
            not answer.success and answer.status in (2, 11) for answer in self.answers)

    @property
    def tool(self):
        """The call of an MCP client: name and arguments."""
        words = self.arguments
        options = {words[index][2:]: words[index + 1] for index in range(2, len(words), 2)}
        arguments = {
            "decision": lambda: {"decision_type": options["type"], "risk_level": options["risk"], "confidence": 80,
                                 **{name: options[name] for name in ("asset", "action", "reasoning")}},
            "event": lambda: {"event_type": options["event"], "content": options["content"]},
            "milestone": lambda: {name: options[name] for name in ("title", "description", "category")},
            "identity": lambda: {"updates": json.loads(options["updates"])},
        }[self.kind]()
        if self.key:
            arguments["idempotency_key"] = self.key
        return TOOLS[self.kind], arguments

    def __str__(self):
        return f"{self.kind} {self.marker}"


class Objects:
    """Git's objects by one process that stays open. Safe for several threads."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment
        self.lock, self.process = threading.Lock(), None

    def read(self, name):
        """The object's id, type and bytes; None where there is none."""
        with self.lock:
            found = self._read(name)
            if found is None:
                # A pack may have come and gone under it.
                self.close()
                found = self._read(name)
            return found

    def _read(self, name):
        if self.process is None:
            self.process = subprocess.Popen(
                ["git", "-C", self.folder, "cat-file", "--batch"], env=self.environment, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self.process.stdin.write(f"{name}\n".encode())
            self.process.stdin.flush()
            head = self.process.stdout.readline().split()
        except BrokenPipeError:
            return None
        if len(head) != 3 or head[1] == b"missing":
            return None
        content = self.process.stdout.read(int(head[2]))
        self.process.stdout.read(1)
        return head[0].decode(), head[1].decode(), content

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.process = None


class Blob:
    """What a file of the tree holds: whole entries, begun ones, its lines."""

    def __init__(self, content):
        self.content = content
        self.whole = Counter(name.decode() for name in WHOLE.findall(content))
        self.begun = Counter(name.decode() for name in BEGUN.findall(content))
        self.is_conflicted = bool(CONFLICT.search(content))
        self._lines = None

    @property
    def lines(self):
        """Its lines with something in them but rules and headings of the file, each with its number."""
        if self._lines is None:
            lines = (line.strip() for line in self.content.split(b"\n"))
            self._lines = Counter(line for line in lines if line and line != b"---" and not line.startswith(b"# "))
        return self._lines


class View:
    """The records of one commit."""

    def __init__(self, files, blob):
        self.files, self.blob = files, blob
        self.counts, self.places = Counter(), {}
        for path, (_, id) in files.items():
            if path.endswith("~") or LITTER.search(path) or TEMPORARY.search(path):
                continue
            for marker, count in blob(id).whole.items():
                self.counts[marker] += count
                self.places.setdefault(marker, []).append(path)
        # An editor's lock that a person committed has the name of a decision, and is none.
        self.decisions = sum(1 for path, (mode, _) in files.items()
                             if DECISION.fullmatch(path) and not LITTER.search(path) and mode != "120000")

    def holds(self, marker):
        return self.counts[marker] > 0

    def torn(self):
        """Markers of entries that are there in part."""
        return sorted({marker for _, id in self.files.values() for marker in self.blob(id).begun
                       if self.blob(id).begun[marker] != self.blob(id).whole[marker]})

    def log_lines(self):
        lines = Counter()
        for path, (_, id) in self.files.items():
            if path == LOG or path.startswith(f"{TREE}/session_log/"):
                lines += self.blob(id).lines
        return lines

    def identity(self):
        """The members of identity.json; None where it is no JSON object, or not there."""
        if IDENTITY not in self.files:
            return None
        try:
            value = json.loads(self.blob(self.files[IDENTITY][1]).content)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


class Commit(namedtuple("Commit", "id tree parents author committer message")):
    @property
    def is_ours(self):
        """Made by the program: a person who amends or rebases one of its commits is the committer of what comes."""
        return self.committer == WRITER[0] and f"Moha-Agent: {AGENT}" in self.message

    @property
    def subject(self):
        return self.message.split("\n", 1)[0]

    def __str__(self):
        return f"{self.id[:8]} \"{self.subject[:60]}\" by {self.committer}"


class Move(namedtuple("Move", "old new who message")):
    """A line of a reflog."""


ZERO = "0" * 40


class History:
    """A repository's commits, trees and reflogs; everything is read once."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment
        self.objects = Objects(folder, environment)
        self._commits, self._trees, self._views, self._blobs, self._ancestors = {}, {}, {}, {}, {}
        done = subprocess.run(["git", "-C", folder, "rev-parse", "--path-format=absolute", "--git-common-dir"],
                              env=environment, capture_output=True, text=True, check=True)
        self.common = done.stdout.strip()

    def close(self):
        self.objects.close()

    def commit(self, id):
        """None where there is no such commit."""
        if id not in self._commits:
            found = self.objects.read(id)
            commit = None
            if found and found[1] == "commit":
                head, _, message = found[2].decode("utf-8", "replace").partition("\n\n")
                fields = [line.split(" ", 1) for line in head.split("\n") if not line.startswith(" ")]
                names = {name: value.rsplit(" <", 1)[0] for name, value in fields if name in ("author", "committer")}
                commit = Commit(id, dict(fields)["tree"], [value for name, value in fields if name == "parent"],
                                names["author"], names["committer"], message)
            self._commits[id] = commit
        return self._commits[id]

    def tree(self, id):
        """A tree's entries: name to mode and id."""
        if id not in self._trees:
            found = self.objects.read(id)
            entries, content = {}, found[2] if found else b""
            while content:
                mode, _, rest = content.partition(b" ")
                name, _, rest = rest.partition(b"\0")
                entries[name.decode("utf-8", "surrogateescape")] = mode.decode(), rest[:20].hex()
                content = rest[20:]
            self._trees[id] = entries
        return self._trees[id]

    def blob(self, id):
        if id not in self._blobs:
            found = self.objects.read(id)
            self._blobs[id] = Blob(found[2] if found else b"")
        return self._blobs[id]

    def view(self, commit):
        """The records of a commit, by its id; none where there is no such commit."""
        found = self.commit(commit)
        tree = found.tree if found else ZERO
        if tree not in self._views:
            files, folders = {}, [("", tree)]
            while folders:
                base, id = folders.pop()
                for name, (mode, child) in self.tree(id).items():
                    path = f"{base}{name}"
                    if not (".moha/" + AGENT).startswith(path) and not path.startswith(".moha/"):
                        continue
                    if mode == "40000":
                        folders.append((f"{path}/", child))
                    else:
                        files[path] = mode, child
            self._views[tree] = View(files, self.blob)
        return self._views[tree]

    def others(self, commit):
        """What is at the top of a commit's tree beside `.moha`."""
        found = self.commit(commit)
        return {name: entry for name, entry in self.tree(found.tree).items() if name != ".moha"} if found else {}

    def ancestors(self, id):
        """The commit and all that it comes from."""
        if id not in self._ancestors:
            seen, open = set(), [id]
            while open:
                each = open.pop()
                if each in seen:
                    continue
                seen.add(each)
                commit = self.commit(each)
                open += commit.parents if commit else []
            self._ancestors[id] = seen
        return self._ancestors[id]

    def generation(self, id, count):
        """The commit that `id~count` names."""
        for _ in range(count):
            commit = self.commit(id) if id else None
            id = commit.parents[0] if commit and commit.parents else None
        return id

    def branches(self):
        """The reflog of every branch, oldest first, by the branch's name."""
        base = f"{self.common}/logs/refs/heads"
        found = {}
        for folder, _, names in os.walk(base):
            for name in names:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, base)] = moves(path)
        return found

    def tips(self):
        """Each branch's commit now."""
        done = subprocess.run(
            ["git", "-C", self.folder, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads"],
            env=self.environment, capture_output=True, text=True, check=True)
        return {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in done.stdout.split("\n") if line}


class Watch(threading.Thread):
    """Notes when each line of a reflog is written, to a few milliseconds; what the lines say of it is in seconds.

    The file's own time counts, not when this thread comes to look at it.
    """

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.sizes, self.stopping = path, [], threading.Event()
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        # The file is replaced where reflogs are expired, so its folder is watched: writes, and names that come.
        libc.inotify_add_watch(self.descriptor, os.path.dirname(path).encode(), 0x02 | 0x80 | 0x100)
        self.start()

    def run(self):
        while not self.stopping.is_set():
            if select.select([self.descriptor], [], [], 0.2)[0]:
                try:
                    os.read(self.descriptor, 65536)
                    status = os.stat(self.path)
                    at = status.st_mtime_ns / 1e9 - time.time() + time.monotonic()
                    self.sizes.append((at, status.st_size))
                except OSError:
                    continue

    def finish(self):
        self.stopping.set()
        self.join()
        os.close(self.descriptor)

    def times(self):
        """Each commit that HEAD came to, with the moments at which it did."""
        found, position, index = {}, 0, 0
        try:
            with open(self.path, "rb") as file:
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return {}
        for line in lines:
            position += len(line) + 1
            while index < len(self.sizes) and self.sizes[index][1] < position:
                index += 1
            if index < len(self.sizes):
                found.setdefault(line[41:81].decode(), []).append(self.sizes[index][0])
        return found


def moves(path):
    """The lines of a reflog's file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        head, _, message = line.partition("\t")
        words = head.split(" ")
        if len(words) > 4:
            found.append(Move(words[0], words[1], " ".join(words[2:]).split(" <", 1)[0], message))
    return found
