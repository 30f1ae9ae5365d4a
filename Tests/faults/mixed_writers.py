"""The writers of the mixed run: the command line and MCP clients, killed, stopped and slowed down.

Each writer is a thread that starts processes of the real program one after another, or talks to a server. What it
sends and what is answered is kept in entries, and an answer that names a commit is looked up at once.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import harness
from mixed_oracle import outline
from mixed_paused import Paused
from mixed_records import WRITER, Answer, Entry, Objects, person_of

sys.path.insert(0, os.path.join(harness.TOP, "Tests", "clients"))
import wire  # noqa: E402
from programs import CheckFailed, Command, HTTPServer  # noqa: E402

#: Answers that say that nothing was written, and that trying again is all there is to do.
BUSY = {"git-locked", "locked"}
CALLS = ["rename", "renameat", "renameat2", "linkat", "unlink", "unlinkat", "fsync", "openat", "write", "flock"]


class Traffic:
    """What all writers of one repository share: entries, keys, counts."""

    def __init__(self, work, prefix, objects_folder, url=None, redis=None):
        self.work, self.prefix, self.url, self.redis = work, prefix, url, redis
        self.lock = threading.Lock()
        self.entries, self.keyed, self.violations = [], [], []
        self.kills = self.stops = 0
        #: Answers that were no success, by code; commands beside the writers by name and exit code.
        self.refusals, self.commands = {}, {}
        self.environment = {**work.environment, **person_of(WRITER)}
        self.objects = Objects(objects_folder, self.environment)
        # Where the disk is full, or something else is broken outside of the program, every error is honest.
        self.forgives_errors = False

    def new(self, kind, generator, folder, key=None, rebirth=False):
        with self.lock:
            entry = Entry(kind, f"{self.prefix}.{len(self.entries)}", key, rebirth)
            entry.folder = folder
            self.entries.append(entry)
            if key:
                self.keyed.append(entry)
            return entry

    def acknowledged(self):
        return sum(1 for entry in self.entries if entry.acknowledged and not entry.is_other_content)

    def line(self, *arguments, root=None):
        """A command line of the program."""
        options = ["--json", "--database", self.url or "postgresql://postgres@/none?host=/nonexistent"]
        if self.redis:
            options += ["--redis", self.redis]
        return [self.work.binary, *arguments, *options, *(["--root", root] if root else [])]

    def answered(self, entry, status, value):
        """Keeps an answer, looks whether the commit that it names holds the entry, and judges a refusal."""
        answer = Answer.of(status, value, time.monotonic())
        if answer.success and answer.commit:
            found = self.objects.read(f"{answer.commit}:{answer.path}")
            if found is None or entry.end not in found[2]:
                entry.false_claims.append(answer)
        with self.lock:
            entry.answers.append(answer)
        if not answer.success and (status is None or status >= 0):
            self.refused(entry, answer, value)
        return answer

    def refused(self, entry, answer, value):
        """Nothing but a lock of git's, or what is broken outside, refuses a record."""
        code = answer.code or f"status {answer.status}"
        with self.lock:
            self.refusals[code] = self.refusals.get(code, 0) + 1
        if code in BUSY or self.forgives_errors or entry.key and code == "conflict":
            return
        if entry.kind == "identity" and code == "invalid-request":
            return  # Nothing can be merged into an identity.json that is no JSON.
        self.violation(f"REFUSED: {entry} with {answer.status} {code}: {str(value)[:300]}")

    def count(self, command, status):
        with self.lock:
            name = f"{command} {status}"
            self.commands[name] = self.commands.get(name, 0) + 1

    def violation(self, text):
        with self.lock:
            self.violations.append(text)


