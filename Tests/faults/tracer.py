"""Runs a program and breaks it at one system call, counted over all its threads.

strace counts a call per thread (`when=N`), so with several threads the second rename of one of them is out of reach
when another makes two renames earlier. Here one counter serves the whole process. A seccomp filter stops the program
only at the calls of `NUMBERS`, so a run costs little more than without a tracer.

A fault is written `CALL:N:ACTION`, with N+ for that call and every later one of the same name. ACTION is KILL (the
process dies by SIGKILL and the call is not made), the name of an errno (the call is not made and fails so), or SHORT
(a write of half of its bytes). Linux on x86-64 only: `supported()` tells.
"""

import ctypes
import errno
import os
import platform
import re
import signal
import struct
import time

NUMBERS = {
    "read": 0, "write": 1, "close": 3, "pread64": 17, "pwrite64": 18, "connect": 42, "sendto": 44, "recvfrom": 45,
    "fcntl": 72, "flock": 73, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "getdents64": 217, "rename": 82,
    "mkdir": 83, "link": 86, "unlink": 87, "fchmod": 91, "openat": 257, "mkdirat": 258, "newfstatat": 262,
    "unlinkat": 263, "renameat": 264, "linkat": 265, "renameat2": 316, "syncfs": 306, "poll": 7, "mmap": 9,
}
NAMES = {number: name for name, number in NUMBERS.items()}

# Positions of what tells which file a call is about: paths, of which some are relative to a folder's descriptor, and
# descriptors.
PATHS = {
    "openat": ((0, 1),), "rename": ((None, 0), (None, 1)), "mkdir": ((None, 0),), "link": ((None, 0), (None, 1)),
    "unlink": ((None, 0),), "mkdirat": ((0, 1),), "newfstatat": ((0, 1),), "unlinkat": ((0, 1),),
    "renameat": ((0, 1), (2, 3)), "linkat": ((0, 1), (2, 3)), "renameat2": ((0, 1), (2, 3)),
}
DESCRIPTORS = {
    "read": 0, "write": 0, "close": 0, "pread64": 0, "pwrite64": 0, "sendto": 0, "recvfrom": 0, "connect": 0,
    "fcntl": 0, "flock": 0, "fsync": 0, "fdatasync": 0, "ftruncate": 0, "getdents64": 0, "fchmod": 0, "syncfs": 0,
}

PTRACE_TRACEME, PTRACE_POKEUSER, PTRACE_CONT, PTRACE_SETOPTIONS = 0, 6, 7, 0x4200
PTRACE_GET_SYSCALL_INFO = 0x420E
# Fork, vfork, clone, exec, seccomp; and the tracees die with the tracer.
OPTIONS = 0x02 | 0x04 | 0x08 | 0x10 | 0x80 | 0x100000
EVENT_SECCOMP = 7
WALL = 0x40000000
# `AT_FDCWD`.
WORKING_FOLDER = -100
# Offsets in `struct user` of x86-64.
RAX, RDX, ORIG_RAX = 10 * 8, 12 * 8, 15 * 8

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def supported():
    """Why the tracer cannot work here; None where it can."""
    if platform.machine() != "x86_64":
        return "the tracer knows x86-64 only"
    return None


class Fault:
    def __init__(self, text):
        match = re.fullmatch(r"(\w+):(\d+)(\+?):(\w+)", text)
        if not match or match[1] not in NUMBERS:
            raise ValueError(f"{text} is no CALL:N:ACTION")
        self.text, self.call, self.number = text, match[1], int(match[2])
        self.persistent, self.action = match[3] == "+", match[4]
        self.errno = getattr(errno, self.action, None) if self.action not in ("KILL", "SHORT") else None
        if self.errno is None and self.action not in ("KILL", "SHORT"):
            raise ValueError(f"{self.action} is neither KILL, SHORT nor an errno")

    def hits(self, call, number):
        return call == self.call and (number == self.number or self.persistent and number > self.number)


class Outcome:
    """How a run ended: `status` as a shell would tell it, `signal` or None, `hit` if the fault came to pass."""

    def __init__(self):
        self.status, self.signal, self.hit, self.timed_out = None, None, False, False
        self.calls = []
        self.seconds = 0.0


class Call:
    """`words` are the files that it is about, each with its whole path, and how many bytes are written."""

    def __init__(self, thread, name, number, words):
        self.thread, self.name, self.number, self.words = thread, name, number, words

    @property
    def about(self):
        return " ".join(self.words)

    def __repr__(self):
        return f"{self.thread} {self.name}:{self.number} {self.about}"


