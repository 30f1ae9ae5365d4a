"""Plants every kind of violation by hand into a quiet repository, and asks the oracle to notice each; and some that are
a person's right, which must pass."""

import copy
import json
import os
import subprocess
import time

from harness import TREE
from mixed_oracle import Judge
from mixed_person import Action, Ledger, Save
from mixed_records import IDENTITY, LOG, PERSON, WRITER, Answer, Entry, person_of
from mixed_stage import Bench, Stage

TRAILER = "\n\nMoha-Agent: maven\n"


class Plant:
    """A copy of the quiet repository, with its entries and the ledger, to do harm to."""

    def __init__(self, stage, folder):
        self.stage, self.folder, self.moments = stage, folder, None
        subprocess.run(["cp", "-a", stage.folder, folder], check=True)
        self.entries = []
        for entry in stage.traffic.entries:
            twin = copy.copy(entry)
            twin.answers, twin.false_claims = list(entry.answers), list(entry.false_claims)
            self.entries.append(twin)
        self.ledger = Ledger()
        self.ledger.actions, self.ledger.made = list(stage.ledger.actions), dict(stage.ledger.made)
        self.ledger.currents = {folder: list(stage.ledger.currents[stage.folder])}
        for entry in self.entries:
            entry.folder = folder

    def git(self, *arguments, who=PERSON, stdin=None):
        done = subprocess.run(
            ["git", "-C", self.folder, *arguments], env={**self.stage.scratch.environment, **person_of(who)},
            input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def read(self, path):
        with open(f"{self.folder}/{path}", "rb") as file:
            return file.read()

    def write(self, path, content):
        whole = f"{self.folder}/{path}"
        if content is None:
            os.unlink(whole)
        else:
            with open(whole, "wb") as file:
                file.write(content)

    def commit(self, changes, who=WRITER, message=None):
        """A commit with these files as they are given; of ours by default."""
        for path, content in changes.items():
            self.write(path, content)
        self.git("add", "-f", "-A", "--", *changes)
        self.git("commit", "-q", "-m", message or ("maven: planted" + TRAILER if who == WRITER else "planted"), "--",
                 *changes, who=who)
        return self.git("rev-parse", "HEAD")

    def entry(self, kind):
        return next(entry for entry in self.entries if entry.kind == kind and not entry.rebirth)

    def path(self, kind):
        return self.entry(kind).answers[0].path

    def without(self, marker):
        """The log without an entry."""
        head, *parts = self.read(LOG).split(b"\n## [20")
        return b"\n## [20".join([head] + [part for part in parts if f"[{marker} from here".encode() not in part])

    def action(self, commit=None):
        action = Action(len(self.ledger.actions), "planted", "person")
        self.ledger.actions.append(action)
        if commit:
            self.ledger.made[commit] = action.index
        return action

    def answer(self, entry, **changes):
        entry.answers[0] = entry.answers[0]._replace(**changes)

    def judge(self):
        return Judge(self.folder, self.stage.scratch.environment, self.entries, self.ledger, self.stage.start,
                     self.moments).judge()


PLANTS = []


def plants(kind):
    """What must be noticed of the plant; None for what is a person's right."""
    def add(plant):
        PLANTS.append((plant.__name__.replace("_", " "), kind, plant))
        return plant
    return add


@plants("LOST")
def lost_by_a_stale_reset(plant):
    plant.git("reset", "-q", "--hard", plant.git("rev-parse", "HEAD~2"))


@plants("LOST")
def lost_by_ours(plant):
    plant.commit({LOG: plant.without(plant.entry("event").marker)})


@plants("LOST")
def lost_identity_by_ours(plant):
    value = json.loads(plant.read(IDENTITY))
    del value[f"n-{plant.entry('identity').marker}"]
    plant.commit({IDENTITY: json.dumps(value, indent=2).encode()})


@plants("LOST")
def lost_before_any_commit(plant):
    entry = Entry("event", "never")
    entry.folder, entry.tries, entry.begun = plant.folder, 1, time.monotonic()
    entry.answers = [Answer(0, None, True, None, LOG, False, True, time.monotonic())]
    plant.entries.append(entry)


@plants("LOST")
def lost_by_an_older_buffer_from_before(plant):
    # The person saved something that lacks it, but long before it was written.
    action = plant.action()
    save = Save(action, LOG, b"", "an older buffer saved")
    save.at = plant.entry("event").begun - 1
    plant.ledger.saves.append(save)
    commit = plant.commit({LOG: plant.without(plant.entry("event").marker)}, who=PERSON)
    plant.ledger.made[commit] = plant.action().index


@plants("UNDONE")
def undone_by_the_index(plant):
    plant.git("rm", "-q", "--cached", plant.path("decision"))
    plant.git("commit", "-q", "-m", "something else")


@plants("UNDONE")
def undone_by_an_amend(plant):
    plant.git("rm", "-q", "--cached", plant.path("milestone"))
    plant.git("commit", "-q", "--amend", "--no-edit")


@plants("UNDONE")
def undone_and_put_back(plant):
    undone_by_the_index(plant)
    plant.commit({plant.path("decision"): plant.read(plant.path("decision"))})


@plants("UNDONE")
def undone_after_a_command_that_ended_before(plant):
    commit = plant.entry("decision").answers[0].commit
    plant.moments = {commit: [10.0]}
    plant.ledger.tries += [("reset", 8.0, 9.0), ("add", 9.5, 10.5), ("reset", 11.0, 12.0)]
    undone_by_the_index(plant)


@plants(None)
def passes_a_command_that_ran_at_that_moment(plant):
    commit = plant.entry("decision").answers[0].commit
    plant.moments = {commit: [10.0]}
    plant.ledger.tries.append(("checkout", 9.995, 10.01))
    undone_by_the_index(plant)


@plants("OURS")
def ours_takes_a_record(plant):
    plant.commit({plant.path("snapshot"): None})


@plants("OURS")
def ours_takes_a_record_and_puts_it_back(plant):
    content = plant.read(plant.path("snapshot"))
    plant.commit({plant.path("snapshot"): None})
    plant.commit({plant.path("snapshot"): content})


@plants("OURS")
def ours_takes_a_record_of_a_day(plant):
    path = f"{TREE}/milestones/2026/09/09/milestone_20260909_090909_x.md"
    os.makedirs(os.path.dirname(f"{plant.folder}/{path}"))
    plant.commit({path: b"# Milestone: X"}, who=PERSON)
    plant.commit({path: None})


@plants("OURS")
def ours_empties_a_record(plant):
    plant.commit({plant.path("decision"): b""})


@plants("OURS")
def ours_touches_other_files(plant):
    plant.commit({"src/same": b"ours\n", LOG: plant.read(LOG) + b"\n"})


@plants("OURS")
def ours_takes_a_member(plant):
    value = json.loads(plant.read(IDENTITY))
    del value["mood"]
    plant.commit({IDENTITY: json.dumps(value, indent=2).encode()})


@plants("OURS")
def ours_takes_a_line_of_the_log(plant):
    lines = plant.read(LOG).split(b"\n")
    lines.remove(next(line for line in lines if line.startswith(b"- **BIRTH**")))
    plant.commit({LOG: b"\n".join(lines)})


@plants("OURS")
def ours_holds_conflict_markers(plant):
    plant.commit({LOG: b"<<<<<<< HEAD\n" + plant.read(LOG) + b"=======\n>>>>>>> x\n"})


@plants("OURS")
def ours_holds_litter(plant):
    plant.commit({f"{TREE}/decisions/.#x.md": b"lock"})


@plants("OURS")
def ours_turns_a_record_into_a_link(plant):
    path = plant.path("milestone")
    plant.write(path, None)
    os.symlink("/etc/passwd", f"{plant.folder}/{path}")
    plant.git("add", "-A", "--", path)
    plant.git("commit", "-q", "-m", "maven: planted" + TRAILER, who=WRITER)


@plants("FALSE")
def false_commit(plant):
    entry = plant.entry("decision")
    plant.answer(entry, commit=plant.git("rev-parse", f"{entry.answers[0].commit}~1"))


@plants("FALSE")
def false_without_a_commit(plant):
    plant.answer(plant.entry("event"), commit="1" * 40)


@plants("FALSE")
def false_of_no_branch(plant):
    tree = plant.git("rev-parse", "HEAD^{tree}")
    plant.answer(plant.entry("event"), commit=plant.git("commit-tree", tree, "-p", "HEAD", "-m", "nowhere"))


@plants("TWICE")
def twice_in_the_log(plant):
    marker = plant.entry("event").marker
    parts = plant.read(LOG).split(b"\n## [20")
    again = next(part for part in parts if f"[{marker} from here".encode() in part)
    plant.commit({LOG: plant.read(LOG) + b"\n## [20" + again})


@plants("TWICE")
def twice_in_files(plant):
    path = plant.path("decision")
    plant.commit({path.replace(".md", "_2.md"): plant.read(path)})


@plants("TORN")
def torn_log(plant):
    plant.commit({LOG: plant.read(LOG) + b"\n## [2026-11-26T00:00:00+00:00] NOTE\n\n[half from here and on"})
    entry = Entry("event", "half")
    entry.folder, entry.tries, entry.begun = plant.folder, 1, time.monotonic()
    plant.entries.append(entry)


@plants("KEY")
def key_with_two_records(plant):
    entry = next(entry for entry in plant.entries if entry.key)
    twin = Entry("decision", "second", entry.key)
    twin.folder, twin.tries, twin.begun = plant.folder, 1, time.monotonic()
    text = plant.read(plant.path("decision")).replace(plant.entry("decision").marker.encode(), b"second")
    plant.commit({f"{TREE}/decisions/decision_20260909_090909.md": text})
    plant.entries.append(twin)


@plants("KEY")
def key_with_other_content_answered(plant):
    entry = next(entry for entry in plant.entries if entry.key)
    twin = Entry(entry.kind, "other", entry.key)
    twin.folder, twin.tries, twin.begun, twin.is_other_content = plant.folder, 1, time.monotonic(), True
    twin.answers = [entry.answers[0]._replace(repeated=True)]
    plant.entries.append(twin)


@plants("KEY")
def key_refused_with_another_code(plant):
    key_with_other_content_answered(plant)
    plant.answer(plant.entries[-1], success=False, code="conflict", status=1, commit=None)


@plants("REFUSED")
def refused_and_written(plant):
    plant.answer(plant.entry("milestone"), success=False, code="git-locked", status=11, commit=None)


@plants("COUNTER")
def counter_falls(plant):
    value = json.loads(plant.read(IDENTITY))
    value["total_decisions"] -= 1
    plant.commit({IDENTITY: json.dumps(value, indent=2).encode()})


@plants("FSCK")
def fsck_finds_a_bad_object(plant):
    tree = plant.git("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nauthor A <a@b> never +0000\ncommitter A <a@b> never +0000\n\nbad\n"
    bad = plant.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=text.encode())
    with open(f"{plant.folder}/.git/refs/heads/bad", "w") as file:
        file.write(f"{bad}\n")


@plants("FSCK")
def fsck_branch_without_a_commit(plant):
    head = plant.git("rev-parse", "HEAD")
    with open(f"{plant.folder}/.git/refs/heads/main", "w") as file:
        file.write("2" * 40 + "\n")
    with open(f"{plant.folder}/.git/logs/refs/heads/main", "a") as file:
        file.write(f"{head} {'2' * 40} Writer <writer@example.org> 1795700000 +0000\tcommit: maven: planted\n")


@plants("FSCK")
def fsck_reflog_with_a_hole(plant):
    path = f"{plant.folder}/.git/logs/refs/heads/main"
    with open(path) as file:
        lines = file.readlines()
    with open(path, "w") as file:
        file.writelines(lines[:2] + lines[3:])


@plants("PERSON")
def person_took_our_temporary_file(plant):
    plant.commit({f"{TREE}/decisions/.moha-1-1.tmp": b"half"}, who=PERSON)


@plants(None)
def passes_nothing(plant):
    pass


@plants(None)
def passes_a_removal_by_name(plant):
    path = plant.path("decision")
    action = plant.action()
    plant.ledger.remove([plant.entry("decision").marker], action, f"git rm {path}")
    plant.ledger.made[plant.commit({path: None}, who=PERSON)] = action.index


@plants(None)
def passes_a_removal_in_the_working_tree(plant):
    path = plant.path("decision")
    plant.ledger.remove([plant.entry("decision").marker], plant.action(), f"rm {path}")
    plant.ledger.removed_files[path] = len(plant.ledger.actions)
    plant.commit({path: None})


@plants(None)
def passes_a_compaction(plant):
    content = plant.without(plant.entry("event").marker)
    action = plant.action()
    plant.ledger.saves.append(Save(action, LOG, content, "the log compacted"))
    plant.ledger.made[plant.commit({LOG: content}, who=PERSON)] = action.index


@plants(None)
def passes_a_reset_to_a_named_commit(plant):
    plant.git("reset", "-q", "--hard", "HEAD~2")


@plants(None)
def passes_an_entry_put_back(plant):
    # The last three commits are an event, a decision and the person's.
    names = [LOG, IDENTITY, *plant.git("diff", "--name-only", "--diff-filter=A", "HEAD~2", "--", TREE).split("\n")]
    before = {name: plant.read(name) for name in names}
    plant.git("reset", "-q", "--hard", plant.git("rev-parse", "HEAD~3"))
    plant.commit(before)


def quiet(bench):
    """A repository with an acknowledged entry of every kind, a key that was used, and a person's commit."""
    stage = Stage(bench, "flat")
    stage.counts_rebirths = True
    person = stage.person(Stage.generator(1), ["edit"])
    for kind in ("decision", "event", "milestone", "snapshot", "identity"):
        stage.record(kind)
    stage.record("event", rebirth=True)
    stage.record("decision", key="a-key")
    person.act("commit_path")
    stage.record("event")
    stage.record("milestone")
    stage.record("event")
    return stage, person


def changed_meanwhile(stage, person):
    """What only the person may change, and the person's own look at it."""
    person.ledger.violations.clear()
    stage.scratch.write("src/changed", "by somebody else\n")
    person.unchanged()
    return person.ledger.violations


def rows_changed(stage, sql):
    """Rows after the last reconcile."""
    stage.bench.session(sql, stage.database)
    stage.bench.session("SELECT 1", "postgres")
    violations = []
    stage.rows(violations, stage.judge())
    stage.run("reconcile", "--allow-removals", "1000000")
    return violations


def run(work):
    """The number of plants that were not noticed, as an exit status."""
    bench, missed, count = Bench(work, "calibration"), 0, 0

    def check(name, wanted, found):
        nonlocal missed, count
        count += 1
        kinds = {text.split(":", 1)[0] for text in found}
        if (wanted in kinds) if wanted else not found:
            return
        missed += 1
        print(f"{name}: wanted {wanted or 'nothing'}, found {found[:3]}", flush=True)

    try:
        stage, person = quiet(bench)
        check("the quiet repository", None, stage.finish())
        for number, (name, kind, plant) in enumerate(PLANTS):
            made = Plant(stage, f"{bench.folder}/p{number}")
            plant(made)
            check(name, kind, made.judge())
        for name, path in (("a lock left over", ".git/index.lock"),
                           ("a temporary file left over", f"{TREE}/decisions/.moha-1-2.tmp")):
            stage.scratch.write(path, "")
            check(name, "LEFT", stage.left_over())
            os.unlink(f"{stage.folder}/{path}")
        check("a person's file changed", "PERSON", changed_meanwhile(stage, person))
        for name, sql in (
            ("a row changed", "UPDATE maven_decisions SET confidence = 12 WHERE id = (SELECT max(id) FROM "
                              "maven_decisions)"),
            ("a row missing", "DELETE FROM maven_memory WHERE id = (SELECT max(id) FROM maven_memory)"),
            ("a row twice", "INSERT INTO maven_memory (event_type, description, created_at) SELECT event_type, "
                            "description, now() - interval '1 hour' FROM maven_memory WHERE id = (SELECT max(id) FROM maven_memory)"),
        ):
            check(name, "ROWS", rows_changed(stage, sql))
        stage.counts_rebirths = True
        identity = json.loads(stage.scratch.read(IDENTITY))
        identity["rebirth_count"] = 1
        stage.scratch.write(IDENTITY, json.dumps(identity, indent=2))
        stage.scratch.git("commit", "-q", "-a", "-m", "a rebirth less")
        violations = []
        stage.rows(violations, stage.judge())
        check("a rebirth that was not counted", "COUNTER", violations)
        stage.drop()
    finally:
        bench.close()
    print(f"mixed: {count} plants, {missed} not noticed")
    return 1 if missed else 0
