"""The whole story with every real client on both transports, and everything that was said held against the models.

    run.sh story [--client NAME]... [--transport stdio|http] [--story maven|fixture]

Each client runs as a process of its own, in the environment that has it. Between it and the server a recorder keeps the
bytes; the server of the HTTP stories is one process for all clients, so that both eras meet in it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from oracle import Conversation
from programs import OLDER_PYTHON, PATIENCE, CheckFailed, HTTPServer, check, fixture
from recorder import Proxy, judge_http, judge_stdio
from talkers import CLIENTS
from workspace import Workspace

HERE = Path(__file__).parent


def run(client, story, endpoint, workspace):
    """Runs one client's part. Throws CheckFailed with what it wrote."""
    python = str(OLDER_PYTHON) if client == "older" else sys.executable
    settings = json.dumps({"endpoint": endpoint, "workspace": workspace and workspace.described()})
    result = subprocess.run(
        [python, "-B", str(HERE / "story_steps.py"), client, story, settings], capture_output=True, text=True,
        timeout=PATIENCE * 5, stdin=subprocess.DEVNULL)
    check(result.returncode == 0, result.stderr[-3000:] or result.stdout[-3000:])


def tell(story, transport, client, command, server, workspace):
    """One client on one transport. Returns the conversation as judged."""
    conversation = Conversation(f"{story}, {client}, {transport}")
    if transport == "http":
        proxy = Proxy(server.port)
        try:
            run(client, story, proxy.url, workspace)
            judge_http(conversation, proxy.connections)
        finally:
            proxy.close()
        return conversation
    with tempfile.NamedTemporaryFile() as log:
        recorded = [sys.executable, "-B", str(HERE / "recorder.py"), log.name, "--", *command.arguments]
        endpoint = {"command": recorded[0], "args": recorded[1:], "env": command.environment}
        run(client, story, endpoint, workspace)
        judge_stdio(conversation, log.name)
    return conversation


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--client", action="append", choices=CLIENTS)
    options.add_argument("--transport", action="append", choices=["stdio", "http"])
    options.add_argument("--story", action="append", choices=["maven", "fixture"])
    arguments = options.parse_args()
    failures, counts = 0, Counter()
    for story in arguments.story or ["fixture", "maven"]:
        with ExitStack() as stack:
            workspace = stack.enter_context(Workspace()) if story == "maven" else None
            for transport in arguments.transport or ["stdio", "http"]:
                server = None
                if workspace is not None:
                    command = workspace.command("mcp" if transport == "stdio" else "serve")
                else:
                    command = fixture()
                try:
                    if transport == "http":
                        server = stack.enter_context(HTTPServer(command, "--port" if workspace else "--http"))
                except CheckFailed as error:
                    print(f"{story} over {transport}: {error}", file=sys.stderr)
                    failures += 1
                    continue
                for client in arguments.client or CLIENTS:
                    problems = []
                    try:
                        conversation = tell(story, transport, client, command, server, workspace)
                        problems = conversation.problems
                        counts.update(conversation.counts)
                    except (CheckFailed, subprocess.TimeoutExpired, ValueError) as error:
                        problems = [str(error)]
                        if server is not None:
                            problems.append(server.error_text()[-1500:])
                    failures += bool(problems)
                    print(f"{'failed' if problems else 'passed'}: {story}, {client}, {transport}", flush=True)
                    for problem in problems[:20]:
                        print(f"  {problem}", file=sys.stderr, flush=True)
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(f"messages held against the models: {said}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
