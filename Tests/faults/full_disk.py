#!/usr/bin/env python3
"""Runs write commands on a small tmpfs that fills up, with room for 0, 1, 2 … pages more, then frees it and checks.

Also with room for 0, 1, 2 … files. Nothing is injected: the errors are the kernel's own. Needs root and mount; where
they are missing it says so and passes.
"""

import os
import random
import subprocess
import sys
import time

import harness
from checker import Checker, Write
from harness import Scratch
from sweep import written_by_hand

COMMANDS = ["decision", "event", "milestone", "identity", "rebirth", "commit"]


class Disk:
    def __init__(self, work):
        self.path = f"{work.path}/disk"
        os.mkdir(self.path)

    def mount(self):
        """Why it cannot be mounted; None where it is."""
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=2000", "tmpfs", self.path], capture_output=True, text=True)
        return done.stderr.strip() or f"mount: status {done.returncode}" if done.returncode else None

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], capture_output=True)

    def fill(self, pages=None, files=None):
        """Leaves room for so many pages, or so many files."""
        os.mkdir(f"{self.path}/filler")
        if files is not None:
            left = os.statvfs(self.path).f_favail
            for number in range(max(0, left - files)):
                open(f"{self.path}/filler/{number}", "w").close()
        else:
            with open(f"{self.path}/filler/bytes", "wb") as file:
                left = os.statvfs(self.path).f_bavail
                file.write(b"x" * 4096 * max(0, left - pages))

    def free(self):
        subprocess.run(["rm", "-rf", f"{self.path}/filler"], check=True)


def main():
    options = harness.parser(__doc__)
    options.add_argument("--seconds", type=float, default=35, help="how long to go on (default: 35)")
    options.add_argument("--case", help="this one only: COMMAND:pages:N or COMMAND:files:N")
    options = harness.parse(options)
    generator = random.Random(options.seed)
    work = harness.Work(options)
    disk = Disk(work)
    reason = harness.own_mounts() or disk.mount()
    if reason:
        print(f"skipped: no tmpfs can be mounted here ({reason})")
        return 0
    disk.unmount()
    template = Scratch.make(work, f"{work.path}/r")
    assert template.run(*Write("event", "first", key="first").arguments).status == 0
    cases = [f"{command}:{what}:{room}" for command in COMMANDS for what, rooms in (("pages", 48), ("files", 32))
             for room in range(rooms)]
    generator.shuffle(cases)
    start, tried, refused, failed = time.monotonic(), 0, 0, 0
    for case in [options.case] if options.case else cases:
        if time.monotonic() - start > options.seconds and not options.case:
            break
        command, what, room = case.split(":")
        disk.mount()
        try:
            scratch = template.copy(f"{disk.path}/r")
            write = None
            if command == "commit":
                written_by_hand(scratch)
            else:
                kind = "event" if command == "rebirth" else command
                write = Write(kind, f"full-{command}", f"key-{command}", rebirth=command == "rebirth")
            checker = Checker(scratch)
            disk.fill(**{what: int(room)})
            ran = scratch.run(*(write.arguments if write else ["commit"]))
            tried += 1
            refused += 1 if ran.status else 0
            writes = [write] if write else []
            if write:
                write.take(ran.status, ran.json)
                if ran.status == 0 and write.answer is None:
                    checker.fail("I10", f"exit 0 without an answer: {ran}")
            checker.at_once(writes)
            if ran.status and not (ran.json or {}).get("error", {}).get("code"):
                checker.fail("answer", f"no error in JSON: {ran}")
            disk.free()
            violations = checker.recovered(writes, [write] if write else [["commit"]])
        finally:
            disk.unmount()
        if violations:
            failed += 1
            print(f"{case}: exit {ran.status}, {(ran.json or {}).get('error')}")
            for text in violations:
                print(f"  {text}")
            print(f"  again: python3 Tests/faults/full_disk.py --case {case}", flush=True)
    print(f"full_disk: {tried} runs, {refused} of them without room, {failed} with violations")
    return 1 if failed or tried == 0 or refused == 0 and not options.case else 0


if __name__ == "__main__":
    sys.exit(main())