def _ptrace(request, pid, address=0, data=0):
    if libc.ptrace(request, pid, address, data) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _filter(calls):
    """A classic BPF program: trace these calls, allow the others."""
    code = [struct.pack("HBBI", 0x20, 0, 0, 0)]  # the call's number
    numbers = [NUMBERS[call] for call in calls]
    for index, number in enumerate(numbers):
        code.append(struct.pack("HBBI", 0x15, len(numbers) - index, 0, number))
    code.append(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
    code.append(struct.pack("HBBI", 0x06, 0, 0, 0x7FF00000))
    return b"".join(code), len(code)


def _child(arguments, environment, cwd, stdin, stdout, stderr, calls):
    try:
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.closerange(3, 256)
        os.chdir(cwd)
        _ptrace(PTRACE_TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        code, length = _filter(calls)
        buffer = ctypes.create_string_buffer(code)
        program = struct.pack("HxxxxxxQ", length, ctypes.addressof(buffer))
        # No new privileges, without which only root may filter; then the filter.
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) != 0:
            os._exit(126)
        os.execve(arguments[0], arguments, environment)
    finally:
        os._exit(127)


class _Memory:
    """What a call is about, in words: its paths, and what its descriptor is."""

    def __init__(self, pid):
        self.pid = pid

    def text(self, address):
        try:
            with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
                memory.seek(address)
                return memory.read(256).split(b"\0")[0].decode("utf-8", "replace")
        except (OSError, ValueError, OverflowError):
            return "?"

    def descriptor(self, number):
        number = ctypes.c_int32(number & 0xFFFFFFFF).value
        try:
            return os.readlink(f"/proc/{self.pid}/{'cwd' if number == WORKING_FOLDER else f'fd/{number}'}")
        except OSError:
            return f"fd {number}"

    def path(self, folder, text):
        """A path as a call means it: from its folder on, and a file without a name by what its descriptor is."""
        own = re.fullmatch(r"/proc/self/fd/(\d+)", text)
        if own:
            return self.descriptor(int(own[1]))
        return text if text.startswith("/") else os.path.normpath(os.path.join(self.descriptor(folder), text))

    def words(self, name, arguments):
        words = [self.path(WORKING_FOLDER if folder is None else arguments[folder], self.text(arguments[position]))
                 for folder, position in PATHS.get(name, ())]
        if name in DESCRIPTORS:
            words.append(self.descriptor(arguments[DESCRIPTORS[name]]))
        if name in ("write", "sendto", "pwrite64"):
            words.append(f"{arguments[2]} bytes")
        return words


def run(arguments, environment, cwd, stdout, stderr, stdin=os.devnull, fault=None, calls=None, records=False, timeout=30,
        on_hit=None):
    """Runs a program to its end, with a fault or None; `stdout`, `stderr` and `stdin` are paths.

    With `records` every call of `calls` (all known ones by default) is listed in the outcome. `on_hit` is called with
    the process id in place of the fault's action. The caller must have no other child that could end meanwhile.
    """
    calls = [fault.call] if fault and not records else list(calls or NUMBERS)
    outcome, start = Outcome(), time.monotonic()
    descriptors = [os.open(stdin, os.O_RDONLY)] + [
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in (stdout, stderr)]
    pid = os.fork()
    if pid == 0:
        _child(arguments, environment, cwd, *descriptors, calls)
    for descriptor in descriptors:
        os.close(descriptor)

    def expire(*_):
        outcome.timed_out = True
        os.kill(pid, signal.SIGKILL)

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        os.waitpid(pid, 0)
        _ptrace(PTRACE_SETOPTIONS, pid, 0, OPTIONS)
        _ptrace(PTRACE_CONT, pid)
        _follow(pid, fault, records, outcome, on_hit)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    outcome.seconds = time.monotonic() - start
    return outcome


def _follow(pid, fault, records, outcome, on_hit):
    memory = _Memory(pid)
    counts, known = {}, {pid}
    info = ctypes.create_string_buffer(128)
    while True:
        thread, status = os.waitpid(-1, WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            if thread != pid:
                continue
            outcome.status = os.waitstatus_to_exitcode(status)
            outcome.signal = -outcome.status if outcome.status < 0 else None
            return
        stop, event = os.WSTOPSIG(status), status >> 16
        deliver = 0
        try:
            if event == EVENT_SECCOMP:
                libc.ptrace(PTRACE_GET_SYSCALL_INFO, thread, 128, ctypes.addressof(info))
                number, *parameters = struct.unpack_from("7Q", info.raw, 24)
                name = NAMES[number]
                counts[name] = counts.get(name, 0) + 1
                if records:
                    outcome.calls.append(Call(thread, name, counts[name], memory.words(name, parameters)))
                if fault and fault.hits(name, counts[name]):
                    outcome.hit = True
                    if on_hit:
                        on_hit(pid)
                    elif fault.action == "KILL":
                        os.kill(pid, signal.SIGKILL)
                        continue
                    elif fault.action == "SHORT":
                        if parameters[2] > 1:
                            _ptrace(PTRACE_POKEUSER, thread, RDX, parameters[2] // 2)
                    else:
                        # Without a number the call is skipped, and returns what the register holds.
                        _ptrace(PTRACE_POKEUSER, thread, ORIG_RAX, ctypes.c_ulong(-1).value)
                        _ptrace(PTRACE_POKEUSER, thread, RAX, ctypes.c_ulong(-fault.errno).value)
            elif event == 0 and stop not in (signal.SIGTRAP,):
                # The first stop of a new thread is the tracer's own; every other signal is the program's.
                deliver = 0 if stop == signal.SIGSTOP and thread not in known else stop
            known.add(thread)
            _ptrace(PTRACE_CONT, thread, 0, deliver)
        except ProcessLookupError:
            # It was killed between its stop and here.
            continue
