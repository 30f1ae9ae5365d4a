#!/usr/bin/env python3
"""Plants secrets of many kinds in every argument and in files, and asserts that git never gets one.

The secrets are made at run time from pieces, so that no file of this repository holds one. A request with one ends
with exit code 12, says neither the secret nor a part of it, and leaves no trace in the object store, in temporary
files, or in the working tree. `commit` leaves the file out and commits the rest.
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
    yield "decision --idempotency-key", ["decision", *long, f"--idempotency-key={text[:200]}"]
    event = ["--event", "NOTE", "--content", "Text"]
    for option in ("--event", "--content"):
        if option == "--content" or "\n" not in text:
            yield f"event {option}", ["event", *instead(option, event)]
    yield "event --metadata", ["event", *event, "--metadata", json.dumps({"note": text})]
    stone = ["--title", f"Title {number}", "--category", "test", "--description", "Text"]
    for option in ("--title", "--category", "--description", "--significance"):
        yield f"milestone {option}", ["milestone", *instead(option, stone)]
    yield "identity --updates", ["identity", "--updates", json.dumps({"notes": {"mine": text}})]


def holders(scratch, secret):
    """Where below the repository the bytes are: in objects, in files as they are, in compressed files."""
    found = []
    needle = secret.encode()
    objects = subprocess.run(
        ["git", "-C", scratch.path, "cat-file", "--batch-all-objects", "--batch", "--unordered"],
        env=scratch.environment, capture_output=True).stdout
    if needle in objects:
        found.append("an object")
    for folder, _, files in os.walk(scratch.path):
        for name in files:
            path = f"{folder}/{name}"
            with open(path, "rb") as file:
                data = file.read()
            try:
                plain = zlib.decompress(data)
            except zlib.error:
                plain = b""
            if needle in data or needle in plain:
                found.append(os.path.relpath(path, scratch.path))
    return found


def main():
    options = harness.parser(__doc__)
    options.add_argument("--seconds", type=float, default=None, help="stop after this time (default: go through all)")
    options = harness.parse(options)
    generator = random.Random(options.seed)
    work = harness.Work(options)
    scratch = Scratch.make(work, f"{work.path}/r")
    assert scratch.run("record", "event", "--event", "NOTE", "--content", "first", "--idempotency-key", "k").status == 0
    tried, failed = 0, 0

    def fail(what, text):
        nonlocal failed
        failed += 1
        print(f"{what}: {text}", flush=True)

    def expect_refused(what, ran, secret):
        if ran.status != 12:
            fail(what, f"exit {ran.status}, not 12: {ran.stdout[:200]}")
        if secret in ran.stdout + ran.stderr:
            fail(what, "the answer holds the secret")

    head = scratch.git("rev-parse", "HEAD")
    for number, (kind, (secret, around)) in enumerate(kinds(generator).items()):
        text = around.format(secret)
        for place, arguments in places(text, number):
            tried += 1
            expect_refused(f"{kind} in {place}", scratch.run("record", *arguments), secret)
        found = holders(scratch, secret)
        if found:
            fail(kind, f"it is in {', '.join(found)}")
    # What is no option is not repeated either.
    secret, around = kinds(generator)["private key"]
    ran = scratch.run("record", "event", "--event", "NOTE", "--content", around.format(secret))
    if ran.status != 2 or secret in ran.stdout + ran.stderr:
        fail("private key as an argument of its own", f"exit {ran.status}, not 2, or the message holds it")
    if scratch.git("rev-parse", "HEAD") != head:
        fail("requests", "a refused request made a commit")

    # Files that a person wrote: the commit takes the others.
    for kind, (secret, around) in kinds(generator).items():
        tried += 1
        text = around.format(secret)
        fine = f"{TREE}/decisions/decision_20260205_0000{tried % 60:02}_{tried}.md"
        planted = {
            f"{TREE}/decisions/decision_20260206_000000.md": decision(1).replace("Support held 1", text),
            f"{TREE}/notes/deep/planted.json": json.dumps({"value": text}) + "\n",
            f"{TREE}/session_log.md": scratch.read(f"{TREE}/session_log.md").decode()
            + f"\n## [2026-02-05T08:00:00+00:00] NOTE\n\n{text}\n\n---\n",
        }
        before = {path: scratch.read(path) for path in planted}
        scratch.write(fine, decision(tried % 60, "2026-02-05"))
        for path, content in planted.items():
            scratch.write(path, content)
        ran = scratch.run("commit")
        expect_refused(f"{kind} in files", ran, secret)
        refused = sorted(entry["path"] for entry in (ran.json or {}).get("refused", []))
        if refused != sorted(planted):
            fail(f"{kind} in files", f"refused {refused}, not {sorted(planted)}")
        head_files = scratch.git("ls-tree", "-r", "--name-only", "HEAD").split("\n")
        if fine not in head_files:
            fail(f"{kind} in files", "the other file was not committed")
        for path, old in before.items():
            if old is None:
                os.remove(f"{scratch.path}/{path}")
            else:
                scratch.write(path, old)
        found = holders(scratch, secret)
        if found:
            fail(f"{kind} in files", f"it is in {', '.join(found)}")
    checker = Checker(scratch)
    assert checker.head
    fsck = scratch.git("fsck", "--full", "--strict", "--no-dangling", "--no-progress")
    if fsck:
        fail("fsck", fsck)
    print(f"planted_secrets: {tried} secrets planted, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
