"""Runs a program under the tracer in a process of its own, and pauses or kills it at one system call.

The tracer waits for every child of its process, so whoever has other children starts it here. A paused program has
not made the call at which it stands; its other threads stand still too as soon as they reach a call of the tracer's.
"""

import json
import os
import subprocess
import sys

import tracer

# Calls that change something, or say who does; `openat` only where it makes a file.
CHANGING = ["openat", "write", "pwrite64", "fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "link",
            "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "ftruncate", "flock"]


class Paused:
    """A program that runs until a call, stands there, and goes on when it is told to.

    `fault` is `CALL:N`; with `action` KILL the program dies there instead. Without a fault its calls are listed.
    """

    def __init__(self, arguments, environment, cwd, fault=None, action="PAUSE", calls=None, timeout=60, work="/tmp"):
        self.outputs = [f"{work}/paused-{os.getpid()}-{id(self):x}-{name}" for name in ("out", "err")]
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._tell({"arguments": arguments, "environment": environment, "cwd": cwd, "fault": fault, "action": action,
                    "calls": calls, "timeout": timeout, "outputs": self.outputs})
        self.outcome = None

    def _tell(self, value):
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def reached(self):
        """Waits until it stands at its call, or has ended. Whether it stands."""
        line = self.process.stdout.readline()
        if line == "paused\n":
            return True
        self.outcome = json.loads(line or "{}")
        return False

    def finish(self):
        """Lets it go on, and waits for its end. Returns the outcome: status, stdout, stderr, hit, calls."""
        if self.outcome is None:
            try:
                self._tell("go on")
            except BrokenPipeError:
                pass
            line = self.process.stdout.readline()
            if line == "paused\n":
                line = self.process.stdout.readline()
            self.outcome = json.loads(line or "{}")
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        texts = []
        for path in self.outputs:
            try:
                with open(path, "rb") as file:
                    texts.append(file.read().decode("utf-8", "replace"))
                os.unlink(path)
            except FileNotFoundError:
                texts.append("")
        self.outcome["stdout"], self.outcome["stderr"] = texts
        return self.outcome

    def kill(self):
        """Ends the program by force, wherever it stands: it goes with its tracer."""
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        for path in self.outputs:
            if os.path.exists(path):
                os.unlink(path)


def main():
    told = json.loads(sys.stdin.readline())

    def pause(_):
        print("paused", flush=True)
        sys.stdin.readline()

    kills = told["action"] == "KILL"
    fault = tracer.Fault(f"{told['fault']}:KILL") if told["fault"] else None
    outcome = tracer.run(
        told["arguments"], told["environment"], told["cwd"], *told["outputs"], fault=fault, calls=told["calls"],
        records=told["calls"] is not None, timeout=told["timeout"], on_hit=None if kills else pause)
    calls = [[call.name, call.number, call.about] for call in outcome.calls]
    print(json.dumps({"status": outcome.status, "hit": outcome.hit, "late": outcome.timed_out, "calls": calls,
                      "seconds": outcome.seconds}), flush=True)


if __name__ == "__main__":
    main()
