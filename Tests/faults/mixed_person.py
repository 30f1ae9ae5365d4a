"""A person who works with plain git in the repository that the program writes into, and the log of what they meant.

The person is a thread. Each of their actions is a few commands of git or a file saved by hand; where a lock is in the
way they try again, as people do. The ledger keeps what the oracle has to know about intent: which entries somebody
removed by name, what was saved over which file, and which branch was checked out when.
"""

import json
import os
import re
import shutil
import subprocess
import threading
import time

from harness import TREE, Scratch, patience
from mixed_records import IDENTITY, LOG, PERSON, WHOLE, moves, person_of

BUSY = re.compile(
    r"\.lock'|\.lock:|cannot lock ref|but expected|unable to lock|could not lock|Another git process|is already locked"
    r"|could not write index|unable to write new.index|Resource temporarily unavailable|cannot update ref"
    r"|could not save index|index file open failed|[Uu]nable to write index"
    # A file that came, or went, between two looks of git's at it.
    r"|unable to create file [^\n]*: File exists|Could not reset index file|Directory not empty|unable to stat '")
# What git says when there is nothing for it to do, or the person has to decide something first.
BENIGN = re.compile("|".join([
    "nothing to commit", "nothing added to commit", "no changes added", "No local changes to save", "No stash entries",
    "CONFLICT", "would be overwritten", "Please,? commit your changes", "Please commit or stash", "unmerged",
    "needs merge", "needs update", "not uptodate", "cannot (?:rebase|pull|merge|switch branch)", "Already up to date",
    "is not possible because you have", "You have not concluded", "no merge to abort", "No rebase in progress",
    "no cherry-pick", "no revert", "[Tt]he previous cherry-pick is", "could not restore untracked files",
    "already exists", "MERGE_HEAD exists", "The stash entry is kept", "stash failed", "Cannot autostash",
    "gc is already running", "does not have (?:our|their) version", "could not apply", "could not revert",
    "did not match any file", "pathspec", "unknown revision", "ambiguous argument",
    "the following (?:untracked )?files? would", "not something we can merge", "[Yy]ou asked to amend the most recent",
    "is already checked out", "has no common ancestry", "do not exist", "is not a working tree", "resolve your current",
    "Cannot save the current (?:index|worktree) state", "Dirty index", "conflicts in index", "unstaged changes",
    "uncommitted changes", "not currently on any branch", "local changes", "sparse",
    "has (?:local modifications|changes staged|staged content)", "could not detach HEAD", "Aborting",
    "in the middle of", "is locked by", "Committing is not possible", "Exiting because of", "refusing to",
    "already used by worktree", "already being rebased", "no previous branch", "invalid reference: -",
    "could not read '.git/rebase-merge", "Unexpected stash response", "moved HEAD since", "fatal: ref HEAD is not a symbolic",
]))
NO_ROOM = re.compile(r"No space left|write error|ENOSPC|unable to write|short write|disk quota", re.IGNORECASE)


class Ledger:
    """What people did in one repository, in order. Actions are numbered over all of them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.actions = []
        #: Commit to the action that made it.
        self.made = {}
        #: Marker to the actions that removed its entry by name, each with a word for it.
        self.removals = {}
        #: Record files that were removed from a working tree by hand, with the action.
        self.removed_files = {}
        self.saves = []
        #: Every command of git's that ran: its name, its beginning and its end.
        self.tries = []
        #: Folder to (time, branch): what was checked out there.
        self.currents = {}
        self.violations = []
        self.counts = {}

    def begin(self, name, person):
        with self.lock:
            action = Action(len(self.actions), name, person)
            self.actions.append(action)
            self.counts[name] = self.counts.get(name, 0) + 1
            return action

    def remove(self, markers, action, why):
        for marker in markers:
            self.removals.setdefault(marker, []).append((action.index, why))

    def branches(self, folder, start, end):
        """The branches that may have been checked out in a folder at some moment from `start` to `end`."""
        found, known = set(), None
        for at, branch in self.currents.get(folder, []):
            if at > end:
                found.add(branch)
                break
            known = branch
            if at >= start:
                found.add(branch)
            else:
                found = {branch}
        return {branch for branch in found | {known} if branch}

    def excuse(self, entry, commit, path):
        """The person's intent by which a commit of theirs, made in their own name, took the entry out; or None."""
        made = self.made.get(commit, len(self.actions))
        for index, why in self.removals.get(entry.marker, []):
            if index <= made:
                return why
        for save in self.saves:
            if save.path == path and save.index <= made and entry.begun is not None and save.at >= entry.begun \
                    and entry.marker not in save.markers:
                return save.why
        return None

    def around(self, at, seconds=1.0):
        """What people did around a moment, for the description of a violation."""
        near = [action for action in self.actions
                if action.start <= at + seconds and (action.end or at) >= at - seconds]
        return ", ".join(str(action) for action in near[-4:])


