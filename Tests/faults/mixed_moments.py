"""The scenes in which one process stands still at one system call while the others work: no luck is needed.

    between   a writer stands, anywhere from its first file to its answer, while a person's command runs
    stale     a person's command stands, for example after it read HEAD, while writers commit
    aborted   records in the middle of a merge, rebase, cherry-pick, revert or stash that is given up, or resolved
    detached  records on a detached HEAD, and the ways back to a branch
    hook      a record in a person's pre-commit hook
    forms     records into every form of index and of sparse checkout; then the person's next commit
"""

import json
import re
import os
import subprocess

from harness import TREE
from mixed_paused import CHANGING, Paused
from mixed_person import Person
from mixed_records import IDENTITY, LOG
from mixed_stage import Stage

KINDS = ["decision", "event", "milestone", "snapshot", "identity"]

#: A person's command: what comes before it, and itself. `{…}` are made by `prepared`.
COMMANDS = {
    "reset --hard": ([], ["reset", "-q", "--hard"]),
    "reset --hard HEAD~1": ([["own"]], ["reset", "-q", "--hard", "HEAD~1"]),
    "reset": ([], ["reset", "-q"]),
    "reset --soft HEAD~1": ([["own"]], ["reset", "-q", "--soft", "HEAD~1"]),
    "stash": ([], ["stash", "-q"]),
    "stash -u": ([], ["stash", "push", "-q", "-u"]),
    "stash pop": ([["stash", "push", "-q", "-u"]], ["stash", "pop", "-q"]),
    "checkout -f": ([], ["checkout", "-q", "-f"]),
    "checkout -- .": ([], ["checkout", "-q", "--", "."]),
    "restore .": ([], ["restore", "."]),
    "restore --staged --worktree .": ([], ["restore", "--staged", "--worktree", "."]),
    "add -A": ([], ["add", "-A"]),
    "commit -a": ([], ["commit", "-q", "-a", "-m", "all that is tracked"]),
    "commit everything": ([["add", "-A"]], ["commit", "-q", "-m", "everything"]),
    "commit": ([], ["commit", "-q", "-m", "what is staged"]),
    "commit -- path": ([["write", "src/same"]], ["commit", "-q", "-m", "by path", "--", "src/same"]),
    "commit --amend": ([], ["commit", "-q", "--amend", "--no-edit"]),
    "commit -a --amend": ([], ["commit", "-q", "-a", "--amend", "--no-edit"]),
    "switch": ([], ["switch", "-q", "topic"]),
    "switch -f": ([], ["switch", "-q", "-f", "topic"]),
    "switch -c": ([], ["switch", "-q", "-c", "fresh"]),
    "merge": ([], ["merge", "-q", "-m", "merge", "topic"]),
    "merge forward": ([], ["merge", "-q", "ahead"]),
    "merge with a conflict": ([["put away"]], ["merge", "-q", "-m", "merge", "clash"]),
    "merge --abort": ([["put away"], ["merge", "-q", "clash"]], ["merge", "--abort"]),
    "rebase": ([["put away"]], ["rebase", "-q", "topic"]),
    "rebase --autostash": ([], ["rebase", "-q", "--autostash", "topic"]),
    "rebase --abort": ([["put away"], ["rebase", "-q", "clash"]], ["rebase", "--abort"]),
    "cherry-pick": ([], ["cherry-pick", "topic"]),
    "cherry-pick --abort": ([["put away"], ["cherry-pick", "clash"]], ["cherry-pick", "--abort"]),
    "clean -fd": ([], ["clean", "-fdq"]),
    "gc --prune=now": ([], ["gc", "-q", "--prune=now"]),
    "repack -ad": ([], ["repack", "-adq"]),
    "pack-refs": ([], ["pack-refs", "--all"]),
    "prune": ([], ["prune", "--expire=now"]),
    "split index": ([], ["update-index", "--split-index"]),
    "sparse-checkout": ([], ["sparse-checkout", "set", "--cone", "src"]),
    "worktree add": ([], ["worktree", "add", "-q", "--detach", "{folder}-glance"]),
}


