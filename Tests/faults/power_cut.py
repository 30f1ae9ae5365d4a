#!/usr/bin/env python3
"""Cuts the power of a file system while and after records are written.

An ext4 on a loop device is shut down by its own ioctl, at an answer or at a system call of the command; then it is
mounted anew, which replays its journal, and the checker compares it with what was acknowledged. With the log flushed,
names are there whose bytes were never synchronised; without, all since the last synchronisation is gone.

Needs root, loop devices and mount; where they are missing it says so and passes.
"""

import fcntl
import os
import random
import struct
import subprocess
import sys
import time

import harness
import tracer
from checker import Checker, Write
from harness import Scratch

SHUTDOWN = 0x8004587D
LOG_FLUSHED, LOG_LOST = 1, 2
CALLS = ["write", "pwrite64", "fsync", "rename", "renameat", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat"]
KINDS = [("decision", None, False), ("decision", "k", False), ("event", None, False), ("event", "k", False),
         ("milestone", "k", False), ("identity", "k", True), ("event", "k", True)]


class Disk:
    def __init__(self, work):
        self.work, self.path = work, f"{work.path}/mnt"
        os.mkdir(self.path)
        self.image, self.count, self.mounted = None, 0, False

    def run(self, *arguments, check=True):
        done = subprocess.run(arguments, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise OSError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def make(self):
        # A new file each time: the kernel may not have let go of the one before.
        self.count += 1
        self.image = f"{self.work.path}/disk{self.count}"
        with open(self.image, "wb") as file:
            file.truncate(48 << 20)
        self.run("mkfs.ext4", "-q", "-F", "-b", "4096", self.image)
        self.mount()

    def mount(self):
        self.run("mount", "-o", "loop", self.image, self.path)
        self.mounted = True

    def unmount(self):
        if self.mounted:
            self.run("umount", self.path)
            self.mounted = False

    def release(self):
        if self.mounted:
            self.run("umount", "-l", self.path, check=False)
            self.mounted = False
        if self.image:
            os.unlink(self.image)
            self.image = None

    def cut(self, how):
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", how))
        finally:
            os.close(descriptor)

    def check(self):
        """What e2fsck says after the journal has been replayed; empty when nothing."""
        self.unmount()
        done = self.run("e2fsck", "-fn", self.image, check=False)
        self.mount()
        return "" if done.returncode == 0 else done.stdout


def unsupported(disk):
    if tracer.supported():
        return tracer.supported()
    if os.geteuid() != 0:
        return "only root can mount"
    try:
        disk.make()
        disk.cut(LOG_LOST)
        return None
    except OSError as error:
        return f"no loop device with ext4 here ({error})"
    finally:
        disk.release()


def trial(number, disk, template, work, generator, kind, when, how):
    """One write and a cut: at its answer (`when` None), at one call, or some time after several answers."""
    disk.make()
    try:
        scratch = template.copy(f"{disk.path}/r")
        os.sync()
        checker = Checker(scratch)
        name, key, rebirth = kind
        count = 1 if when else generator.randrange(1, 4)
        writes = []
        for each in range(count):
            write = Write(name, f"cut-{number}-{each}", f"{key}-{number}-{each}" if key else None, rebirth)
            writes.append(write)
            fault = tracer.Fault(f"{when[0]}:{when[1]}:KILL") if when else None

            def on_hit(pid):
                disk.cut(how)
                os.kill(pid, 9)

            outcome = tracer.run(
                scratch.arguments(*write.arguments), scratch.environment, scratch.path, f"{work.path}/out",
                f"{work.path}/err", fault=fault, calls=CALLS, on_hit=on_hit)
            ran = harness.Ran(outcome.status, open(f"{work.path}/out").read(), "", outcome.seconds)
            write.take(ran.status, ran.json)
        if not when or not outcome.hit:
            disk.cut(how)
        disk.unmount()
        disk.mount()
        damage = disk.check()
        if damage:
            checker.fail("ext4", damage)
        if scratch.read(".git/HEAD") is None:
            checker.fail("I1", "the repository is gone")
            return checker.violations
        again = [write for write in writes if write.key]
        return checker.recovered(writes, again or [Write("event", f"after-{number}")])
    finally:
        disk.release()


def main():
    options = harness.parser(__doc__)
    options.add_argument("--seconds", type=float, default=40, help="how long to go on (default: 40)")
    options.add_argument("--trial", type=int, default=None, help="this trial of the seed only")
    options = harness.parse(options)
    work = harness.Work(options)
    disk = Disk(work)
    reason = harness.own_mounts() or unsupported(disk)
    if reason:
        print(f"skipped: {reason}")
        return 0
    template = Scratch.make(work, f"{work.path}/r")
    assert template.run(*Write("event", "first", key="first").arguments).status == 0
    # The calls of each kind of write, to choose from.
    points = {}
    for kind in KINDS:
        copy = template.copy(f"{work.path}/c")
        outcome = tracer.run(
            copy.arguments(*Write(kind[0], "points", kind[1], kind[2]).arguments), copy.environment, copy.path,
            f"{work.path}/out", f"{work.path}/err", calls=CALLS, records=True)
        assert outcome.status == 0
        points[kind] = [(call.name, call.number) for call in outcome.calls if copy.path in call.about]
        copy.remove()
    start, number, failed = time.monotonic(), 0, 0
    while time.monotonic() - start < options.seconds or number < 14:
        generator = random.Random(f"{options.seed}/{number}")
        kind = KINDS[number % len(KINDS)]
        when = generator.choice(points[kind]) if (number // len(KINDS)) % 2 else None
        how = generator.choice([LOG_FLUSHED, LOG_LOST])
        if options.trial is None or options.trial == number:
            violations = trial(number, disk, template, work, generator, kind, when, how)
            if violations:
                failed += 1
                flushed = "flushed" if how == LOG_FLUSHED else "lost"
                print(f"{kind[0]}{' with a key' if kind[1] else ''}, cut at {when or 'the answer'}, log {flushed}:")
                for text in violations:
                    print(f"  {text}")
                print(f"  again: python3 Tests/faults/power_cut.py --seed {options.seed} --trial {number}", flush=True)
            if options.trial is not None:
                break
        number += 1
    print(f"power_cut: {number} cuts in {time.monotonic() - start:.0f} s, {failed} with violations")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
