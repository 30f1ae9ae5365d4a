"""What the fault tests share: a private Postgres, scratch repositories, and running the program.

Everything lies in one folder that is removed at the end, on a memory file system where there is one: the tests run
thousands of commands that synchronise files. Servers are stopped by the process ids that were recorded when they
were started.
"""

import argparse
import atexit
import ctypes
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AGENT = "maven"
TREE = f".moha/{AGENT}"


def parser(description):
    """The options that every script of this folder has."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binary", default=f"{TOP}/.build/debug/moha-sync", help="the program (default: the debug build)")
    options.add_argument("--seed", type=int, default=None, help="of all random choices (default: a new one)")
    options.add_argument("--work", default=None, help="where the scratch folder is made")
    options.add_argument("--keep", action="store_true", help="leave the scratch folder")
    return options


def parse(options, arguments=None):
    """Reads the options, prints the seed, and ends with a message where the program is missing."""
    read = options.parse_args(arguments)
    if read.seed is None:
        read.seed = random.SystemRandom().randrange(1 << 32)
    read.binary = os.path.abspath(read.binary)
    if not os.access(read.binary, os.X_OK):
        sys.exit(f"{read.binary} cannot be run: build it with `swift build`, or name it with --binary")
    print(f"seed {read.seed}", flush=True)
    return read


class Work:
    """The scratch folder of one script."""

    def __init__(self, options):
        parent = options.work
        if parent is None:
            parent = "/dev/shm" if _free("/dev/shm") > 1 << 30 else "/tmp"
        self.path = tempfile.mkdtemp(prefix="mf", dir=parent)
        os.chmod(self.path, 0o755)
        self.binary = options.binary
        self.home = self.folder("home")
        self._owner = os.getpid()
        atexit.register(self._remove, options.keep)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))

    def folder(self, name):
        path = f"{self.path}/{name}"
        os.mkdir(path)
        return path

    def _remove(self, keeps):
        if os.getpid() != self._owner:
            return
        if keeps:
            print(f"kept {self.path}")
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    @property
    def environment(self):
        """Nothing of the caller's configuration: not git's, not libpq's."""
        return {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"), "HOME": self.home, "LANG": "C.UTF-8",
            "TZ": "UTC", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Keeper", "GIT_AUTHOR_EMAIL": "keeper@example.org", "GIT_COMMITTER_NAME": "Keeper",
            "GIT_COMMITTER_EMAIL": "keeper@example.org", "SWIFT_BACKTRACE": "enable=no",
        }


def _free(path):
    try:
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize if os.access(path, os.W_OK) else 0
    except OSError:
        return 0


def patience(seconds):
    """A limit of time, longer in proportion where other programs keep the processors busy."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def disk_stall():
    """For how many seconds so far something on this machine has waited for a disk; 0 where the kernel does not say."""
    try:
        with open("/proc/pressure/io") as pressure:
            return int(pressure.readline().rsplit("total=", 1)[1]) / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


def own_mounts():
    """Gives this process a table of mounts of its own, so that no other program keeps a file system of ours busy.

    Why that cannot be; None where it is done.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:
        return f"mounts are not permitted ({os.strerror(ctypes.get_errno())})"
    done = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else None