class Worker(Person):
    """A person who does one thing after another, as told; one command may stand at a call."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.patience = 0.2
        self.target, self.fault, self.calls, self.meanwhile = None, None, None, None
        self.seen, self.hit = [], False
        self.said = ""

    def execute(self, arguments):
        if list(arguments) != self.target:
            return super().execute(arguments)
        # Once only: a second try is not broken.
        self.target = None
        paused = Paused(["/usr/bin/env", "git", "-C", self.folder, *arguments], self.environment, self.folder,
                        self.fault, calls=self.calls, work=self.scratch.work.path)
        self.hit = paused.reached()
        if self.hit:
            self.meanwhile()
        outcome = paused.finish()
        self.seen = outcome.get("calls", [])
        return subprocess.CompletedProcess(arguments, outcome.get("status") or 0, outcome["stdout"], outcome["stderr"])

    def told(self):
        for words in self.words:
            if words == ["own"]:
                self.commit_path()
            elif words[0] == "write":
                self.write(words[1], f"{words[1]} {len(self.ledger.actions)}\n")
            elif words == ["hook"]:
                self.stage.hook()
            elif words == ["put away"]:
                self.git("stash", "push", "-q", "--", "src")
            else:
                self.git(*[word.format(folder=self.folder) for word in words])

    def do(self, *commands):
        self.words = list(commands)
        self.act("told")


def prepared(bench, generator):
    """A repository with topics to merge with and without conflict, two records, and a person in it."""
    stage = Stage(bench, "topics", database=False)
    worker = stage.person(generator, ["told"], kind=Worker)
    worker.topics, worker.stage = ["topic"], stage
    for kind in ("decision", "event"):
        stage.record(kind)
    return stage, worker


def end(stage, worker):
    """What runs next after the moment: a record; then the person's commits; and then the end of every scene."""
    worker.patience = 4.0
    stage.record("event")
    worker.act("normal")
    stage.record("decision")
    worker.do(["write", "src/same"], ["commit", "-q", "-a", "-m", "all that is tracked"])
    return stage.finish()


#: What most often loses a record, and is tried as often as all others together.
CORE = ["reset --hard", "stash", "stash -u", "clean -fd", "checkout -f", "checkout -- .",
        "restore --staged --worktree .", "commit -a", "commit everything"]


def some_command(generator):
    return generator.choice(CORE if generator.random() < 0.5 else list(COMMANDS))


def points_of_writer(bench, kind):
    """The calls of a record at which it may stand, those that change something of the repository, in its phases: until
    its file is there, until the branch moves, and until its answer."""
    known = bench.points.setdefault("writer", {})
    if kind not in known:
        stage, _ = prepared(bench, Stage.generator(1))
        try:
            entry = stage.traffic.new(kind, None, stage.folder, "key-points")
            paused = Paused(stage.traffic.line(*entry.arguments), stage.traffic.environment, stage.folder,
                            calls=CHANGING, work=bench.work.path)
            assert not paused.reached()
            phases = [[]]
            for name, number, about in paused.finish()["calls"]:
                if name == "openat" or stage.folder not in about and "paused-" not in about:
                    continue
                phases[-1].append(f"{name}:{number}")
                is_file = name in ("linkat", "renameat", "renameat2", "rename") and f"/{TREE}" in about
                if len(phases) == 1 and (is_file or name == "pwrite64" and about.split(" ")[0].endswith(LOG)) \
                        or len(phases) == 2 and name == "rename" and about.endswith("/refs/heads/main"):
                    phases.append([])
            known[kind] = [phase for phase in phases if phase]
        finally:
            stage.drop()
    return known[kind]


def between(bench, case, options, stages):
    """A writer stands at one of its calls while the person's command runs from its beginning to its end."""
    generator = Stage.generator(case)
    kind, name = generator.choice(KINDS), some_command(generator)
    point = generator.choice(generator.choice(points_of_writer(bench, kind)))
    stage, worker = prepared(bench, generator)
    stages.append(stage)
    before, command = COMMANDS[name]
    entry = stage.traffic.new(kind, None, stage.folder, "key" if generator.random() < 0.5 else None)
    entry.begin()
    paused = Paused(stage.traffic.line(*entry.arguments), stage.traffic.environment, stage.folder, point,
                    work=bench.work.path)
    if paused.reached():
        stage.traffic.stops += 1
        worker.do(*before, command)
    outcome = paused.finish()
    try:
        value = json.loads(outcome["stdout"])
    except ValueError:
        value = None
    stage.traffic.answered(entry, outcome.get("status"), value)
    violations = end(stage, worker)
    return [f"{text} [{kind} stood at {point} while `{name}` ran]" for text in violations]


def points_of_command(bench, name):
    """The calls of a person's command at which it may stand: refs, HEAD, the index, and what it renames and removes."""
    known = bench.points.setdefault("command", {})
    if name not in known:
        stage, worker = prepared(bench, Stage.generator(1))
        try:
            before, command = COMMANDS[name]
            worker.do(*before)
            worker.target, worker.calls = [word.format(folder=worker.folder) for word in command], CHANGING
            worker.do(command)
            wanted = (".lock", "/HEAD", "refs/heads/", "/index", "packed-refs", "ORIG_HEAD")
            known[name] = [f"{call}:{number}" for call, number, about in worker.seen
                           if call != "openat" and stage.folder in about
                           or call == "openat" and any(word in about for word in wanted)
                           or call == "openat" and ".moha/" in about]
        finally:
            stage.drop()
    return known[name]


