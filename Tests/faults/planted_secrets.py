#!/usr/bin/env python3
"""Plants secrets of many kinds, plain and disguised, wherever a client or a person can, and asserts that git gets none.

The secrets are made at run time from pieces, so that no file of this repository holds one. They go through every
argument of `record`, through the tools of `mcp`, and through `commit`: its message, files and their names. A request
with one ends with exit code 12 (a tool with the code `secret`), says neither the secret nor a part of it, and leaves no
trace in the object store, in temporary files, or in the working tree. `commit` leaves the file out and commits the rest.
"""

import base64
import json
import os
import random
import string
import subprocess
import sys
import zlib

import harness
from checker import Checker
from harness import TREE, Scratch, decision

LETTERS = string.ascii_letters + string.digits
# What tells itself from ordinary text wherever it is: these are found when they are split, or glued to a word, too.
DISTINCTIVE = ("code host token", "chat token", "payment key")


def kinds(generator):
    """Name to secret: the part that must not be seen, and the text around it."""
    def text(length, alphabet=LETTERS):
        return "".join(generator.choice(alphabet) for _ in range(length))

    upper = string.ascii_uppercase + "234567"
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    token = ".".join([part({"alg": "HS256", "typ": "JWT"}), part({"sub": text(12), "iat": 1767225600}), text(43)])
    body = base64.b64encode(bytes(generator.randrange(256) for _ in range(600))).decode()
    password = text(20)
    key = text(40)
    return {
        "cloud access key": ("AK" + "IA" + text(16, upper), "{}"),
        "code host token": ("gh" + "p_" + text(36), "{}"),
        "chat token": ("xo" + "xb-" + text(12, string.digits) + "-" + text(12, string.digits) + "-" + text(24), "{}"),
        "payment key": ("sk" + "_live_" + text(24), "{}"),
        "web token": (token, "Bearer {}"),
        "private key": (body, "-----BEGIN " + "PRIVATE KEY-----\n{}\n-----END " + "PRIVATE KEY-----"),
        "connection string": (password, "postgres" + "ql://bot:{}@db.example.org:5432/maven"),
        "assigned password": (key, "api" + "_secret = \"{}\""),
    }


def split(text):
    """In three lines, as a mail or a terminal breaks them."""
    third = len(text) // 3
    return "\n  ".join([text[:third], text[third:2 * third], text[2 * third:]])


DISGUISES = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "percent-encoding": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "fullwidth": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "zero-width": lambda text: "\u200b".join(text),
    "split": split,
    "glued": lambda text: f"token{text}",
}


def disguised(generator):
    """Every kind in every disguise that it can be found in: what it is, what must not be seen, the text."""
    for disguise, change in DISGUISES.items():
        for kind, (secret, around) in kinds(generator).items():
            if disguise in ("split", "glued") and kind not in DISTINCTIVE:
                continue
            text = change(around.format(secret))
            yield f"{kind}, {disguise}", {secret, text}, text


def places(text, number):
    """Argument lists of `record`, each with the text in another place."""
    long = ["--type", "buy", "--action", "Buy", "--reasoning", "Because", "--confidence", "80", "--risk", "low"]

    def instead(option, arguments=long):
        copy = list(arguments)
        if option in copy:
            position = copy.index(option)
            del copy[position:position + 2]
        # With an equals sign: a value that begins with dashes would be taken for an option.
        return copy + [f"{option}={text}"]

    for option in ("--type", "--asset", "--action", "--reasoning"):
        yield f"decision {option}", ["decision", *instead(option)]
    yield "decision --metadata", ["decision", *long, "--metadata", json.dumps({"note": {"deep": [text]}})]
    yield "decision --metadata name", ["decision", *long, "--metadata", json.dumps({text: 1})]
    if len(text) <= 200:
        yield "decision --idempotency-key", ["decision", *long, f"--idempotency-key={text}"]
    event = ["--event", "NOTE", "--content", "Text"]
    for option in ("--event", "--content"):
        if option == "--content" or "\n" not in text:
            yield f"event {option}", ["event", *instead(option, event)]
    yield "event --metadata", ["event", *event, "--metadata", json.dumps({"note": text})]
    stone = ["--title", f"Title {number}", "--category", "test", "--description", "Text"]
    for option in ("--title", "--category", "--description", "--significance"):
        yield f"milestone {option}", ["milestone", *instead(option, stone)]
    yield "identity --updates", ["identity", "--updates", json.dumps({"notes": {"mine": text}})]
    yield "identity --updates name", ["identity", "--updates", json.dumps({"notes": {text: 1}})]


