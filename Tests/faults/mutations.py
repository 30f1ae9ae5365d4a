#!/usr/bin/env python3
"""Takes away one synchronisation, lock or check at a time, and asks the fault tests to notice.

Works in a copy of the sources, which it changes, builds, and puts back:

    cp -a . ../copy
    python3 Tests/faults/mutations.py --source ../copy --build "swift build --product moha-sync"

Prints a table: what was taken away, and which test noticed. Exit status 1 when nothing noticed one of them.
"""

import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = "Sources/Persistence/WorkTreeFile.swift"
WRITING = "Sources/Persistence/Writing"

ORDER = "sync_order.py --seed 1"
SECRETS = "planted_secrets.py --seed 1"
CROWD = "concurrency.py --seed 1 --only crowd --writes 8"


def sweep(command, *points):
    return f"sweep.py --seed 1 --command {command} " + " ".join(f"--point {point}" for point in points)


# Name, file, what is there, what is put in its place, and the tests that should notice.
MUTATIONS = [
    ("sync of a record's bytes", FILE, 'guard fsync(file) == 0 else { throw failure("sync") }\n      try install',
     "try install", [ORDER]),
    ("sync of a new record's folder", FILE,
     'unlinkat(folder, temporary, 0)\n      }\n      guard fsync(folder) == 0 else { throw failure("sync the folder of") }',
     "unlinkat(folder, temporary, 0)\n      }", [ORDER]),
    ("sync of identity.json's folder", FILE,
     'throw failure("replace") }\n      }\n      guard fsync(folder) == 0 else { throw failure("sync the folder of") }',
     'throw failure("replace") }\n      }', [ORDER]),
    ("sync of the log", FILE,
     'try writeAll(bytes, to: file, at: offset)\n        guard fsync(file) == 0 else { throw failure("sync") }',
     "try writeAll(bytes, to: file, at: offset)", [ORDER]),
    ("sync of the journal", f"{WRITING}/WriteJournal.swift", "content.isEmpty ? .volatile : .durable", ".volatile",
     [ORDER]),
    ("sync of an idempotency key", f"{WRITING}/IdempotencyKeys.swift", "through: temporary, durability)",
     "through: temporary, .volatile)", [ORDER]),
    ("sync of git's objects and refs", "Sources/Git/Library.swift", "moha_git_enable_fsync_gitdir(1)",
     "moha_git_enable_fsync_gitdir(0)", [ORDER]),
    ("sync of the folder of objects", "Sources/Git/Repository+Commit.swift", "    try objects.synchronize()\n", "", [ORDER]),
    ("sync of what git left in memory", "Sources/Git/Repository+Commit.swift",
     "if let parent, parent != durable { try objects.synchronizeFileSystem() }", "", [ORDER]),
    ("sync of the index", "Sources/Git/Repository+Index.swift", "    try file.synchronize(operation)\n", "", [ORDER]),
    ("lock of the tree and of commits", f"{WRITING}/FileLock.swift", "while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {",
     "while descriptor < 0 {", [CROWD]),
    ("lock of git's writers", "Sources/Git/WriterLock.swift", "while flock(opened.number, LOCK_EX | LOCK_NB) != 0 {",
     "while opened.number < 0 {", [ORDER]),
    ("HEAD.lock", "Sources/Git/Repository+Commit.swift",
     "      headLock = try GitLock(of: targets.head, writer, until: deadline)\n    }\n    guard try",
     "    }\n    guard try", [ORDER]),
    ("scan for secrets", f"{WRITING}/SecretGate.swift", "let found = scanner.scan(bytes, allowing: allowList)",
     "let found: [SecretFinding] = []", [SECRETS]),
    ("scan of an event's type", f"{WRITING}/WorkTreeWriter.swift",
     "      try gate.check(label: event.type)\n", "", [SECRETS]),
    ("counter of decisions", f"{WRITING}/WorkTreeWriter.swift", "      counted = try counting()\n", "      counted = nil\n",
     ["concurrency.py --seed 1 --only worktrees --writes 16"]),
    ("recovery of killed writers", f"{WRITING}/WorkTreeWriter.swift", "guard !abandoned.isEmpty else { return }",
     "guard abandoned.isEmpty else { return }",
     [sweep("decision-key", "linkat:1:KILL", "renameat:1:KILL", "rename:2:KILL")]),
    ("count of a killed rebirth", f"{WRITING}/WorkTreeWriter.swift", "          try await countRebirth(of: entry)\n", "",
     [sweep("rebirth", "renameat:1:KILL")]),
    ("removal of temporary files", f"{WRITING}/WorkTreeWriter.swift", 
     "      for path in entry.paths { try WorkTreeFile(workTree: workTree, path: path).removeTemporaries() }\n", "",
     [sweep("decision-key", "linkat:1:KILL", "unlinkat:1:KILL") + " --choice 1"]),
    ("temporary files are no records", f"{WRITING}/AutomaticCommit.swift", "if journal != nil, !temporary.isEmpty {",
     "if journal != nil, temporary.count < 0 {", [sweep("commit", "fsync:1:KILL")]),
    ("giving up a failed write", f"{WRITING}/WorkTreeWriter.swift",
     "the next run finds out.\n      journal.abandon(entry)", "the next run finds out.\n      journal.remove([entry])",
     [sweep("decision-key", "fsync:4:EIO") + " --choice 1"]),
    ("stale locks of killed commits", "Sources/Git/Repository+StaleLocks.swift",
     "    if lock.isSameFile(as: writer.identity) {\n      reason = .deadWriter", "    if lock.size < 0 {\n      reason = .deadWriter",
     [sweep("decision", "unlink:9:KILL", "unlink:10:KILL", "unlink:8:KILL") + " --choice 0"]),
    ("HEAD is read again", "Sources/Git/Repository+Commit.swift", "guard now.commit == commit.id else {",
     "guard now.commit == commit.id || true else {", ["full_disk.py --seed 1 --seconds 60"]),
    ("comparing before the branch moves", "Sources/Git/RepositoryHandle+Commit.swift",
     "&moved, repository, reference, &target, old == nil ? 0 : 1, &expected, message)",
     "&moved, repository, reference, &target, 1, nil, message)", [CROWD]),
    ("HEAD is compared under the locks", "Sources/Git/Repository+Commit.swift",
     "guard try handle.head() == head, try pendingReason() == nil else { return nil }",
     "guard try pendingReason() == nil else { return nil }", [CROWD]),
    ("bounded wait for the row", f"{WRITING}/RowProjection.swift", ".milliseconds(1_200)", ".seconds(20)",
     ["postgres_faults.py --seed 1 --seconds 0"]),
    ("reading again while a file changes", "Sources/Persistence/Survey.swift",
     "where error.code == .changedWhileReading {", "where error.code == .changedWhileReading && earlier != nil {", [CROWD]),
]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--source", required=True, help="a copy of the project, which is changed and put back")
    options.add_argument("--build", default="swift build --product moha-sync", help="run in --source to build it")
    options.add_argument("--binary", default=None, help="what the build makes (default: .build/debug/moha-sync there)")
    options.add_argument("--only", action="append", help="mutations whose name holds this text")
    options.add_argument("--list", action="store_true", help="print the names; checks that each still fits the sources")
    options = options.parse_args()
    source = os.path.abspath(options.source)
    binary = options.binary or f"{source}/.build/debug/moha-sync"
    chosen = [each for each in MUTATIONS if not options.only or any(text in each[0] for text in options.only)]
    rows, missed = [], 0
    for name, path, old, new, tests in chosen:
        with open(f"{source}/{path}") as file:
            text = file.read()
        if text.count(old) != 1:
            rows.append((name, "does not fit the sources any more", 0))
            missed += 1
            continue
        if options.list:
            print(name)
            continue
        start = time.monotonic()
        try:
            with open(f"{source}/{path}", "w") as file:
                file.write(text.replace(old, new))
            built = subprocess.run(options.build, shell=True, cwd=source, capture_output=True, text=True)
            if built.returncode != 0:
                result = f"does not build: {(built.stdout + built.stderr)[-300:]}"
                missed += 1
            else:
                result = noticed(tests, binary)
                missed += 1 if result is None else 0
        finally:
            with open(f"{source}/{path}", "w") as file:
                file.write(text)
        rows.append((name, result or "MISSED", time.monotonic() - start))
        print(f"{rows[-1][2]:6.0f} s  {name}: {rows[-1][1]}", flush=True)
    print("\n| taken away | noticed by |\n|---|---|")
    for name, result, _ in rows:
        print(f"| {name} | {result} |")
    print(f"mutations: {len(rows)}, {missed} not noticed")
    return 1 if missed else 0


def noticed(tests, binary):
    for test in tests:
        script, *arguments = test.split(" ")
        done = subprocess.run(
            [sys.executable, f"{HERE}/{script}", *arguments, "--binary", binary], capture_output=True, text=True)
        if done.returncode != 0:
            lines = [line.strip() for line in done.stdout.split("\n") if line.strip() and not line.startswith("seed")]
            what = next((line for line in lines if ": " in line and "points" not in line), done.stderr.strip()[-200:])
            return f"`{script}` ({what[:110]})"
    return None


if __name__ == "__main__":
    sys.exit(main())