def stale(bench, case, options, stages):
    """A person's command stands at one of its calls while records are written, committed and acknowledged."""
    generator = Stage.generator(case)
    name = some_command(generator)
    points = points_of_command(bench, name)
    if not points:
        return []
    point = generator.choice(points)
    stage, worker = prepared(bench, generator)
    stages.append(stage)
    before, command = COMMANDS[name]
    worker.do(*before)

    def meanwhile():
        stage.traffic.stops += 1
        for kind in generator.sample(KINDS, 2):
            stage.record(kind, key=f"key-{kind}" if generator.random() < 0.5 else None)

    worker.target = [word.format(folder=worker.folder) for word in command]
    worker.fault, worker.meanwhile = point, meanwhile
    worker.do(command)
    violations = [text for text in end(stage, worker) if not (name == "clean -fd" and is_cleaned_away(text))]
    return [f"{text} [`{name}` stood at {point} while records were written]" for text in violations]


def is_cleaned_away(text):
    """`git clean` lists what is untracked, and then removes it without a lock or another look: also what was committed in
    between. The person's own `commit -a` after it then says that they removed it, which nobody can tell from the truth."""
    return text.startswith(("UNDONE", "LOST")) and re.search(r'took it out|taken out by', text) and 'by Person' in text


#: What meets a conflict; and the ways to end it.
CONFLICTS = {
    "merge": ([["merge", "-q", "clash"]], ["merge", "--abort"]),
    "rebase": ([["rebase", "-q", "clash"]], ["rebase", "--abort"]),
    "cherry-pick": ([["cherry-pick", "clash"]], ["cherry-pick", "--abort"]),
    "stash": ([["write", "src/same"], ["stash", "push", "-q", "--", "src"], ["write", "src/same"],
               ["commit", "-q", "-a", "-m", "another edit"], ["stash", "pop", "-q"]], ["reset", "-q", "--hard"]),
}


def aborted(bench, case, options, stages):
    """Records in the middle of a conflict are pending; however it ends, the next run commits them."""
    generator = Stage.generator(case)
    name = generator.choice(list(CONFLICTS))
    ending = generator.choice(["abort", "reset", "stash and switch", "resolve"])
    stage, worker = prepared(bench, generator)
    stages.append(stage)
    commands, abort = CONFLICTS[name]
    worker.do(["put away"])
    for words in commands:
        worker.do(words)
    for kind in generator.sample(KINDS, 3):
        stage.record(kind)
    if ending == "abort":
        worker.do(abort)
    elif ending == "reset":
        worker.do(["reset", "-q", "--hard"])
    elif ending == "stash and switch":
        worker.do(abort, ["stash", "push", "-q", "-u"], ["switch", "-q", "-f", "topic"], ["switch", "-q", "main"])
    else:
        worker.do(["checkout", "-q", "--ours", "--", "src/same"], ["add", "src/same"])
        if name in ("merge", "cherry-pick"):
            worker.do(["commit", "-q", "--no-edit"])
        elif name == "rebase":
            # A record that waits in the working tree is a change like any other: the person takes it along.
            worker.do(["add", "-A"], ["rebase", "--continue"])
    violations = end(stage, worker)
    return [f"{text} [records in the middle of a {name}, then {ending}]" for text in violations]


def detached(bench, case, options, stages):
    """Records on a detached HEAD are pending; the next run on a branch commits them."""
    generator = Stage.generator(case)
    away = generator.choice([["checkout", "-q", "--detach"], ["checkout", "-q", "HEAD~1"],
                             ["switch", "-q", "--detach"]])
    back = generator.choice([["switch", "-q", "main"], ["checkout", "-q", "-f", "main"], ["switch", "-q", "-f", "-"],
                             ["stash", "push", "-q", "-u"], ["switch", "-q", "-c", "fresh"], ["reset", "-q", "--hard"]])
    stage, worker = prepared(bench, generator)
    stages.append(stage)
    worker.do(["put away"], away)
    for kind in generator.sample(KINDS, 3):
        stage.record(kind)
    worker.do(back)
    if worker.branch is None:
        worker.do(["checkout", "-q", "-f", "main"])
    violations = end(stage, worker)
    return [f"{text} [records after `git {' '.join(away)}`, then `git {' '.join(back)}`]" for text in violations]