class Action:
    def __init__(self, index, name, person):
        self.index, self.name, self.person = index, name, person
        self.start, self.end, self.steps, self.ends = time.monotonic(), None, [], []

    def __str__(self):
        return " && ".join(self.steps) if self.steps else self.name


class Save:
    """A file that a person wrote by hand."""

    def __init__(self, action, path, content, why):
        self.index, self.path, self.at, self.why = action.index, path, time.monotonic(), why
        self.markers = {name.decode() for name in WHOLE.findall(content)}


class Person(threading.Thread):
    """Draws actions from `repertoire` until told to stop."""

    def __init__(self, folder, work, ledger, generator, repertoire, home="main", name="person", pause=0.05):
        super().__init__(daemon=True)
        self.scratch = Scratch(work, folder)
        self.folder, self.ledger, self.generator, self.repertoire = folder, ledger, generator, repertoire
        self.home, self.label, self.pause = home, name, pause
        self.environment = {
            **work.environment, **person_of(PERSON), "GIT_EDITOR": "true", "GIT_MERGE_AUTOEDIT": "no",
            "GIT_SEQUENCE_EDITOR": "true"}
        self.stopping = threading.Event()
        self.action, self.number, self.buffers, self.topics = None, 0, {}, []
        self.forgives_no_room = False
        # For how long a command is tried again while a lock is in its way.
        self.patience = 4.0
        # Whether a lock in the way is a fault: where nobody else is at work.
        self.insists = False
        self.left = None
        self.folder_of_git = self._output("rev-parse", "--absolute-git-dir")
        self.look()

    # Running

    def run(self):
        try:
            while not self.stopping.is_set():
                self.act(self.generator.choice(self.repertoire))
                self.stopping.wait(self.generator.random() * self.pause)
        except Exception as error:  # A fault of this file is a failure, not the end of a thread.
            self.ledger.violations.append(f"harness: {self.label}: {type(error).__name__}: {error}")

    def act(self, name):
        """One action, between two looks at what the person had left."""
        self.unchanged()
        self.action = self.ledger.begin(name, self.label)
        size = len(self._moves())
        try:
            getattr(self, name)()
        except FileNotFoundError:
            pass  # A file went between two looks at it.
        finally:
            self.action.end = time.monotonic()
            for move in self._moves()[size:]:
                if move.who == PERSON[0]:
                    self.ledger.made.setdefault(move.new, self.action.index)
            self.look()

    def unchanged(self):
        """Only the person changes what is outside of `.moha`: staged entries, and bytes of files."""
        if self.left is None:
            return
        now = self.state()
        if now is None or now == self.left:
            return
        for what, old, new in zip(("staged entries", "files"), self.left, now):
            names = sorted({name for name in set(old) | set(new) if old.get(name) != new.get(name)})
            if names:
                self.ledger.violations.append(
                    f"PERSON: the {what} {', '.join(names[:4])} of the person changed after `{self.action}`")

    def look(self):
        self.left = self.state()
        self.ledger.currents.setdefault(self.folder, []).append((time.monotonic(), self.branch))

    def state(self):
        done = subprocess.run(["git", "-C", self.folder, "ls-files", "-s", "-z", "--", ".", ":!.moha"],
                              env=self.environment, capture_output=True)
        if done.returncode:
            return None
        entries = {}
        for line in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
            if line:
                what, name = line.split("\t", 1)
                entries[f"{name}:{what[-1]}"] = what
        files = {}
        for base, folders, names in os.walk(self.folder):
            folders[:] = [each for each in folders if each not in (".git", ".moha")]
            for each in names:
                if each != ".git":
                    path = os.path.relpath(os.path.join(base, each), self.folder)
                    files[path] = self.scratch.read(path)
        return entries, files

    @property
    def branch(self):
        """The branch that is checked out; None where HEAD is detached."""
        try:
            with open(f"{self.folder_of_git}/HEAD") as file:
                text = file.read().strip()
        except OSError:
            return None
        return text.removeprefix("ref: refs/heads/") if text.startswith("ref:") else None

    def _moves(self):
        return moves(f"{self.folder_of_git}/logs/HEAD")

    def _output(self, *arguments):
        done = subprocess.run(
            ["git", "-C", self.folder, *arguments], env=self.environment, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def execute(self, arguments):
        """Runs a command to its end."""
        return subprocess.run(["git", "-C", self.folder, *arguments], env=self.environment, capture_output=True,
                              text=True, errors="replace", stdin=subprocess.DEVNULL)

    def git(self, *arguments):
        """Runs a command, again while a lock is in the way. Whether it worked."""
        deadline = time.monotonic() + self.patience
        while True:
            start = time.monotonic()
            done = self.execute(arguments)
            end = time.monotonic()
            self.ledger.tries.append((arguments[0], start, end))
            said = done.stdout + done.stderr
            if done.returncode == 0 or self.insists or not BUSY.search(said) or time.monotonic() > deadline:
                break
            time.sleep(0.002 + self.generator.random() * 0.02)
        self.ledger.currents.setdefault(self.folder, []).append((time.monotonic(), self.branch))
        if self.action is not None:
            failed = f" [{done.returncode}]" if done.returncode else ""
            self.action.steps.append(f"git {' '.join(arguments)}{failed}")
            self.action.ends.append(end)
        expected = (BUSY.search(said) and not self.insists or BENIGN.search(said)
                    or self.forgives_no_room and NO_ROOM.search(said))
        if done.returncode != 0 and not expected and said.strip():
            self.ledger.violations.append(f"PERSON: `git {' '.join(arguments)}` failed: {said.strip()[:300]}")
        self.said = said
        return done.returncode == 0

    def save(self, path, content, why):
        """Writes a file as an editor does: a new one in its place, or into it."""
        whole = f"{self.folder}/{path}"
        if not os.path.isdir(os.path.dirname(whole)):
            return False
        try:
            if self.generator.random() < 0.5:
                with open(f"{self.folder}/.git-edit~", "wb") as file:
                    file.write(content)
                os.replace(f"{self.folder}/.git-edit~", whole)
            else:
                with open(whole, "wb") as file:
                    file.write(content)
        except OSError:
            return False
        self.ledger.saves.append(Save(self.action, path, content, why))
        self.action.steps.append(f"{why} ({path})")
        return True

    def write(self, name, text):
        try:
            self.scratch.write(name, text)
        except OSError:
            pass  # A disk without room.

    def own(self):
        self.number += 1
        return f"src/{self.label}{self.number % 7}"

    # Own files, and commits of them

    def edit(self):
        name = self.own()
        self.write(name, f"{name} {self.number}\n")
        if self.generator.random() < 0.3:
            self.git("add", name)

    def commit_path(self):
        name = self.own()
        self.write(name, f"{name} {self.number} of a path\n")
        return self.git("add", name) and self.git("commit", "-q", "-m", f"{name} by path", "--", name)

    def commit_staged(self):
        name = self.own()
        self.write(name, f"{name} {self.number} staged\n")
        if self.git("add", name):
            self.git("commit", "-q", "-m", f"{name} staged")

    def commit_everything(self):
        self.edit()
        if self.git("add", "-A"):
            self.git("commit", "-q", "-m", "everything")

    def commit_tracked(self):
        self.edit()
        self.git("commit", "-q", "-a", "-m", "all that is tracked")

    def commit_empty(self):
        self.git("commit", "-q", "--allow-empty", "-m", "nothing")

    def amend(self):
        name = self.own()
        self.write(name, f"{name} {self.number} amended\n")
        if self.git("add", name):
            self.git("commit", "-q", "--amend", "--no-edit")

    def amend_own(self):
        self.commit_path()
        self.amend()

    def amend_tracked(self):
        self.edit()
        self.git("commit", "-q", "-a", "--amend", "--no-edit")

    # Putting away, and going back

    def stash(self):
        self.edit()
        self.git("stash", "-q")

    def stash_untracked(self):
        self.edit()
        self.git("stash", "push", "-q", "-u")

    def stash_path(self):
        self.edit()
        self.git("stash", "push", "-q", "--", "src")

    def pop(self):
        if not self._output("stash", "list"):
            return
        if self.git("stash", "pop", "-q"):
            return
        if self.resolved():
            self.git("reset", "-q")
            self.git("stash", "drop", "-q")
        elif "could not restore" in self.said or "already exists" in self.said:
            # What is there already is what was put away, or newer.
            self.git("reset", "-q")
            self.git("stash", "drop", "-q")

    def stash_and_pop(self):
        self.stash_untracked() if self.generator.random() < 0.5 else self.stash()
        self.pop()

    def reset_hard(self):
        self.edit()
        self.git("reset", "-q", "--hard")

    def reset_mixed(self):
        self.git("reset", "-q")

    def undo(self):
        if self.commit_path():
            self.git("reset", "-q", "--hard", "HEAD~1")

    def undo_soft(self):
        if self.commit_path() and self.git("reset", "-q", "--soft", "HEAD~1"):
            self.git("commit", "-q", "-m", "once more")

    def checkout_force(self):
        self.edit()
        self.git("checkout", "-q", "-f")

    def checkout_files(self):
        self.edit()
        self.git("checkout", "-q", "--", ".")

    def checkout_head(self):
        self.git("checkout", "-q", "HEAD", "--", ".moha")

    def restore(self):
        self.edit()
        self.git("restore", "--staged", "--worktree", ".")

    def restore_files(self):
        self.git("restore", ".")

    def clean(self):
        self.write(f"src/litter{self.number}", "of no use\n")
        self.git("clean", "-fdq")

    # Branches

    def leave(self):
        """To another branch for a while, with a commit there, and back."""
        topic = self.topic()
        if self.branch != self.home or not topic:
            return
        if not self.git("switch", "-q", topic) and not self.git("switch", "-q", "-f", topic):
            return
        self.commit_path()
        self.stopping.wait(self.generator.random() * 0.15)
        self.back()

    def back(self):
        if self.branch != self.home:
            return self.git("switch", "-q", self.home) or self.git("checkout", "-q", "-f", self.home)
        return True

    def topic(self):
        """An existing topic, or a new one at HEAD."""
        if self.topics and self.generator.random() < 0.6:
            return self.generator.choice(self.topics)
        topic = f"topic-{self.label}-{len(self.topics)}"
        if self.branch == self.home and self.git("branch", topic):
            self.topics.append(topic)
            return topic
        return None

    def merge(self):
        if not self.topics or not self.back():
            return
        style = self.generator.choice([[], ["--no-ff"], ["--no-commit"]])
        if self.git("merge", "-q", *style, "-m", "merge", self.generator.choice(self.topics)):
            if style == ["--no-commit"]:
                self.stopping.wait(self.generator.random() * 0.1)
                self.git("commit", "-q", "--no-edit")
            return
        self.decide("merge")

    def decide(self, operation):
        """In the middle of a conflict: the person thinks for a moment, then gives up or resolves."""
        if not os.path.exists(f"{self.folder_of_git}/{operation.upper().replace('-', '_')}_HEAD"):
            return
        self.stopping.wait(self.generator.random() * 0.15)
        if self.generator.random() < 0.5 or not self.resolved() or not self.git("commit", "-q", "--no-edit"):
            self.give_up(operation)

    def give_up(self, operation):
        """Ends what is in progress, and leaves no file in conflict."""
        if not self.git(operation, "--abort"):
            self.git(operation, "--quit")
            self.resolve_left_over()

    def rebase(self):
        """A topic onto home, or home onto a topic; given up where it meets a conflict."""
        if not self.topics:
            return
        topic = self.generator.choice(self.topics)
        style = ["--autostash"] if self.generator.random() < 0.5 else []
        if self.generator.random() < 0.5:
            worked = self.git("rebase", "-q", *style, self.home, topic)
        else:
            worked = self.git("rebase", "-q", *style, topic)
        if not worked:
            self.stopping.wait(self.generator.random() * 0.1)
            self._end_rebase()
        self.resolve_left_over()
        self.back()

    def _end_rebase(self):
        if any(os.path.exists(f"{self.folder_of_git}/{name}") for name in ("rebase-merge", "rebase-apply")):
            self.give_up("rebase")

    def resolve_left_over(self):
        """What putting stashed changes back left in conflict."""
        if self._output("diff", "--name-only", "--diff-filter=U") and self.resolved():
            self.git("reset", "-q")

    def cherry_pick(self):
        topic = self.generator.choice(self.topics) if self.topics else None
        # A merge commit cannot be picked without saying against which of its parents.
        if not topic or len(self._output("rev-list", "--parents", "-n1", topic, "--").split()) != 2:
            return
        if self.back() and not self.git("cherry-pick", topic):
            if "now empty" in self.said:
                self.git("cherry-pick", "--skip")
            else:
                self.decide("cherry-pick")

    def revert(self):
        """Takes back the newest commit, by name; what it added is removed deliberately."""
        commit = self._output("rev-parse", "HEAD")
        if len(self._output("rev-list", "--parents", "-n1", commit).split()) != 2:
            return
        added = re.findall(r"(?m)^\+.*?\[([\w.]+) from here", self._output("show", "--format=", commit))
        if self.git("revert", "--no-edit", commit):
            self.ledger.remove(added, self.action, f"git revert {commit[:8]}")
        elif os.path.exists(f"{self.folder_of_git}/REVERT_HEAD"):
            self.give_up("revert")

    def detach(self):
        """Looks at an older commit for a moment."""
        if self.git("checkout", "-q", "--detach"):
            self.stopping.wait(self.generator.random() * 0.15)
            self.git("checkout", "-q", self.home) or self.git("checkout", "-q", "-f", self.home)

    def resolved(self):
        """Resolves every file in conflict, the log and identity.json by union. False where there is none."""
        names = [name for name in self._output("diff", "--name-only", "--diff-filter=U").split("\n") if name]
        for name in names:
            ours, theirs = (self._stage(number, name) for number in (2, 3))
            if name.startswith(f"{TREE}/session_log") and ours is not None and theirs is not None:
                self.save(name, union(ours, theirs), "resolved by union")
            elif name == IDENTITY and ours is not None and theirs is not None:
                self.save(name, identity_union(ours, theirs), "resolved by union")
            elif not self.git("checkout", "-q", "--ours", "--", name):
                self.git("checkout", "-q", "--theirs", "--", name)
            self.git("add", "--sparse", "--", name)
        return bool(names)

    def _stage(self, number, name):
        done = subprocess.run(
            ["git", "-C", self.folder, "show", f":{number}:{name}"], env=self.environment, capture_output=True)
        return done.stdout if done.returncode == 0 else None

    # The repository's own state

    def gc(self):
        self.git("gc", "-q")

    def gc_now(self):
        self.git("gc", "-q", "--prune=now")

    def repack(self):
        self.git("repack", "-adq")

    def pack_refs(self):
        self.git("pack-refs", "--all")

    def prune(self):
        self.git("prune-packed", "-q")
        self.git("prune", "--expire=now")

    def index_form(self):
        forms = [["--split-index"], ["--no-split-index"], ["--index-version", "4"], ["--index-version", "2"],
                 ["--untracked-cache"], ["--no-untracked-cache"], ["--refresh", "-q"], ["--force-write-index"]]
        self.git("update-index", *self.generator.choice(forms))

    def split_index(self):
        self.git("update-index", "--split-index")
        self.commit_staged()

    def sparse(self):
        """Leaves the records, or some of them, out of the checkout for a while, and works on."""
        choices = [["set", "--cone", "src"], ["set", "--cone", "--sparse-index", "src"],
                   ["set", "--no-cone", "/*", "!/.moha/maven/decisions/"],
                   ["set", "--cone", "--sparse-index", "src", ".moha/maven/milestones"]]
        self.git("sparse-checkout", *self.generator.choice(choices))
        self.commit_staged()
        self.stopping.wait(self.generator.random() * 0.2)
        self.git("sparse-checkout", "disable")

    def worktree(self):
        """A linked working tree for a moment."""
        path = f"{self.folder}-glance"
        if self.git("worktree", "add", "-q", "--detach", path):
            self.git("worktree", "remove", "--force", path)

    # Records by hand

    def open_buffer(self):
        """An editor reads a file; what it has is saved much later."""
        path = self.generator.choice([LOG, LOG, IDENTITY])
        content = self.scratch.read(path)
        if content:
            self.buffers[path] = content

    def save_buffer(self):
        for path, content in list(self.buffers.items()):
            if self.save(path, content, "an older buffer saved"):
                del self.buffers[path]
        if self.generator.random() < 0.3:
            self.git("commit", "-q", "-a", "-m", "what the editor had")

    def compact(self):
        """Takes the oldest entries of the log out by hand, and commits that; or leaves it for later."""
        content = self.scratch.read(LOG)
        if not content or b"<<<<<<< " in content:
            return
        head, entries = entries_of(content)
        ours = [entry for entry in entries if WHOLE.search(entry)]
        gone = ours[:self.generator.randrange(1, 4)]
        if not gone:
            return
        kept = head + b"".join(entry for entry in entries if entry not in gone)
        if self.save(LOG, kept, "the log compacted") and self.generator.random() < 0.8:
            self.git("commit", "-q", "-m", "compaction", "--", LOG)

    def note(self):
        """A note of a person's own, with an older time, in the middle of the log."""
        content = self.scratch.read(LOG)
        if not content or b"<<<<<<< " in content:
            return
        head, entries = entries_of(content)
        self.number += 1
        marker = f"{self.label}note{self.number}"
        text = (f"## [2026-10-{1 + self.number % 28:02}T10:00:{self.number % 60:02}.000000+00:00] NOTE\n\n"
                f"[{marker} from here and on to the end of {marker}]\n\n---\n\n").encode()
        place = self.generator.randrange(len(entries) + 1)
        if place == len(entries) and entries and not content.endswith(b"\n\n"):
            text = b"\n" + text
        if self.save(LOG, head + b"".join(entries[:place]) + text + b"".join(entries[place:]), "a note inserted"):
            if self.generator.random() < 0.5:
                self.git("commit", "-q", "-m", "a note", "--", LOG)

    def member(self):
        """A member of identity.json added by hand."""
        self._identity(lambda value: value.update({f"hand{self.number}": "by hand"}), "a member added")

    def drop_member(self):
        """A member removed by hand and committed."""
        def change(value):
            names = [name for name in value if name.startswith("n-")]
            if names:
                del value[names[0]]
        self._identity(change, "a member removed", commits=True)

    def _identity(self, change, why, commits=None):
        try:
            value = json.loads(self.scratch.read(IDENTITY) or b"")
        except ValueError:
            return
        self.number += 1
        change(value)
        content = (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
        commits = self.generator.random() < 0.5 if commits is None else commits
        if self.save(IDENTITY, content, why) and commits:
            self.git("commit", "-q", "-m", why, "--", IDENTITY)

    def conflict(self):
        """Conflict markers that stay in a file for a second, until the person has looked at both sides."""
        path = self.generator.choice([LOG, IDENTITY])
        content = self.scratch.read(path)
        if not content or b"<<<<<<< " in content:
            return
        marked = b"<<<<<<< Updated upstream\n" + content + b"=======\n" + content + b">>>>>>> Stashed changes\n"
        if self.save(path, marked, "conflict markers left"):
            self.stopping.wait(0.2 + self.generator.random() * 0.6)
            self.save(path, content, "conflict markers taken out")

    def remove_decision(self):
        """A decision removed by name, in a commit of the person's own."""
        name, markers = self._decision()
        if name and self.git("rm", "-q", "-f", "--sparse", "--", name):
            self.ledger.remove(markers, self.action, f"git rm {name}")
            self.ledger.removed_files[name] = self.action.index
            self.git("commit", "-q", "-m", "a decision that was wrong", "--", name)

    def delete_decision(self):
        """A decision removed from the working tree; whoever commits next commits that."""
        name, markers = self._decision()
        if name:
            self.ledger.remove(markers, self.action, f"rm {name}")
            self.ledger.removed_files[name] = self.action.index
            os.remove(f"{self.folder}/{name}")
            self.action.steps.append(f"rm {name}")

    def _decision(self):
        """A decision that git has and the working tree too, with the markers in it."""
        names = [name for name in self._output("ls-tree", "-r", "--name-only", "HEAD", f"{TREE}/decisions").split("\n")
                 if name.endswith(".md") and self.scratch.read(name)]
        ours = [name for name in names if WHOLE.search(self.scratch.read(name) or b"")]
        if not ours or len(names) < 4:
            return None, []
        name = self.generator.choice(ours)
        return name, [marker.decode() for marker in WHOLE.findall(self.scratch.read(name) or b"")]

    def move_away(self):
        """The decisions are elsewhere for a moment, as while a folder is moved to another disk."""
        here, there = f"{self.folder}/{TREE}/decisions", f"{self.folder}-elsewhere"
        if not os.path.isdir(here) or os.path.exists(there):
            return
        os.rename(here, there)
        self.action.steps.append("mv decisions away")
        self.stopping.wait(self.generator.random() * 0.15)
        # All of them are there again at once, with what came meanwhile.
        if os.path.isdir(here):
            shutil.copytree(here, there, dirs_exist_ok=True)
            os.rename(here, f"{there}-meanwhile")
            os.rename(there, here)
            shutil.copytree(f"{there}-meanwhile", here, dirs_exist_ok=True)
            shutil.rmtree(f"{there}-meanwhile")
        else:
            os.rename(there, here)
        self.action.steps.append("mv decisions back")

    def litter(self):
        """What editors leave beside the files that they have open."""
        base = f"{self.folder}/{TREE}"
        if not os.path.isdir(f"{base}/decisions"):
            return
        for name in (f"{base}/.#session_log.md", f"{base}/decisions/.#decision_20260203_080010.md"):
            if not os.path.lexists(name):
                os.symlink("person@machine.4711", name)
        for name in ("session_log.md~", ".session_log.md.swp", "decisions/#decision_20260203_080010.md#"):
            self.write(f"{TREE}/{name}", "an editor's own\n")

    def tidy(self):
        for base, _, names in os.walk(f"{self.folder}/{TREE}"):
            for name in names:
                if name.startswith((".#", "#")) or name.endswith(("~", ".swp")):
                    os.unlink(f"{base}/{name}")

    # At the end

    def finish(self):
        """Stops, and comes to a normal state: on the home branch, with nothing half done."""
        self.stopping.set()
        if self.ident is not None:
            self.join(patience(120))
            if self.is_alive():
                self.ledger.violations.append(f"harness: {self.label} does not end: {self.action}")
        self.act("normal")

    def normal(self):
        for operation in ("merge", "cherry-pick", "revert"):
            if os.path.exists(f"{self.folder_of_git}/{operation.upper().replace('-', '_')}_HEAD"):
                self.give_up(operation)
        self._end_rebase()
        self.resolve_left_over()
        if self._output("config", "core.sparseCheckout") == "true":
            self.git("sparse-checkout", "disable")
        for path in (LOG, IDENTITY):
            content = self.scratch.read(path)
            if content and b"<<<<<<< " in content:
                self.git("checkout", "-q", "HEAD", "--", path)
        self.tidy()
        self.git("reset", "-q")
        if not self.back():
            # Own files that are in the way have served their purpose.
            self.git("stash", "-q", "--", "src")
            self.back()


def entries_of(content):
    """A log as what is before its first entry, and the entries with all that follows each."""
    parts = re.split(rb"(?m)^(?=## \[20)", content)
    return parts[0], parts[1:]


def union(ours, theirs):
    """Our side and the entries that only theirs has."""
    head, entries = entries_of(ours)
    known = {entry.strip() for entry in entries}
    added = [entry for entry in entries_of(theirs)[1] if entry.strip() not in known]
    if added and entries and not entries[-1].endswith(b"\n\n"):
        entries[-1] = entries[-1].rstrip(b"\n") + b"\n\n"
    return head + b"".join(entries) + b"".join(added)


def identity_union(ours, theirs):
    """Both sides' members, ours first; counters take the higher number."""
    try:
        left, right = json.loads(ours), json.loads(theirs)
    except ValueError:
        return ours
    merged = {**right, **left}
    for name in ("total_decisions", "rebirth_count"):
        values = [side[name] for side in (left, right) if isinstance(side.get(name), int)]
        if values:
            merged[name] = max(values)
    return (json.dumps(merged, indent=2, ensure_ascii=False) + "\n").encode()


#: What a person does, by what it is about.
OWN = ["edit", "commit_path", "commit_staged", "commit_everything", "commit_tracked", "commit_empty"]
AMENDS = ["amend", "amend_own", "amend_tracked"]
BACK = ["stash", "stash_untracked", "stash_path", "pop", "pop", "stash_and_pop", "reset_hard", "reset_hard",
        "reset_mixed", "undo", "undo_soft", "checkout_force", "checkout_files", "checkout_head", "restore",
        "restore_files", "clean"]
BRANCHES = ["leave", "leave", "leave", "merge", "merge", "rebase", "rebase", "cherry_pick", "revert", "detach"]
STATE = ["gc", "gc_now", "repack", "pack_refs", "prune", "index_form", "index_form", "split_index", "sparse",
         "worktree"]
HANDS = ["open_buffer", "open_buffer", "save_buffer", "compact", "note", "note", "member", "drop_member", "conflict",
         "remove_decision", "delete_decision", "move_away", "litter", "tidy"]