def calls(text):
    """The tools of `mcp` that write, each with the text in another place."""
    one = {"decision_type": "buy", "action": "Buy", "reasoning": "Because", "confidence": 80, "risk_level": "low"}
    for name in ("decision_type", "action", "reasoning", "asset"):
        yield name, "maven_record_decision", {**one, name: text}
    yield "metadata", "maven_record_decision", {**one, "metadata": {"note": [text]}}
    yield "metadata name", "maven_record_decision", {**one, "metadata": {text: 1}}
    for name in ("event_type", "content"):
        if name == "content" or "\n" not in text:
            yield name, "maven_log_event", {"event_type": "NOTE", "content": "Text", name: text}
    for name in ("title", "category", "description"):
        yield name, "maven_create_milestone", {"title": "T", "category": "c", "description": "d", name: text}
    yield "updates", "maven_update_identity", {"updates": {"notes": {"mine": text}}}
    yield "updates name", "maven_update_identity", {"updates": {"notes": {text: 1}}}


class Server:
    """`mcp` over standard input and output."""

    def __init__(self, scratch):
        self.process = subprocess.Popen(
            scratch.arguments("mcp"), cwd=scratch.path, env=scratch.environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")
        self.number = 0
        self.ask("initialize", {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "planter", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        """The line that answers, and the result in it."""
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self.number:
                return line, message.get("result", {})
        raise RuntimeError("mcp ended")

    def call(self, tool, arguments):
        """All that was said, and the code of the error; None where there is none."""
        line, result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        texts = [part.get("text", "") for part in result.get("content", [])]
        code = json.loads(texts[0]).get("code") if result.get("isError") and texts else None
        return "\n".join([line, *texts]), code

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def holders(scratch, needles):
    """Where below the repository the needles are: in objects, in files, in compressed files, in names."""
    found = []
    objects = subprocess.run(
        ["git", "-C", scratch.path, "cat-file", "--batch-all-objects", "--batch", "--unordered"],
        env=scratch.environment, capture_output=True).stdout
    stores = [("an object", objects)]
    for folder, _, files in os.walk(scratch.path):
        for name in files:
            path = f"{folder}/{name}"
            with open(path, "rb") as file:
                data = file.read()
            stores.append((os.path.relpath(path, scratch.path), path.encode() + data))
            try:
                stores.append((os.path.relpath(path, scratch.path), zlib.decompress(data)))
            except zlib.error:
                pass
    everything = b"\0".join(data for _, data in stores)
    for what, needle in needles:
        if needle.encode() in everything:
            found += [(what, place) for place, data in stores if needle.encode() in data]
    return found


class Planting:
    def __init__(self, scratch):
        self.scratch = scratch
        self.counts = {}
        self.failed = 0
        self.needles = []

    def fail(self, what, text):
        self.failed += 1
        print(f"{what}: {text}", flush=True)

    def count(self, way):
        self.counts[way] = self.counts.get(way, 0) + 1

    def expect_silence(self, what, said, needles):
        for needle in needles:
            escaped = json.dumps(needle)[1:-1]
            if needle in said or escaped in said:
                self.fail(what, "the answer holds the secret")
        self.needles += [(what, needle) for needle in needles]

    def record(self, what, arguments, needles):
        self.count("record")
        ran = self.scratch.run("record", *arguments)
        if ran.status != 12:
            self.fail(what, f"exit {ran.status}, not 12: {ran.stdout[:200]}")
        self.expect_silence(what, ran.stdout + ran.stderr, needles)

    def call(self, server, what, tool, arguments, needles):
        self.count("mcp")
        said, code = server.call(tool, arguments)
        if code != "secret":
            self.fail(what, f"the code is {code}, not secret: {said[:200]}")
        if "secrets-allow" in said:
            self.fail(what, "the model is told how to get it past")
        self.expect_silence(what, said, needles)

    def message(self, what, text, needles):
        self.count("message")
        ran = self.scratch.run("commit", f"--message=A title\n\nand {text}")
        if ran.status != 12 or "commit message, line" not in ran.stdout + ran.stderr:
            self.fail(what, f"{ran}")
        self.expect_silence(what, ran.stdout + ran.stderr, needles)

    def files(self, what, planted, fine, needles):
        """`planted` is path to content; the commit takes `fine` and none of them."""
        scratch = self.scratch
        for _ in planted:
            self.count("commit")
        before = {path: scratch.read(path) for path in planted}
        for path, content in {**planted, **fine}.items():
            scratch.write(path, content)
        ran = scratch.run("commit")
        if ran.status != 12:
            self.fail(what, f"exit {ran.status}, not 12: {ran.stdout[:300]}")
        document = ran.json or {}
        left = len(document.get("refused", [])) + sum(
            entry.get("reason") == "secret" for entry in document.get("skipped", []))
        if left != len(planted):
            self.fail(what, f"{left} files were refused, not {len(planted)}: {ran.stdout[:600]}")
        self.expect_silence(what, ran.stdout + ran.stderr, needles)
        head = scratch.git("-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "HEAD").split("\n")
        for path in fine:
            if path not in head:
                self.fail(what, f"{path} was not committed")
        for path, old in before.items():
            if old is None:
                os.remove(f"{scratch.path}/{path}")
            else:
                scratch.write(path, old)


def log_with(scratch, text):
    return (scratch.read(f"{TREE}/session_log.md").decode()
            + f"\n## [2026-02-05T08:00:00+00:00] NOTE\n\n{text}\n\n---\n")


def main():
    options = harness.parser(__doc__)
    options.add_argument("--seconds", type=float, default=None, help="stop after this time (default: go through all)")
    options = harness.parse(options)
    generator = random.Random(options.seed)
    work = harness.Work(options)
    scratch = Scratch.make(work, f"{work.path}/r")
    assert scratch.run("record", "event", "--event", "NOTE", "--content", "first", "--idempotency-key", "k").status == 0
    planting = Planting(scratch)
    head = scratch.git("rev-parse", "HEAD")

    # Requests.
    for number, (kind, (secret, around)) in enumerate(kinds(generator).items()):
        for place, arguments in places(around.format(secret), number):
            planting.record(f"{kind} in {place}", arguments, {secret})
    server = Server(scratch)
    for kind, (secret, around) in kinds(generator).items():
        for place, tool, arguments in calls(around.format(secret)):
            planting.call(server, f"{kind} in {place} of {tool}", tool, arguments, {secret})
    for what, needles, text in disguised(generator):
        planting.call(
            server, what, "maven_log_event", {"event_type": "NOTE", "content": f"Seen: {text}"}, needles)
    server.close()
    for what, needles, text in disguised(generator):
        if any(what.startswith(kind) for kind in DISTINCTIVE):
            planting.record(what, ["milestone", "--title", "T", "--category", "c", f"--description={text}"], needles)
    # What is no option is not repeated either.
    secret, around = kinds(generator)["private key"]
    ran = scratch.run("record", "event", "--event", "NOTE", "--content", around.format(secret))
    if ran.status != 2 or secret in ran.stdout + ran.stderr:
        planting.fail("private key as an argument of its own", f"exit {ran.status}, not 2, or the message holds it")

    # Messages.
    for kind, (secret, around) in kinds(generator).items():
        planting.message(f"{kind} in a message", around.format(secret), {secret})
    for what, needles, text in disguised(generator):
        if what.startswith("code host token"):
            planting.message(f"{what} in a message", text, needles)
    if scratch.git("rev-parse", "HEAD") != head:
        planting.fail("requests", "a refused request made a commit")

    # Files that a person wrote: the commit takes the others.
    for number, (kind, (secret, around)) in enumerate(kinds(generator).items()):
        text = around.format(secret)
        planted = {
            f"{TREE}/decisions/decision_20260206_000000.md": decision(1).replace("Support held 1", text),
            f"{TREE}/notes/deep/planted.json": json.dumps({"value": text}) + "\n",
            f"{TREE}/session_log.md": log_with(scratch, text),
        }
        fine = {f"{TREE}/decisions/decision_20260205_0000{number:02}_{number}.md": decision(number, "2026-02-05")}
        planting.files(f"{kind} in files", planted, fine, {secret})
    # All disguises in one commit, each in a file of its own.
    planted, needles = {}, set()
    for number, (what, seen, text) in enumerate(disguised(generator)):
        planted[f"{TREE}/notes/planted_{number}.md"] = f"# Note\n\nSeen today: {text}\n"
        needles |= seen
    planting.files("disguised in files", planted, {f"{TREE}/notes/fine.md": "Nothing.\n"}, needles)
    # Names.
    planted, needles = {}, set()
    for number, (kind, (secret, around)) in enumerate(kinds(generator).items()):
        if kind in ("private key", "web token", "connection string", "assigned password"):
            continue
        for name in (f"{secret}.md", f"note_{secret}_2026.json", f"{secret}/deep.md"):
            planted[f"{TREE}/names/{number}/{name}"] = "harmless\n"
        needles.add(secret)
    secret = kinds(generator)["assigned password"][0]
    planted[f"{TREE}/names/api" + f"_secret_{secret}.md"] = "harmless\n"
    needles.add(secret)
    secret = kinds(generator)["code host token"][0]
    planted[f"{TREE}/names/" + "".join(f"%{byte:02X}" for byte in secret.encode()) + ".md"] = "harmless\n"
    needles.add(secret)
    planting.files("in names", planted, {f"{TREE}/names/fine.md": "Nothing.\n"}, needles)

    for what, place in holders(scratch, planting.needles):
        planting.fail(what, f"it is in {place}")
    checker = Checker(scratch)
    assert checker.head
    fsck = scratch.git("fsck", "--full", "--strict", "--no-dangling", "--no-progress")
    if fsck:
        planting.fail("fsck", fsck)
    ways = ", ".join(f"{number} by {way}" for way, number in planting.counts.items())
    print(f"planted_secrets: {sum(planting.counts.values())} secrets planted ({ways}), {planting.failed} failures")
    return 1 if planting.failed else 0


if __name__ == "__main__":
    sys.exit(main())