#: How an index, or a checkout, may be: commands that make it so.
FORMS = {
    "a hook": [["hook"], ["write", ".moha/maven/personas/v1.md"]],
    "split": [["update-index", "--split-index"]],
    "split by configuration": [["config", "core.splitIndex", "true"], ["update-index", "--force-write-index"]],
    "split twice": [["update-index", "--split-index"], ["own"], ["update-index", "--split-index"]],
    "version 4": [["update-index", "--index-version", "4"]],
    "untracked cache": [["update-index", "--untracked-cache"], ["status", "-s"]],
    "many threads": [["config", "index.threads", "4"], ["update-index", "--force-write-index"]],
    "without a hash": [["config", "index.skipHash", "true"], ["update-index", "--force-write-index"]],
    "intent to add": [["write", "src/intended"], ["add", "-N", "src/intended"]],
    "assume unchanged": [["update-index", "--assume-unchanged", "src/same", IDENTITY]],
    "sparse": [["put away"], ["sparse-checkout", "set", "--cone", "src"]],
    "sparse index": [["put away"], ["sparse-checkout", "set", "--cone", "--sparse-index", "src"]],
    "sparse beside": [["put away"], ["sparse-checkout", "set", "--cone", "--sparse-index", ".moha"]],
    "sparse decisions": [["put away"], ["sparse-checkout", "set", "--no-cone", "/*", "!/.moha/maven/decisions/"]],
    "sparse log": [["put away"], ["sparse-checkout", "set", "--no-cone", "/*", f"!/{LOG}"]],
}


def hooked(bench, case, options, stages):
    """A record in a person's pre-commit hook: it is written and kept, or told to wait; the person's commit succeeds."""
    generator = Stage.generator(case)
    stage, worker = prepared(bench, generator)
    stages.append(stage)
    worker.insists = True
    entry = stage.traffic.new(generator.choice(KINDS), None, stage.folder, "key")
    output = f"{stage.folder}-hook"
    stage.hook(*entry.arguments, output=output)
    following = generator.choice([["commit", "-q", "-m", "what is staged"], ["commit", "-q", "-a", "-m", "all"],
                                  ["commit", "-q", "--amend", "--no-edit"],
                                  ["commit", "-q", "-m", "by path", "--", "src/same"]])
    entry.begin()
    worker.do(["write", "src/same"], ["add", "src/same"], following)
    with open(output) as out, open(f"{output}.status") as status:
        try:
            value = json.load(out)
        except ValueError:
            value = None
        stage.traffic.answered(entry, int(status.read()), value)
    os.unlink(f"{stage.folder}/.git/hooks/pre-commit")
    for path in (output, f"{output}.status"):
        os.unlink(path)
    # Who was told to wait sends it again.
    stage.send(entry)
    worker.insists = False
    violations = end(stage, worker)
    return [f"{text} [{entry.kind} in the hook of `git {' '.join(following)}`]" for text in violations]


def forms(bench, case, options, stages):
    """Records of every kind into an index of some form; the person's next commit undoes nothing, and so does ours."""
    generator = Stage.generator(case)
    names = generator.sample(list(FORMS), generator.choice([1, 1, 2]))
    if "intent to add" in names and any(name.startswith("sparse") for name in names):
        # git 2.39 damages such an index by itself, and commits the damage: where a folder outside of the cone has a file,
        # `git add -N` and then any `git add` doubles entries (convert_to_sparse takes the -1 of an invalid tree for a span).
        names.remove("intent to add")
    stage, worker = prepared(bench, generator)
    stages.append(stage)
    # No writer is at work while the person is: nothing may be in the way.
    worker.insists = True
    for name in names:
        worker.do(*FORMS[name])
    for kind in generator.sample(KINDS, 3):
        stage.record(kind)
    following = generator.choice([["commit", "-q", "-m", "what is staged"], ["commit", "-q", "-a", "-m", "all"],
                                  ["commit", "-q", "--amend", "--no-edit"]])
    worker.do(["write", "src/same"], ["add", "src/same"], following)
    stage.run("commit")
    stage.record("decision")
    worker.do(["write", "src/same"], ["commit", "-q", "-a", "-m", "all that is tracked"])
    if any(name.startswith("sparse") for name in names):
        worker.do(["sparse-checkout", "disable"])
    violations = end(stage, worker)
    return [f"{text} [index: {', '.join(names)}; then `git {' '.join(following)}`]" for text in violations]


SCENES = {"between": between, "stale": stale, "aborted": aborted, "detached": detached, "hook": hooked,
          "forms": forms}
