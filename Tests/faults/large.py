"""Kills `sync` and `reconcile` at many moments of a run over a large tree, while decisions are recorded.

Failure case 19: at 100,000 records, after kill -9 at any moment the next run converges unaided, what was acknowledged
is in git and in the database, and nothing is there twice.
"""

import os
import random
import signal
import subprocess
import sys
import time

import harness


def main():
    options = harness.parser(__doc__)
    options.add_argument("--records", type=int, default=100_000, help="decisions in the tree (default: 100000)")
    options.add_argument("--kills", type=int, default=4, help="runs of each command that are killed (default: 4)")
    options.add_argument("--generator", default=f"{harness.TOP}/.build/debug/moha-generate")
    read = harness.parse(options)
    chosen = random.Random(read.seed)
    work = harness.Work(read)
    server = harness.Postgres(work)
    session = harness.Session(server)
    session("CREATE DATABASE large")
    scratch = harness.Scratch(work, f"{work.path}/r", server.url("large"))
    make(scratch, read)
    problems = []

    def expect(holds, text):
        if not holds:
            problems.append(text)
            print(f"VIOLATION {text} (--seed {read.seed})", flush=True)

    # How long a whole run takes is how far the kills are spread.
    length = run(scratch, "sync", None)
    rounds = [("sync", index) for index in range(read.kills)] + [("reconcile", index) for index in range(read.kills)]
    acknowledged = []
    for command, index in rounds:
        if command == "sync":
            session("DROP DATABASE large WITH (FORCE)")
            session("CREATE DATABASE large")
        else:
            session("UPDATE maven_decisions SET confidence = 1 WHERE id % 20 = 0; "
                    "DELETE FROM maven_decisions WHERE id % 50 = 7", "large")
            session("SELECT 1", "postgres")
        moment = length * (index + chosen.random()) / read.kills
        run(scratch, command, moment)
        written = scratch.run("record", "decision", "--type", "hold", "--action", f"after kill {len(acknowledged)}",
                              "--reasoning", "none", "--confidence", "50", "--risk", "low")
        expect(written.status == 0, f"record after {command} killed at {moment:.1f} s: {written}")
        if written.json:
            acknowledged.append(written.json["data"]["path"])
        again = scratch.run(command, timeout=600)
        expect(again.status == 0, f"{command} after a kill at {moment:.1f} s: {again}")
        proof = scratch.run("verify", timeout=600)
        expect(proof.status == 0 and proof.json["in_sync"], f"verify after {command} killed at {moment:.1f} s: {proof}")
        count = read.records + len(acknowledged)
        expect(proof.json["kinds"]["decisions"]["rows"] == count, f"{proof.json['kinds']['decisions']}, not {count} rows")
        print(f"{command} killed after {moment:.1f} s of {length:.1f} s: {'converged' if not problems else 'see above'}",
              flush=True)
    head = set(scratch.git("ls-tree", "-r", "--name-only", "HEAD").split("\n"))
    for path in acknowledged:
        expect(path in head, f"{path} was acknowledged and is not in HEAD")
    session.close()
    print(f"{len(rounds)} kills at {read.records} records, {len(problems)} violations")
    return 1 if problems else 0


def make(scratch, read):
    """The tree of the generator, checked out: dated folders, one pack."""
    os.makedirs(scratch.path)
    scratch.git("init", "-q", "--initial-branch=main", "--template=")
    stream = subprocess.run([read.generator, "fast-import", str(read.records), "dated", "--events", "100"],
                            check=True, capture_output=True).stdout
    scratch.git("fast-import", "--quiet", stdin=stream)
    scratch.git("repack", "-adq")
    scratch.git("reset", "-q", "--hard")


def run(scratch, command, moment):
    """Runs to the end, or kills the process at that moment. Returns how long it ran."""
    start = time.monotonic()
    process = subprocess.Popen(scratch.arguments(command), cwd=scratch.path, env=scratch.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
