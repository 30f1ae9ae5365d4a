"""Judges what became of every acknowledged entry, from git's objects and reflogs, and from the rows.

For each entry that was acknowledged, after a last run on each branch and working tree that was written to: it is in the
tree of the branch that was checked out, exactly once; or a person removed it by name (the ledger says so, and a commit
of theirs shows it); or a person moved the branch back over it, knowing it.

Among many at once there is one more way. A command that has read HEAD writes what that held into the index and the
files, also where a record was committed and answered in between; where the person's next commit comes before any run of
ours, it takes the record out. No run of ours could see that: such entries are counted as swept away, where a command of
the person's that can do so ran at the moment at which the branch came to the entry's commit. In scenes in which each
waits for the other they are violations. Everything else is one:

    LOST      acknowledged, and gone: with the last commit that held it and what took it out
    UNDONE    a person's commit took out what nobody removed by name, because of the index that we left
    OURS      a commit of ours takes out, empties or changes what its parent held, holds what is not below `.moha`, an
              editor's litter, or conflict markers
    FALSE     an answer names a commit that does not hold the entry, or that never was a branch's
    TWICE     an entry is twice in a tree by our doing, or has two rows
    TORN      a part of an entry is in a tree
    KEY       one key, two records; or other content under a used key was not refused as `conflict`, exit code 2
    REFUSED   told that nothing was written, and it was; or a refusal for another reason than a lock of git's
    COUNTER   total_decisions is not the number of decisions, fell, or a rebirth was not counted
    ROWS      a row is there twice; reconcile or verify does not end in sync
    FSCK      git fsck finds something
    LEFT      a lock of git's or a temporary file of ours is left over at the end
    PERSON    staged entries or files of the person changed, or a command of theirs failed that should not
"""

import json
import os
import re
import subprocess

from harness import TREE
from mixed_records import DECISION, IDENTITY, LITTER, LOG, PERSON, RECORD, TEMPORARY, WHOLE, ZERO, History

#: Commands of git's that read HEAD, or what is untracked, before they lock the index, and then write files.
SWEEPING = {"reset", "stash", "checkout", "restore", "clean", "switch", "merge", "rebase", "cherry-pick", "revert"}
#: Seconds by which the moment of a commit is uncertain.
BLUR = 0.02
DELIBERATE = re.compile(r"reset: moving to HEAD(?:~(\d+)|\^)$")