class Writer(threading.Thread):
    """Sends entries until `enough()`; `way` is how: see `ways`."""

    KINDS = ["decision", "decision", "event", "event", "event", "milestone", "snapshot", "identity", "rebirth"]

    def __init__(self, traffic, folder, generator, enough, ways, kinds=None, keys=0.3):
        super().__init__(daemon=True)
        self.traffic, self.folder, self.generator, self.enough = traffic, folder, generator, enough
        self.ways, self.kinds, self.keys = ways, kinds or type(self).KINDS, keys

    def run(self):
        try:
            while not self.enough():
                entry = self.draw()
                for attempt in range(12):
                    way = self.generator.choice(self.ways) if attempt < 3 else "plain"
                    answer = getattr(self, way)(entry)
                    # Without a key nobody knows whether it was written: sent once.
                    if entry.key is None or answer is not None and answer.success or self.enough():
                        break
                    if answer is not None and answer.code == "conflict":
                        break
        except Exception as error:  # A fault of this file is a failure, not the end of a thread.
            self.traffic.violation(f"harness: writer: {type(error).__name__}: {error}")
        finally:
            self.close()

    def close(self):
        pass

    def draw(self):
        """The next entry: a new one, or a key that was used, with the same content or with another."""
        generator, traffic = self.generator, self.traffic
        with traffic.lock:
            keyed = [entry for entry in traffic.keyed if not entry.is_other_content and entry.folder == self.folder
                     and self.can_send(entry.kind)]
        draw = generator.random()
        if keyed and draw < self.keys * 0.3:
            return generator.choice(keyed[-6:])
        kind = generator.choice(self.kinds)
        if keyed and draw < self.keys * 0.5:
            known = generator.choice(keyed[-6:])
            other = Entry(known.kind, "", known.key)
            other = traffic.new(known.kind, generator, self.folder, rebirth=False)
            other.key, other.rival = known.key, known
            # Only where the first was answered before this one is sent must this one be refused.
            other.is_other_content = bool(known.acknowledged)
            return other
        rebirth = kind == "rebirth"
        if rebirth:
            kind = generator.choice(["event", "identity"]) if self.can_send("snapshot") else "event"
        key = f"key-{traffic.prefix}-{len(traffic.entries)}" if generator.random() < self.keys else None
        return traffic.new(kind, generator, self.folder, key, rebirth)

    def can_send(self, kind):
        return True

    # Ways

    def _start(self, arguments):
        return subprocess.Popen(
            arguments, cwd=self.folder, env=self.traffic.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)

    def _end(self, entry, process):
        """Waits for the answer of a process and keeps it; None where it never came."""
        timeout = harness.patience(60)
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._kill(process)
            process.communicate()
            self.traffic.violation(f"HANG: {entry} was not answered within {timeout:.0f} s")
            return None
        return self._answered(entry, process.returncode, output, errors)

    def _answered(self, entry, status, output, errors=b""):
        try:
            value = json.loads(output)
        except ValueError:
            value = None
        if value is None and status is not None and status < 0 or status in (137, 143):
            if value is None:
                return None
        answer = self.traffic.answered(entry, status, value)
        if status is not None and status < 0 and -status not in (signal.SIGKILL, signal.SIGTERM):
            self.traffic.violation(f"CRASH: {entry} ended by signal {-status}: {errors[-300:]!r}")
        return answer

    @staticmethod
    def _kill(process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def plain(self, entry):
        entry.begin()
        return self._end(entry, self._start(self.traffic.line(*entry.arguments)))

    def slow(self, entry):
        """On a disk that takes its time for every synchronisation."""
        entry.begin()
        delay = self.generator.randrange(5_000, 50_000)
        process = self._start(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync,syncfs", "-e",
             f"inject=fsync,fdatasync,syncfs:delay_enter={delay}", *self.traffic.line(*entry.arguments)])
        return self._end(entry, process)

    def slow_and_killed(self, entry):
        entry.begin()
        process = self._start(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync,syncfs", "-e",
             "inject=fsync,fdatasync,syncfs:delay_enter=20000", *self.traffic.line(*entry.arguments)])
        return self._killed_after(entry, process, self.generator.random() * 0.8)

    def killed(self, entry):
        entry.begin()
        return self._killed_after(
            entry, self._start(self.traffic.line(*entry.arguments)), self.generator.random() * 0.15)

    def _killed_after(self, entry, process, seconds):
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._kill(process)
            output, errors = process.communicate()
            with self.traffic.lock:
                self.traffic.kills += 1
        return self._answered(entry, process.returncode, output, errors)

    def struck(self, entry):
        """Killed at a counted system call."""
        entry.begin()
        call = self.generator.choice(CALLS)
        number = self.generator.randrange(1, 60 if call in ("openat", "write") else 25)
        paused = Paused(self.traffic.line(*entry.arguments), self.traffic.environment, self.folder,
                        f"{call}:{number}", "KILL", work=self.traffic.work.path)
        outcome = paused.finish()
        if outcome.get("hit"):
            with self.traffic.lock:
                self.traffic.kills += 1
        return self._answered(entry, outcome.get("status"), outcome["stdout"].encode(), outcome["stderr"].encode())

    def stopped(self, entry):
        """Stands still for a while, and goes on."""
        entry.begin()
        process = self._start(self.traffic.line(*entry.arguments))
        for _ in range(self.generator.randrange(1, 3)):
            try:
                process.wait(self.generator.random() * 0.1)
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGSTOP)
                with self.traffic.lock:
                    self.traffic.stops += 1
                time.sleep(0.05 + self.generator.random() * 0.3)
                os.killpg(process.pid, signal.SIGCONT)
        return self._end(entry, process)

    def twice(self, entry):
        """The same key from two processes at once."""
        if entry.key is None:
            return self.plain(entry)
        entry.begin()
        entry.begin()
        both = [self._start(self.traffic.line(*entry.arguments)) for _ in range(2)]
        answers = [self._end(entry, process) for process in both]
        return max(answers, key=lambda answer: answer is not None and answer.success)