class Postgres:
    """A private server on a Unix socket. It is not made to survive a power cut, which is not its part here."""

    def __init__(self, work, name="pg"):
        self.work, self.directory = work, work.folder(name)
        self.user = []
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        self.programs = Postgres._programs()
        _checked(
            self.user + [f"{self.programs}/initdb", "-D", f"{self.directory}/data", "-U", "postgres", "-E", "UTF8",
                         "--locale=C.UTF-8", "-A", "trust", "--no-sync"], cwd="/")
        self.process = None
        atexit.register(self.stop)
        self.start()

    @staticmethod
    def _programs():
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        preferred = [path for path in found if path.split("/")[4] == "15"] + found[::-1]
        for folder in preferred + os.environ.get("PATH", "").split(":"):
            if all(os.access(f"{folder}/{name}", os.X_OK) for name in ("initdb", "postgres")):
                return folder
        sys.exit("initdb and postgres are not on this machine: apt-get install postgresql-15")

    def start(self):
        with open(f"{self.directory}.log", "ab") as log:
            self.process = subprocess.Popen(
                self.user + [f"{self.programs}/postgres", "-D", f"{self.directory}/data", "-c", "listen_addresses=",
                             "-c", f"unix_socket_directories={self.directory}", "-c", "fsync=off",
                             "-c", "full_page_writes=off", "-c", "max_connections=100", "-c", "shared_buffers=32MB",
                             "-c", "autovacuum=off", "-c", "max_wal_size=256MB",
                             # In its own folder, so that nothing stays behind when it is killed.
                             "-c", "dynamic_shared_memory_type=mmap"],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if subprocess.run(["psql", *self.psql("postgres"), "-c", "SELECT 1"], capture_output=True).returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"Postgres did not start: {open(f'{self.directory}.log').read()[-2000:]}")

    def stop(self):
        """Ends the server as its own administrator would; by force where it does not answer."""
        if self.process is None or os.getppid() == self.process.pid:
            return
        if self.process.poll() is None:
            for pid in self.processes():
                signalled(pid, signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self):
        """What a power cut does to it: every process dies at once. `start` makes it recover."""
        for pid in [self.process.pid] + self.processes():
            signalled(pid, signal.SIGKILL)
        self.process.wait()
        # Shared memory is given back by the next start, which also checks that no process of the old one is left.
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.02)

    def processes(self):
        """The server's processes but the first one."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as file:
                        if int(file.read().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                            found.append(int(name))
                except (OSError, IndexError):
                    continue
        return found

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def psql(self, database):
        return ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", "postgres", "-d", database]

    def query(self, database, sql):
        """The rows as lists of texts."""
        output = _checked(["psql", *self.psql(database), "-F", "\x1f", "-c", sql])
        return [line.split("\x1f") for line in output.split("\n") if line]


def signalled(pid, number):
    """Sends a signal to a process, which may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _checked(arguments, **keywords):
    done = subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL, **keywords)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Session:
    """One psql that stays open: a query costs no new process."""

    def __init__(self, server):
        self.process = subprocess.Popen(
            ["psql", "-X", "-A", "-t", "-q", "-F", "\x1f", "-h", server.directory, "-U", "postgres", "-d", "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self("SET client_min_messages = error")

    def __call__(self, sql, database=None):
        """Runs statements, in another database where one is named. Raises with the server's words on an error."""
        lines = [f"\\c {database}"] if database else []
        lines += [sql.rstrip(";") + ";", "\\echo 'answer ends' :ERROR"]
        self.process.stdin.write("\n".join(lines) + "\n")
        self.process.stdin.flush()
        rows = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("psql ended")
            line = line.rstrip("\n")
            if line.startswith("answer ends"):
                if line.endswith("true"):
                    raise RuntimeError("; ".join(rows))
                return [row.split("\x1f") for row in rows if row]
            rows.append(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ran:
    """What a command left: exit status (negative for a signal), its outputs, its JSON if it printed one."""

    def __init__(self, status, stdout, stderr, seconds, stalled=0.0):
        self.status, self.stdout, self.stderr, self.seconds, self.stalled = status, stdout, stderr, seconds, stalled
        try:
            self.json = json.loads(stdout)
        except ValueError:
            self.json = None

    def exceeds(self, limit):
        """Whether it took longer than `limit` seconds, without what the disk and other programs took of that."""
        return self.seconds - self.stalled > patience(limit)

    def __str__(self):
        return f"status {self.status} in {self.seconds:.2f} s: {(self.stdout + self.stderr).strip()[:600]}"


class Scratch:
    """A repository with a `.moha` tree, beside a person's work: one file staged, one changed, one untracked."""

    def __init__(self, work, path, url=None):
        self.work, self.path, self.url = work, path, url
        self.environment = work.environment

    @staticmethod
    def make(work, path, url=None, layout=None, settings=None):
        scratch = Scratch(work, path, url)
        os.makedirs(path)
        scratch.git("init", "-q", "--initial-branch=main", "--template=")
        for name, text in SAMPLE.items():
            scratch.write(name, text)
        for name in ("staged", "changed", "same"):
            scratch.write(f"src/{name}", f"{name} before\n")
        if layout or settings:
            scratch.write("moha-sync.yaml", settings or f"moha:\n  layout: {layout}\n")
        scratch.git("add", ".")
        scratch.git("commit", "-q", "-m", "start")
        # Git keeps a stat of every file; a copy of the folder has other inodes, and so it refreshes them by content.
        scratch.write("src/staged", "staged by a person\n")
        scratch.git("add", "src/staged")
        scratch.write("src/changed", "changed by a person\n")
        scratch.write("src/untracked", "new by a person\n")
        return scratch

    def copy(self, path, url=None):
        _checked(["cp", "-a", self.path, path])
        return Scratch(self.work, path, url or self.url)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text):
        path = f"{self.path}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def read(self, name):
        try:
            with open(f"{self.path}/{name}", "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def git(self, *arguments, check=True, stdin=None):
        done = subprocess.run(
            ["git", "-C", self.path, *arguments], env=self.environment, input=stdin, capture_output=True,
            **({} if stdin is not None else {}))
        if check and done.returncode != 0:
            raise RuntimeError(f"git {' '.join(arguments)}: {(done.stdout + done.stderr).decode('utf-8', 'replace')}")
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def arguments(self, *arguments, url=None):
        """A whole command line: the program, the database, JSON."""
        # A database that nobody listens for is one that is down.
        url = url or self.url or "postgresql://postgres@/none?host=/nonexistent"
        return [self.work.binary, *arguments, "--json", "--database", url]

    def run(self, *arguments, url=None, timeout=60, environment=None):
        start, stall = time.monotonic(), disk_stall()
        try:
            done = subprocess.run(
                self.arguments(*arguments, url=url), cwd=self.path, env={**self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            return Ran(-signal.SIGALRM, "", f"no end after {timeout} s", time.monotonic() - start)
        return Ran(
            done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"),
            time.monotonic() - start, disk_stall() - stall)


def decision(number, day="2026-02-03", hour=12):
    return (f"# Decision Record\n\n**Timestamp:** {day}T{hour:02}:00:{number:02}+00:00\n**Type:** buy\n**Asset:** BTC\n"
            f"**Risk Level:** low\n**Confidence:** 80.0%\n\n## Action\n\nBuy {number}\n\n## Reasoning\n\nSupport held {number}\n\n"
            "---\n*Recorded by Maven*")


def _sample():
    tree = {
        f"{TREE}/identity.json":
            '{\n  "name": "Maven",\n  "rebirth_count": 1,\n  "last_rebirth": "2026-02-01T08:00:00+00:00",\n'
            '  "total_decisions": 3,\n  "mood": "calm"\n}\n',
        f"{TREE}/personas/v1.md": "# Persona\n\nCareful.\n",
    }
    with open(f"{TOP}/.moha/{AGENT}/session_log.md", "rb") as log:
        tree[f"{TREE}/session_log.md"] = log.read()
    for folder in ("decisions", "milestones"):
        for path in sorted(glob.glob(f"{TOP}/.moha/{AGENT}/{folder}/*.md"))[:3]:
            with open(path, "rb") as file:
                tree[f"{TREE}/{folder}/{os.path.basename(path)}"] = file.read()
    return tree


SAMPLE = _sample()