class Judge:
    """One repository's, once. `folders` are its working trees."""

    def __init__(self, folder, environment, entries, ledger, start, moments=None):
        self.entries, self.ledger = [entry for entry in entries if entry.tries], ledger
        self.known = {entry.marker: entry for entry in self.entries}
        self.history = History(folder, environment)
        self.folder, self.environment, self.start = folder, environment, start
        self.violations, self.notes = [], []
        self.tips = self.history.tips()
        self.branches = {branch: happened(log, self.tips.get(branch))
                         for branch, log in self.history.branches().items()}
        self._excuses = {}
        # In how many ways entries may be gone by a person's own doing, for the counts.
        self.removed, self.moved_back, self.swept = set(), set(), set()
        # When HEAD came to which commit; None where nobody is forgiven for what ran at that moment.
        self.moments = moments
        # Entries whose key has another record, said once as such.
        self.outdone = {entry for entry in self.entries if entry.is_other_content}

    def fail(self, kind, text):
        text = f"{kind}: {text}"
        if text not in self.violations:
            self.violations.append(text)

    def judge(self):
        try:
            self.keys()
            self.moves()
            self.claims()
            for entry in self.entries:
                if entry.acknowledged and entry not in self.outdone:
                    self.present(entry)
                if entry.is_refused and self.places(entry):
                    told = ", ".join(f"{answer.status} {answer.code}" for answer in entry.answers)
                    if not (entry.key and any(answer.code == "conflict" for answer in entry.answers)):
                        self.fail("REFUSED", f"{entry} was refused with {told}, and is in {self.places(entry)}")
            self.tidy()
            self.fsck()
        finally:
            self.history.close()
        return self.violations

    # Every commit, and every move of a branch

    def moves(self):
        """Each of our commits alone, and each step of each branch: what vanished, and by whose doing."""
        seen, ancestors = set(), self.history.ancestors
        for branch, log in self.branches.items():
            for move in log:
                if self.history.commit(move.new) is None:
                    continue
                for id in sorted(ancestors(move.new) - seen, key=lambda id: len(ancestors(id))):
                    seen.add(id)
                    self.commit(id)
                if move.old != ZERO and self.history.commit(move.old) is not None:
                    self.step(branch, move)

    def commit(self, id):
        commit = self.history.commit(id)
        if commit is None or not commit.parents or self.history.commit(commit.parents[0]) is None:
            return
        old, new = self.history.view(commit.parents[0]), self.history.view(id)
        if commit.is_ours:
            self.ours(commit, old, new)
        elif commit.committer == PERSON[0]:
            for path in sorted(set(new.files) - set(old.files)):
                if TEMPORARY.search(path):
                    self.fail("PERSON", f"{commit} took in our temporary file {path}")
            for marker in self.vanished(old, new):
                entry = self.known.get(marker)
                if entry and not self.is_merged_away(entry, commit) and not self.excused(entry, commit, old):
                    self.undone(entry, f"{entry} was in {self.history.commit(commit.parents[0])}; {commit} took it "
                                "out, and nobody removed it by name")
        for marker in new.torn():
            if marker in self.known and marker not in old.torn() and not new.holds(marker):
                self.fail("TORN", f"{commit} holds a part of {self.known[marker]}")
        if commit.is_ours:
            for marker, count in new.counts.items():
                if marker in self.known and count > 1 and count > old.counts[marker]:
                    self.fail("TWICE", f"{self.known[marker]} is {count} times in {commit}, in "
                              f"{', '.join(new.places[marker])}")

    def undone(self, entry, text):
        if self.is_swept(entry):
            self.notes.append(f"swept away: {text}")
        else:
            self.fail("UNDONE", text)

    def is_merged_away(self, entry, commit):
        """A merge brings what the other side did: it had the entry once, and took it out in a commit of its own."""
        return any(self.history.commit(id) and self.history.view(id).holds(entry.marker)
                   for parent in commit.parents[1:] for id in self.history.ancestors(parent))

    def is_swept(self, entry):
        """Whether a command that writes what an older HEAD held ran while the entry's commit was made."""
        if self.moments is None:
            return False
        for commit in {answer.commit for answer in entry.acknowledged if answer.commit}:
            for at in self.moments.get(commit, []):
                if any(name in SWEEPING and start - BLUR <= at <= end + BLUR for name, start, end in self.ledger.tries):
                    self.swept.add(entry.marker)
                    return True
        return False

    @staticmethod
    def vanished(old, new):
        return sorted(marker for marker in old.counts if old.counts[marker] and not new.counts[marker])

    def ours(self, commit, old, new):
        parent = self.history.commit(commit.parents[0])
        if len(commit.parents) > 1:
            self.fail("OURS", f"{commit} has {len(commit.parents)} parents")
        before, after = self.history.others(parent.id), self.history.others(commit.id)
        foreign = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))
        if foreign:
            self.fail("OURS", f"{commit} changes {', '.join(foreign)}, which is not below .moha")
        for path in sorted(set(old.files) - set(new.files)):
            if RECORD.fullmatch(path) and not LITTER.search(path) and path not in self.ledger.removed_files:
                self.fail("OURS", f"{commit} takes out {path}, which its parent held and nobody removed")
            elif path in (LOG, IDENTITY):
                self.fail("OURS", f"{commit} takes out {path}")
        for path, (mode, id) in sorted(new.files.items()):
            had = old.files.get(path)
            if had == (mode, id):
                continue
            if LITTER.search(path) or TEMPORARY.search(path):
                self.fail("OURS", f"{commit} holds {path}, which is no record")
            if b"\0" in self.history.blob(id).content and not (had and b"\0" in self.history.blob(had[1]).content):
                self.fail("OURS", f"{commit} holds NUL in {path}")
            if self.history.blob(id).is_conflicted and not (had and self.history.blob(had[1]).is_conflicted):
                self.fail("OURS", f"{commit} holds conflict markers in {path}")
            if RECORD.fullmatch(path) and had and not LITTER.search(path):
                self.fail("OURS", f"{commit} changes the record {path} (mode {had[0]} to {mode}, "
                          f"{len(self.history.blob(id).content)} bytes)")
        before, after = old.identity(), new.identity()
        if before is not None and IDENTITY in new.files:
            gone = sorted(set(before) - set(after or {}))
            if gone:
                self.fail("OURS", f"{commit} takes the members {', '.join(gone)} out of identity.json")
            elif self.counter(before) is not None and (self.counter(after) or 0) < min(
                    self.counter(before), new.decisions):
                self.fail("COUNTER", f"{commit} lets total_decisions fall from {self.counter(before)} to "
                          f"{self.counter(after)} with {new.decisions} decisions in it")
        # What is there twice may become once: a rotation finds that the month has it already.
        lines = sorted(set(old.log_lines()) - set(new.log_lines()))
        if lines:
            line = lines[0].decode("utf-8", "replace")
            names = sorted({name.decode() for each in lines for name in WHOLE.findall(each)})
            self.fail("OURS", f"{commit} takes {len(lines)} lines out of the log: {', '.join(names) or line[:100]}; "
                      f"its parent was {parent}")

    @staticmethod
    def counter(identity):
        value = (identity or {}).get("total_decisions")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def step(self, branch, move):
        """A branch that moved to a commit which does not come from the old one."""
        if move.old in self.history.ancestors(move.new):
            return
        old, new = self.history.view(move.old), self.history.view(move.new)
        amends = move.message.startswith("commit (amend)")
        for marker in self.vanished(old, new):
            entry = self.known.get(marker)
            if entry is None:
                continue
            if self.is_deliberate(move):
                self.moved_back.add(marker)
            elif amends and not self.excused(entry, self.history.commit(move.new), old):
                self.undone(entry, f"{entry} was in {self.history.commit(move.old)}; the person amended that on "
                            f"{branch} to {self.history.commit(move.new)}, which lacks it, and nobody removed it by "
                            "name")

    def is_deliberate(self, move):
        """A person named a commit before HEAD, and it is the one that this names for the HEAD that was left behind."""
        match = DELIBERATE.match(move.message)
        return bool(match) and self.history.generation(move.old, int(match[1] or 1)) == move.new

    def excused(self, entry, commit, old):
        """Whether a person's commit removed an entry by name."""
        for path in old.places.get(entry.marker, []):
            if self.ledger.excuse(entry, commit.id, path):
                return True
        return False

    # Each entry

    def claims(self):
        """`committed` is a claim about a commit: it holds the entry, and was a branch's."""
        tips = {move.new for log in self.branches.values() for move in log}
        for entry in self.entries:
            if entry in self.outdone:
                continue
            for answer in entry.acknowledged:
                if answer.pending:
                    continue
                if not answer.commit or self.history.commit(answer.commit) is None:
                    self.fail("FALSE", f"{entry} is said to be in {answer.commit}, and there is no such commit")
                elif not self.history.view(answer.commit).holds(entry.marker) or answer in entry.false_claims:
                    if answer.repeated and self.reason_to_be_gone(entry):
                        continue
                    again = " again" if answer.repeated else ""
                    self.fail("FALSE", f"{entry} was answered{again} with {self.history.commit(answer.commit)}, which "
                              f"does not hold it at {answer.path}")
                elif answer.commit not in tips:
                    self.fail("FALSE", f"{entry} was answered with {self.history.commit(answer.commit)}, which never "
                              "was a branch's")

    def candidates(self, entry):
        """The branches that may have to hold it: of its commit, or that were checked out since it was asked for."""
        commits = {answer.commit for answer in entry.acknowledged if answer.commit}
        found = {branch for branch, log in self.branches.items()
                 if any(move.new in commits and not move.message.startswith("branch: Created") for move in log)}
        if found:
            return found
        last = float("inf") if any(answer.pending for answer in entry.acknowledged) else \
            max(answer.at for answer in entry.acknowledged)
        return self.ledger.branches(entry.folder, entry.begun, last) or set(self.tips)

    def present(self, entry):
        branches = [branch for branch in sorted(self.candidates(entry)) if branch in self.tips]
        for branch in branches:
            view = self.history.view(self.tips[branch])
            if view.holds(entry.marker):
                if view.counts[entry.marker] > 1:
                    self.twice(entry, branch, view)
                return
        if self.reason_to_be_gone(entry):
            return
        first = next(iter(entry.acknowledged))
        how = f"committed in {first.commit[:8]}" if first.commit else "pending"
        stories = [self.story(entry, branch) for branch in branches]
        self.fail("LOST", f"{entry} (acknowledged at {first.at - self.start:.2f} s as {how}): {'; '.join(stories)}; "
                  f"people then did: {self.ledger.around(first.at)}")

    def twice(self, entry, branch, view):
        """Twice at the end: of our doing, but where a merge or a pick of the person's doubled it."""
        for id in self.history.ancestors(self.tips[branch]):
            commit = self.history.commit(id)
            before = max((self.history.view(parent).counts[entry.marker] for parent in commit.parents), default=0)
            if self.history.view(id).counts[entry.marker] > before > 0 and not commit.is_ours:
                return
        self.fail("TWICE", f"{entry} is {view.counts[entry.marker]} times in {branch}: "
                  f"{', '.join(view.places[entry.marker])}")

    def reason_to_be_gone(self, entry):
        """A person's removal by name, or a branch that a person moved back over it; None where there is none."""
        if entry.marker in self._excuses:
            return self._excuses[entry.marker]
        reason = None
        for branch in sorted(self.candidates(entry)):
            last = self.last_held(entry, branch)
            if last is None:
                if entry.marker in self.ledger.removals:
                    reason = self.ledger.removals[entry.marker][0][1]
                continue
            log = self.branches[branch]
            if last + 1 >= len(log):
                continue
            move = log[last + 1]
            if self.is_deliberate(move):
                self.moved_back.add(entry.marker)
                reason = f"the person moved {branch} back"
                break
            for commit, old in self.removers(entry, move):
                excuse = self.excused(entry, commit, old)
                deleted = commit.is_ours and any(path in self.ledger.removed_files for path in old.places[entry.marker])
                if not commit.is_ours and (excuse or self.is_swept(entry)) or deleted:
                    self.removed.add(entry.marker)
                    reason = f"{commit} removed it by name"
                    break
        self._excuses[entry.marker] = reason
        return reason

    def last_held(self, entry, branch):
        """The last line of the branch's reflog whose commit holds it."""
        log = self.branches.get(branch, [])
        for index in range(len(log) - 1, -1, -1):
            if self.history.commit(log[index].new) and self.history.view(log[index].new).holds(entry.marker):
                return index
        return None

    def removers(self, entry, move):
        """The commits of a step that lack what a parent held, each with that parent's records."""
        if move.old not in self.history.ancestors(move.new):
            commit = self.history.commit(move.new)
            old = self.history.view(move.old)
            found = [(commit, old)] if move.message.startswith("commit (amend)") else []
            # A rebase makes the person's own removal anew.
            extra = self.history.ancestors(move.new) - self.history.ancestors(move.old)
        else:
            found, extra = [], self.history.ancestors(move.new) - self.history.ancestors(move.old)
        for id in extra:
            commit = self.history.commit(id)
            for parent in commit.parents if commit else []:
                if self.history.commit(parent):
                    old = self.history.view(parent)
                    if old.holds(entry.marker) and not self.history.view(id).holds(entry.marker):
                        found.append((commit, old))
        return found

    def story(self, entry, branch):
        last, log = self.last_held(entry, branch), self.branches.get(branch, [])
        if last is None:
            return f"never in a commit of {branch}"
        if last + 1 >= len(log):
            return f"in {log[last].new[:8]}, and not in {branch}"
        move = log[last + 1]
        held = self.history.commit(log[last].new)
        if move.old in self.history.ancestors(move.new):
            takers = [str(commit) for commit, _ in self.removers(entry, move)]
            return f"last in {held} on {branch}, taken out by {', '.join(takers) or move.new[:8]}"
        return f"last in {held}, then {branch} went to {move.new[:8]} by `{move.message}` of {move.who}"

    def places(self, entry):
        """The branches whose tree holds the entry now."""
        return sorted(branch for branch, id in self.tips.items() if self.history.view(id).holds(entry.marker))

    # Keys, counters, refs

    def keys(self):
        by_key = {}
        for entry in self.entries:
            if entry.key:
                by_key.setdefault((entry.folder, entry.kind, entry.key), []).append(entry)
        for (_, _, key), entries in by_key.items():
            there = [entry for entry in entries if self.places(entry)]
            sure = [entry for entry in entries if not entry.is_other_content and entry.acknowledged]
            together = [branch for branch, id in self.tips.items()
                        if sum(1 for entry in entries if self.history.view(id).holds(entry.marker)) > 1]
            gone = any(self.reason_to_be_gone(entry) for entry in sure)
            if len(there) > 1 and together and not gone:
                self.fail("KEY", f"{key} has {len(there)} records: {', '.join(map(str, there))}")
            if len(sure) > 1 and not gone:
                self.fail("KEY", f"{key}: {' and '.join(map(str, sure))} with different content were both acknowledged")
                self.outdone |= {entry for entry in sure if not self.places(entry)}
            for entry in entries:
                for answer in entry.answers if entry.is_other_content and not gone else []:
                    if answer.success:
                        word = "repeated" if answer.repeated else "recorded"
                        self.fail("KEY", f"{entry} with other content under the used key {key} was answered as {word}")
                    elif answer.code == "conflict" and answer.status not in (2, None):
                        self.fail("KEY", f"{entry} was refused as conflict with exit code {answer.status}, not 2")

    def counters(self, files, identity, attempted, counts_rebirths, base_rebirths):
        """After reconcile: the counter is the number of files; rebirths are as many as were recorded."""
        total = self.counter(identity)
        if total != files:
            self.fail("COUNTER", f"total_decisions is {total!r} after reconcile, and there are {files} decisions")
        if not counts_rebirths:
            return
        sure = {entry.marker for entry in self.entries if entry.rebirth and entry.acknowledged}
        count = identity.get("rebirth_count") if identity else None
        if not isinstance(count, int) or not base_rebirths + len(sure) <= count <= base_rebirths + attempted:
            self.fail("COUNTER", f"rebirth_count is {count!r}; it was {base_rebirths}, and {len(sure)} to {attempted} "
                      "rebirths were recorded")

    def tidy(self):
        """Reflogs must not have holes: else nobody could say what happened."""
        for branch, id in self.tips.items():
            if self.history.commit(id) is None:
                self.fail("FSCK", f"{branch} is at {id[:8]}, and there is no such commit")
        for branch, log in self.branches.items():
            for before, after in zip(log, log[1:]):
                if before.new != after.old:
                    self.fail("FSCK", f"the reflog of {branch} goes from {before.new[:8]} to {after.old[:8]} unseen")
                    break

    def fsck(self):
        done = subprocess.run(
            ["git", "-C", self.folder, "fsck", "--full", "--strict", "--no-dangling", "--no-progress"],
            env=self.environment, capture_output=True, text=True, errors="replace")
        if done.returncode:
            self.fail("FSCK", (done.stdout + done.stderr).strip()[:300])


