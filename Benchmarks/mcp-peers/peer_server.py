"""The peer: the Python SDK's own server with the content of `mcp-fixture`, on standard input or over HTTP.

    peer_server.py [--tree FOLDER] [--http PORT]

With the folder of an agent's records it also offers what the product reads most: the identity, and the tool that counts.
Answers are JSON over HTTP, and no state is kept between requests, which is how the SDK is fastest.
"""

import json
import sys
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import ToolAnnotations

QUIET = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
server = MCPServer("peer", version="1", log_level="ERROR")


@server.tool(annotations=QUIET, structured_output=False)
def test_simple_text() -> str:
    """Tests simple text content response"""
    return "This is a simple text response for testing."


@server.tool(annotations=QUIET, structured_output=False)
def test_error_handling() -> str:
    """Tests error response handling"""
    raise ValueError("This tool intentionally returns an error for testing")


@server.tool(annotations=QUIET, structured_output=False)
async def test_tool_with_progress(context: Context) -> str:
    """Tests a tool that reports progress"""
    for step in (0, 50, 100):
        await context.report_progress(step, 100)
        await anyio.sleep(0.05)
    return "done"


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A static text resource for testing"""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A static binary resource for testing"""
    return bytes(range(64))


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """A resource that changes"""
    return "Watched resource content"


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    """A resource with a parameter"""
    return '{"id": "%s", "templateTest": true, "data": "Data for ID"}' % id


@server.prompt()
def test_simple_prompt() -> list[UserMessage]:
    """A simple prompt without arguments"""
    return [UserMessage("This is a simple prompt for testing.")]


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """A prompt with required arguments"""
    return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]


def counts(folder, field):
    """How many files there are, and how many of each kind, as their headers say: the product reads them too."""
    kinds = Counter()
    files = sorted(folder.glob("*.md"))
    for file in files:
        for line in file.read_text().splitlines():
            if line.startswith(field):
                kinds[line.removeprefix(field).strip()] += 1
                break
    return {"total_files": len(files), "kinds": dict(kinds)}


def offer_records(tree):
    @server.resource("maven://identity", mime_type="application/json")
    def identity() -> str:
        """Who the agent is"""
        return (tree / "identity.json").read_text()

    @server.tool(annotations=QUIET)
    def maven_get_stats() -> dict[str, Any]:
        """Counts of the records"""
        value = json.loads((tree / "identity.json").read_text())
        return {"success": True, "message": "Statistics", "error": None, "data": {
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "identity": {"total_decisions": value["total_decisions"], "rebirth_count": value["rebirth_count"]},
            "decisions": counts(tree / "decisions", "**Type:**"),
            "milestones": counts(tree / "milestones", "**Category:**")}}


def option(name):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


def main():
    if tree := option("--tree"):
        offer_records(Path(tree))
    if not (port := option("--http")):
        return server.run("stdio")
    app = server.streamable_http_app(json_response=True, stateless_http=True)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main()
