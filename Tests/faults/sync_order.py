#!/usr/bin/env python3
"""Asserts the order of writes, synchronisations and locks of a whole `record`, from a list of its system calls.

Every file that appears under a final name was synchronised before it got the name, the folder of the name afterwards,
and both before the answer is printed. The working tree is written only under its lock, git only under the writer's.
"""

import os
import sys

import harness
import tracer
from checker import Write
from harness import Scratch

CALLS = ["write", "pwrite64", "fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "link", "linkat",
         "flock", "unlink", "unlinkat", "ftruncate", "openat", "mkdir", "mkdirat"]


class Trace:
    def __init__(self, calls, root):
        self.calls = [(call.name, [word.removeprefix(root + "/") for word in call.words]) for call in calls]
        self.root = root

    def find(self, names, matches, start=0, end=None):
        """The first call in a range; None where there is none."""
        for index in range(start, len(self.calls) if end is None else end):
            name, words = self.calls[index]
            if name in names and matches(words):
                return index
        return None


SYNCS = ("fsync", "fdatasync")
MOVES = ("rename", "renameat", "renameat2", "link", "linkat")
# Notes that spare work and are never believed where they are torn: without them it is looked up again.
NOTES = (".git/moha-sync/reflog", ".git/moha-sync/checkout", f".git/moha-sync/keys/complete-{harness.AGENT}")


def is_durable(trace, entry, file):
    """Whether an entry of the journal got its bytes synchronised before its name, and its name before the file."""
    source, target = trace.calls[entry][1]
    return (trace.find(SYNCS, lambda words: words[0] == source, 0, entry) is not None
            and trace.find(SYNCS, lambda words: words[0] == os.path.dirname(target), entry, file) is not None)


def faults_of(trace, key, parent_is_ours):
    faults = []
    answer = trace.find(("write",), lambda words: words[0].endswith("/stdout"))
    if answer is None:
        return ["there is no answer"]
    moved = trace.find(("rename",), lambda words: words[-1].endswith("refs/heads/main"))
    # Names of which the bytes are on the disk: they stay so under a name that is linked or renamed from them.
    moves, synced = 0, set()
    for index, (name, words) in enumerate(trace.calls[:answer]):
        if name in SYNCS:
            synced.add(words[0])
        elif name in ("write", "pwrite64", "ftruncate"):
            synced.discard(words[0])
        if name not in MOVES:
            continue
        source, target = words[0], words[1]
        is_known = source in synced
        (synced.add if is_known else synced.discard)(target)
        is_elsewhere = target.startswith(("/", "..")) or "moha-sync/journal/" in target
        if is_elsewhere or target.endswith(".lock") or target in NOTES:
            continue
        if source.endswith(".lock") and name == "link":
            continue  # Tried first, and fails where the branch exists.
        moves += 1
        if not is_known:
            faults.append(f"{target} got its name before its bytes were synchronised")
        folder = os.path.dirname(target)
        # What a commit is made of is whole before the branch names it.
        end = moved if target.startswith(".git/objects/") else answer
        if trace.find(SYNCS, lambda about: about[0] == folder, index, end) is None:
            faults.append(f"the folder of {target} was not synchronised in time")
    if moves < 5:
        faults.append(f"only {moves} files got their names: the trace is not whole")
    log = trace.find(("pwrite64",), lambda words: words[0].endswith("session_log.md"))
    if log is not None and trace.find(SYNCS, lambda words: words[0].endswith("session_log.md"), log, answer) is None:
        faults.append("the log was not synchronised before the answer")
    branch = moved
    if branch is None or branch > answer:
        faults.append("the branch was not moved before the answer")
    else:
        # Each writer takes it once for its file and lets go of it, and the one that commits holds it meanwhile.
        locks = [words[0] for name, words in trace.calls[:branch] if name == "flock"]
        turns = sum(1 for lock in locks if lock.endswith("moha-sync/tree.flock"))
        if turns % 2 == 0:
            faults.append("the tree was not locked while the branch moved")
        for name in (".git/index.lock", ".git/HEAD.lock"):
            lock = trace.find(("link",), lambda words: words[-1] == name)
            if lock is None or lock > branch:
                faults.append(f"{name} was not taken before the branch moved")
    if not parent_is_ours and trace.find(("syncfs",), lambda words: True, 0, branch) is None:
        faults.append("what git left in memory was not written out before the branch moved")
    for what, lock, end in ((lambda words: words[0].startswith(".moha/"), "tree.flock", answer),
                            (lambda words: words[0].startswith((".git/objects/", ".git/refs/")), "writer", answer)):
        first = trace.find(("pwrite64", "write", *MOVES, "unlinkat"), what)
        taken = trace.find(("flock",), lambda words: words[0].endswith(f"moha-sync/{lock}"))
        if first is not None and (taken is None or taken > first):
            faults.append(f"{trace.calls[first]} came before the lock {lock}")
    commit = trace.find(("flock",), lambda words: words[0].endswith("moha-sync/commit.flock"))
    writer = trace.find(("flock",), lambda words: words[0].endswith("moha-sync/writer"))
    if commit is None or writer is None or writer < commit:
        faults.append("the lock of commits was not taken before that of git")
    # The journal knows of a record before its file exists.
    file = trace.find(MOVES, lambda words: words[-1].startswith(".moha/"))
    if file is None:
        file = log
    entry = trace.find(("rename",), lambda words: "moha-sync/journal/" in words[-1])
    if entry is None or file is None or entry > file:
        faults.append("the journal's entry came after the file")
    elif not is_durable(trace, entry, file) and (key or not trace.calls[file][1][-1].endswith("identity.json")):
        # An entry that only says what to commit need not last.
        faults.append("the journal's entry was not durable before the file")
    made = trace.find(("mkdir",), lambda words: words[0] == ".git/moha-sync/journal")
    if made is not None and trace.find(SYNCS, lambda words: words[0] == ".git/moha-sync", made, file) is None:
        faults.append("the journal's folder was not durable before the file")
    objects = trace.find(SYNCS, lambda words: words[0] == ".git/objects", 0, branch)
    if branch is not None and objects is None:
        faults.append("the folders of objects were not synchronised before the branch moved")
    return faults


def main():
    options = harness.parse(harness.parser(__doc__))
    reason = tracer.supported()
    if reason:
        print(f"skipped: {reason}")
        return 0
    work = harness.Work(options)
    scratch = Scratch.make(work, f"{work.path}/r")
    failed = 0
    cases = [Write(kind, f"order-{kind}-{bool(key)}", key) for kind in ("decision", "event", "milestone", "identity")
             for key in (None, f"key-{kind}")] + [Write("event", "order-rebirth", "key-rebirth", rebirth=True)]
    for write in cases:
        stdout, stderr = f"{work.path}/stdout", f"{work.path}/stderr"
        outcome = tracer.run(
            scratch.arguments(*write.arguments), scratch.environment, scratch.path, stdout, stderr, calls=CALLS, records=True)
        if outcome.status == 0:
            faults = faults_of(Trace(outcome.calls, scratch.path), write.key, write is not cases[0])
        else:
            faults = [open(stdout).read()]
        for fault in faults:
            print(f"{write.marker}: {fault}")
        failed += 1 if faults else 0
    print(f"sync_order: {len(cases)} writes, {failed} out of order")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