def happened(log, tip):
    """A reflog without the moves that were written down and then not made, as by a process that was killed."""
    found = []
    for number, move in enumerate(log):
        now = log[number + 1].old if number + 1 < len(log) else tip
        if now == move.new or now != move.old:
            found.append(move)
    return found


def left_over(folder, git_folder):
    """Locks of git's and temporary files of ours, which the runs after a killed one take away."""
    found = []
    for base, folders, names in os.walk(git_folder):
        folders[:] = [name for name in folders if name not in ("objects", "worktrees")]
        found += [os.path.join(base, name) for name in names if name.endswith(".lock")]
    for base, _, names in os.walk(f"{folder}/.moha"):
        found += [os.path.join(base, name) for name in names if TEMPORARY.search(f"/{name}")]
    return sorted(os.path.relpath(path, folder) for path in found)


def decision_files(folder):
    """The decisions of a working tree."""
    paths = [os.path.relpath(f"{base}/{name}", folder) for base, _, names in os.walk(f"{folder}/{TREE}/decisions")
             for name in names]
    return [path for path in paths if DECISION.fullmatch(path)]


def rows_of(session, database):
    """How often each marker is in the rows."""
    columns = (("maven_decisions", "reasoning"), ("maven_milestones", "description"), ("maven_memory", "description"),
               ("maven_portfolio_snaps", "notes"))
    counts = {}
    tables = session("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'", database)
    for table, column in columns:
        if [table] not in tables:
            continue
        for row in session(f"SELECT replace({column}, E'\\n', ' ') FROM {table} "
                           f"WHERE strpos({column}, ' from here ') > 0"):
            for marker in WHOLE.findall("\x1f".join(row).encode()):
                counts[marker.decode()] = counts.get(marker.decode(), 0) + 1
    return counts


def outline(ran):
    """What a run says that matters: exit code, differences, findings that are errors, steps that failed."""
    value = ran.json if isinstance(ran.json, dict) else {}
    words = [f"exit {ran.status}"]
    left = {name: count for name, count in (value.get("differences") or {}).items() if count}
    errors = [f"{finding.get('code')} {finding.get('path')}: {finding.get('message')}"
              for finding in value.get("findings") or [] if finding.get("severity") == "error"]
    steps = [f"{step.get('name')} {step.get('status')} {step.get('detail')}"
             for step in value.get("steps") or [] if step.get("exit_code")]
    for name, found in (("differences", left), ("errors", errors), ("steps", steps), ("error", value.get("error"))):
        if found:
            words.append(f"{name} {json.dumps(found, ensure_ascii=False)[:400]}")
    if not value:
        words.append((ran.stdout + ran.stderr).strip()[:300])
    return ", ".join(words)