class Client(Writer):
    """An MCP client of a server of its own, which is sometimes killed under its hands."""

    KINDS = ["decision", "event", "milestone", "identity"]

    def __init__(self, transport, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.transport, self.server, self.session, self.number = transport, None, None, 10
        self.was_killed = False

    def can_send(self, kind):
        return kind != "snapshot"

    def close(self):
        if self.server is not None:
            if self.session is not None:
                self.session.connection.close()
            self.server.__exit__(None, None, None)
            self.server = self.session = None

    def _open(self):
        if self.server is not None:
            return
        command = {"stdio": "mcp", "http": "serve"}[self.transport]
        made = Command(self.traffic.line(command, root=self.folder), self.traffic.environment, self.folder)
        if self.transport == "http":
            self.server = HTTPServer(made)
            self.session = wire.Session(wire.Connection(self.server.port, harness.patience(60)))
        else:
            self.server = wire.StdioServer(made)
            self.server.call(wire.initialize())
            self.server.send(wire.INITIALIZED)

    def plain(self, entry):
        entry.begin()
        return self._call(entry)

    def killed(self, entry):
        entry.begin()
        self._open()
        process = self.server.process

        def kill():
            self.was_killed = True
            process.kill()

        timer = threading.Timer(self.generator.random() * 0.12, kill)
        timer.start()
        try:
            return self._call(entry)
        finally:
            timer.cancel()
            timer.join()
            if self.was_killed:
                process.wait()
                with self.traffic.lock:
                    self.traffic.kills += 1
                self.close()
                self.was_killed = False

    def stopped(self, entry):
        entry.begin()
        self._open()
        process = self.server.process

        def stand():
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            process.send_signal(signal.SIGCONT)

        timer = threading.Timer(self.generator.random() * 0.08, stand)
        timer.start()
        with self.traffic.lock:
            self.traffic.stops += 1
        try:
            return self._call(entry)
        finally:
            timer.join()

    slow = twice = struck = slow_and_killed = plain

    def _call(self, entry):
        name, arguments = entry.tool
        self.number += 1
        message = wire.request("tools/call", {"name": name, "arguments": arguments}, self.number)
        try:
            self._open()
            if self.session is None:
                reply, _ = self.server.call(message, harness.patience(60))
            else:
                response = self.session.connection.post(wire.compact(message), self.session.headers)
                if response is None:
                    raise CheckFailed("the connection ended")
                reply = next((each for each in response.messages if each.get("id") == self.number), None)
                if reply is None:
                    raise CheckFailed(f"status {response.status} without the answer, but with {response.messages}")
        except (CheckFailed, OSError, ValueError) as error:
            if not self.was_killed:
                self.traffic.violation(f"HANG: {entry} over {self.transport}: {error}")
            self.close()
            return None
        result = reply.get("result") or {}
        value = result.get("structuredContent")
        if value is None:
            try:
                value = json.loads(result["content"][0]["text"])
            except (KeyError, IndexError, ValueError):
                value = {"error": {"code": f"rpc {reply.get('error') or reply}"}}
        answer = self.traffic.answered(entry, 0 if not result.get("isError") else None, value)
        return answer


class Keeper(threading.Thread):
    """Runs the commands beside the writers: commit, tick, rotation, reconcile."""

    def __init__(self, traffic, folder, generator, commands, pause=0.4):
        super().__init__(daemon=True)
        self.traffic, self.folder, self.generator, self.commands = traffic, folder, generator, commands
        self.pause, self.stopping = pause, threading.Event()

    def run(self):
        while not self.stopping.wait(self.generator.random() * self.pause):
            self.once(self.generator.choice(self.commands))

    def once(self, arguments):
        timeout = harness.patience(90)
        try:
            done = subprocess.run(
                self.traffic.line(*arguments), cwd=self.folder, env=self.traffic.environment, capture_output=True,
                stdin=subprocess.DEVNULL, timeout=timeout)
        except subprocess.TimeoutExpired:
            return self.traffic.violation(f"HANG: {' '.join(arguments)} did not end within {timeout:.0f} s")
        self.traffic.count(" ".join(arguments), done.returncode)
        ran = harness.Ran(done.returncode, *(text.decode("utf-8", "replace") for text in (done.stdout, done.stderr)), 0)
        # A rotation leaves a log alone that somebody has changed.
        if arguments[0] == "log" and "changed-meanwhile" in ran.stdout:
            return
        # 1 and 2 say that something is wrong with the run itself.
        if done.returncode < 0 or done.returncode in (1, 2) and not self.traffic.forgives_errors:
            self.traffic.violation(f"FAILED: {' '.join(arguments)}: {outline(ran)}")

    def finish(self):
        self.stopping.set()
        if self.ident is not None:
            self.join(harness.patience(120))


class Breaker(threading.Thread):
    """Kills and stops Postgres and Redis, or fills the disk, until told to stop."""

    def __init__(self, generator, strokes):
        super().__init__(daemon=True)
        self.generator, self.strokes = generator, strokes
        self.stopping, self.count = threading.Event(), 0

    def run(self):
        while not self.stopping.wait(self.generator.random() * 0.8):
            begin, end = self.generator.choice(self.strokes)
            begin()
            self.count += 1
            self.stopping.wait(0.1 + self.generator.random() * 0.6)
            end()

    def finish(self):
        self.stopping.set()
        if self.ident is not None:
            self.join(harness.patience(60))


def server_strokes(server):
    """A Postgres that is killed, and one that hangs."""
    stopped = []

    def kill():
        server.kill()

    def stop():
        stopped[:] = [server.process.pid] + server.processes()
        for pid in stopped:
            harness.signalled(pid, signal.SIGSTOP)

    def go_on():
        for pid in stopped:
            harness.signalled(pid, signal.SIGCONT)

    return [(kill, server.start), (stop, go_on)]


class Redis:
    """A private server on a Unix socket."""

    def __init__(self, work, name):
        self.folder, self.process = work.folder(name), None
        self.start()

    @property
    def url(self):
        return f"unix://{self.folder}/socket"

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", f"{self.folder}/socket", "--dir", self.folder, "--save", "",
             "--maxmemory-policy", "noeviction"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def strokes(self):
        return [(self.kill, self.start),
                (lambda: self.process.send_signal(signal.SIGSTOP), lambda: self.process.send_signal(signal.SIGCONT))]
