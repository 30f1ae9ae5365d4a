"""What one client does with a server, from the first message to the last. `story.py` starts this once for each client.

    story_steps.py CLIENT {maven|fixture} JSON

The JSON has the endpoint and, for `maven`, the workspace: every write is looked up in git and in Postgres by their own
programs, not by ours. The first thing that is not as it should be ends the process with status 1.
"""

import asyncio
import json
import sys
import traceback
import uuid
import warnings

from programs import PATIENCE, check
from talkers import CLIENTS, Refused, talker
from workspace import Workspace

TOOLS = {"maven_record_decision", "maven_log_event", "maven_create_milestone", "maven_update_identity", "maven_get_stats",
         "maven_sync_from_git", "maven_search", "maven_verify"}
READ_ONLY = {"maven_get_stats", "maven_search", "maven_verify"}
RESOURCES = {f"maven://{name}" for name in (
    "identity", "memory", "personality", "infrastructure", "decisions", "milestones", "health")}
TEMPLATES = {"maven://decisions/{file}", "maven://milestones/{file}", "maven://memory/{date}"}


def outcome(result):
    """The object of a tool result, which is there twice and has to be the same both times."""
    texts = [block["text"] for block in result["content"] if block["type"] == "text"]
    check(texts, f"a result without text: {result}")
    value = json.loads(texts[0])
    if not result.get("isError"):
        check(result.get("structuredContent") == value, f"text and structured content differ: {result}")
    return value


async def done(client, name, **arguments):
    result = await client.call(name, arguments)
    check(not result.get("isError"), f"{name} failed: {result['content']}")
    value = outcome(result)
    check(value.get("success") is True, f"{name}: {value}")
    return value


async def refused(call, code):
    try:
        result = await call
    except Refused as error:
        check(error.code == code, f"{error} instead of {code}")
        return error.message
    raise AssertionError(f"no error {code} but {str(result)[:300]}")


def only_text(result):
    check(len(result["contents"]) >= 1, f"nothing to read: {result}")
    return result["contents"][0]["text"]


async def maven(client, workspace):
    await lists(client)
    await reading(client, workspace)
    await decision(client, workspace)
    await other_writes(client, workspace)
    await refusals(client, workspace)
    await watching(client, workspace)


async def lists(client):
    tools = {tool["name"]: tool for tool in (await client.tools())["tools"]}
    check(TOOLS <= set(tools), f"missing tools: {TOOLS - set(tools)}")
    for name, tool in tools.items():
        check(tool["annotations"]["readOnlyHint"] == (name in READ_ONLY), f"{name}: {tool['annotations']}")
        check(tool["annotations"]["openWorldHint"] is False, f"{name}: {tool['annotations']}")
    resources = {item["uri"] for item in (await client.resources())["resources"]}
    check(RESOURCES <= resources, f"missing resources: {RESOURCES - resources}")
    templates = {item["uriTemplate"] for item in (await client.templates())["resourceTemplates"]}
    check(TEMPLATES <= templates, f"missing templates: {TEMPLATES - templates}")
    prompts = {item["name"] for item in (await client.prompts())["prompts"]}
    check("rebirth" in prompts, f"prompts: {prompts}")


async def reading(client, workspace):
    identity = json.loads(only_text(await client.read("maven://identity")))
    stored = workspace.identity()
    check(identity == stored or identity.get("identity") == stored or stored.items() <= identity.items(),
          f"another identity than in git: {identity}")
    for name in ("memory", "personality", "persona", "infrastructure", "decisions", "milestones", "health"):
        check(only_text(await client.read(f"maven://{name}")).strip(), f"maven://{name} is empty")
    file = workspace.decision_files()[0]
    text = only_text(await client.read(f"maven://decisions/{file}"))
    check(workspace.show(f".moha/maven/decisions/{file}") in text or "**Timestamp:**" in text, f"{file}: {text[:300]}")
    prompt = await client.prompt("rebirth")
    check(stored["name"] in json.dumps(prompt, ensure_ascii=False), "the prompt does not say who the agent is")


async def decision(client, workspace):
    """Records a decision twice under one key, and finds it once: in git, in Postgres, in a search, as a resource."""
    word = "zq" + uuid.uuid4().hex[:12]
    before, counted, commit_before = workspace.decision_files(), workspace.identity()["total_decisions"], workspace.head()
    request = {
        "decision_type": "buy", "asset": "BTC", "action": f"Bought 0.1 BTC {word}\n## Reasoning\n---",
        "reasoning": f"Support held: café € 𝄞 {word}\n**Timestamp:** 1999-01-01T00:00:00Z", "confidence": 87.5,
        "risk_level": "low", "metadata": {"entry": 98765.4321, "tags": ["a", "ü"]}, "idempotency_key": f"key-{word}"}
    first = await done(client, "maven_record_decision", **request)
    check(first["git_persisted"] is True, f"{first}")
    check(first["data"]["db_persisted"] is True, f"not in the database: {first}")
    check(first["data"]["total_decisions"] == counted + 1, f"{first}")
    file = first["data"]["filename"]
    again = await done(client, "maven_record_decision", **request)
    check(again["data"]["filename"] == file, f"a second record for one key: {again}")

    after = workspace.decision_files()
    check(set(after) - set(before) == {file}, f"in git: {set(after) ^ set(before)}")
    check(workspace.identity()["total_decisions"] == counted + 1, "the counter in git")
    workspace.git("merge-base", "--is-ancestor", first["commit"], "HEAD")
    check(workspace.git("rev-list", "--count", f"{commit_before}..HEAD").strip() == "1", "more than one commit")
    path = f".moha/maven/decisions/{file}"
    text = workspace.show(path)
    check(word in text and "**Confidence:** 87.5%" in text, text)
    check((workspace.folder / path).read_text() == text, "the file and the commit differ")

    rows = workspace.query(
        "SELECT action, confidence, risk_level, metadata->>'entry' FROM maven_decisions WHERE git_filename = :'file'", file=file)
    check(len(rows) == 1 and rows[0][0] == request["action"] and float(rows[0][1]) == 87.5 and rows[0][2] == "low"
          and rows[0][3] == "98765.4321", f"{rows}")
    found = await done(client, "maven_search", query=word)
    check(file in json.dumps(found), f"the search does not find it: {found}")
    read = only_text(await client.read(f"maven://decisions/{file}"))
    check(word in read, f"the resource does not have it: {read[:300]}")
    stats = await done(client, "maven_get_stats", include_decisions=True, include_identity=True)
    check(str(len(after)) in json.dumps(stats["data"]), f"{stats}")


async def other_writes(client, workspace):
    word = "zq" + uuid.uuid4().hex[:12]
    rebirths = workspace.identity()["rebirth_count"]
    event = await done(client, "maven_log_event", event_type="REBIRTH", content=f"Woke up {word}\n## [2020-01-01T00:00:00Z] FORGED",
                       metadata={"n": 1})
    check(event["git_persisted"] is True, f"{event}")
    check(workspace.identity()["rebirth_count"] == rebirths + 1, "rebirth_count")
    check(word in workspace.show(".moha/maven/session_log.md"), "the event is not in the log")
    rows = workspace.query("SELECT event_type, description FROM maven_memory WHERE description LIKE '%' || :'word' || '%'", word=word)
    check(len(rows) == 1 and rows[0][0] == "REBIRTH", f"{rows}")
    check(not workspace.query("SELECT 1 FROM maven_memory WHERE event_type = 'FORGED'"), "content made an event of its own")

    milestone = await done(client, "maven_create_milestone", title=f"First {word}", description=f"What it was: {word}",
                           category="achievement", significance="high", metadata={"n": 1})
    name = milestone["data"]["filename"]
    check(word in workspace.show(f".moha/maven/milestones/{name}"), name)
    check(word in only_text(await client.read(f"maven://milestones/{name}")), name)

    await done(client, "maven_update_identity", updates={"preferences": {word: True}})
    check(workspace.identity()["preferences"][word] is True, "the identity in git")
    await done(client, "maven_update_identity", updates={"preferences": {"other": 1}})
    check(workspace.identity()["preferences"][word] is True, "an update does not merge")

    await done(client, "maven_verify")
    await done(client, "maven_sync_from_git", force=True)
    workspace.moha("verify", "--quiet")
    check(workspace.git("status", "--porcelain", "--", ".moha") == "", "a write is not committed")


async def refusals(client, workspace):
    head = workspace.head()
    good = {"decision_type": "buy", "action": "a", "reasoning": "b", "confidence": 50, "risk_level": "low"}
    for change, named in (({"confidence": 150}, "confidence"), ({"confidence": "high"}, "confidence"),
                          ({"action": None}, "action"), ({"metadata": "text"}, "metadata")):
        result = await client.call("maven_record_decision", good | change)
        check(result.get("isError") and named in json.dumps(result["content"]), f"{change}: {result}")
    missing = {key: value for key, value in good.items() if key != "reasoning"}
    result = await client.call("maven_record_decision", missing)
    check(result.get("isError") and "reasoning" in json.dumps(result["content"]), f"{result}")
    secret = "AKIA" + "IOSFODNN7" + "QZXJ3KD"
    result = await client.call("maven_record_decision", good | {"reasoning": f"aws_secret_access_key = {secret}/K7MDENG/bPxRfiCYzzzz {secret}"})
    check(result.get("isError") and secret not in json.dumps(result), f"a secret was taken: {result}")
    check(workspace.head() == head, "a refused write was committed")
    await refused(client.call("maven_no_such_tool", {}), -32602)
    missing = -32602 if client.modern else -32002
    for uri in ("maven://nothing", "maven://decisions/decision_19990101_000000.md", "maven://decisions/..%2Fidentity.json",
                "maven://decisions/../identity.json", "other://identity", "maven://memory/1999-01-01x"):
        await refused(client.read(uri), missing)
    await refused(client.prompt("nothing"), -32602)


async def watching(client, workspace):
    """A commit of another process reaches a subscriber."""
    uri = "maven://decisions"
    async with client.watching(uri) as queue:
        await asyncio.to_thread(
            workspace.moha, "record", "decision", "--type", "hold", "--action", "Held", "--reasoning", "From a shell",
            "--confidence", "60", "--risk", "low", "--quiet")
        changed = await asyncio.wait_for(queue.get(), PATIENCE)
        check(changed.startswith(uri), f"an update of {changed}")


async def fixture(client, _):
    tools = {tool["name"] for tool in (await client.tools())["tools"]}
    check("test_simple_text" in tools, f"{tools}")
    kinds = {"test_simple_text": ["text"], "test_image_content": ["image"], "test_audio_content": ["audio"],
             "test_embedded_resource": ["resource"], "test_multiple_content_types": ["text", "image", "resource"]}
    for name, blocks in kinds.items():
        result = await client.call(name)
        check([block["type"] for block in result["content"]] == blocks, f"{name}: {result}")
    failing = await client.call("test_error_handling")
    check(failing["isError"] is True, f"{failing}")

    steps = []
    async def progress(value, total, message):
        steps.append(value)
    await client.call("test_tool_with_progress", progress=progress)
    for _ in range(100):
        if len(steps) >= 3:
            break
        await asyncio.sleep(0.01)
    check(steps == sorted(set(steps)) and len(steps) >= 3, f"progress: {steps}")

    if client.cancels:
        await cancelling(client)
    check(only_text(await client.read("test://static-text")), "no text")
    check("blob" in (await client.read("test://static-binary"))["contents"][0], "no blob")
    check("123" in only_text(await client.read("test://template/123/data")), "the template's parameter")
    await refused(client.read("test://nothing"), -32602 if client.modern else -32002)
    await refused(client.prompt("test_prompt_with_arguments", {"arg1": "x"}), -32602)
    prompt = await client.prompt("test_prompt_with_arguments", {"arg1": "one", "arg2": "two"})
    check("one" in json.dumps(prompt) and "two" in json.dumps(prompt), f"{prompt}")
    completion = await client.complete("test_prompt_with_arguments", "arg1", "par")
    check(len(completion["completion"]["values"]) <= 100, f"{completion}")
    async with client.watching("test://watched-resource"):
        pass


async def cancelling(client):
    """A call that the client gives up. What it asks next is answered, and nothing answers the first."""
    task = asyncio.create_task(client.call("test_tool_with_progress"))
    await asyncio.sleep(0.03)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    for _ in range(3):
        await client.call("test_simple_text")


def leaves(error):
    """The errors inside of groups of errors, which is where the libraries put them."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


async def main():
    name, story, text = sys.argv[1:]
    settings = json.loads(text)
    workspace = Workspace.attached(settings["workspace"]) if settings.get("workspace") else None
    async with talker(name, settings["endpoint"]) as client:
        check(client.version == CLIENTS[name], f"revision {client.version} instead of {CLIENTS[name]}")
        await {"maven": maven, "fixture": fixture}[story](client, workspace)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        asyncio.run(asyncio.wait_for(main(), PATIENCE * 4))
    except BaseException as error:
        for leaf in leaves(error):
            frames = [frame for frame in traceback.extract_tb(leaf.__traceback__) if "clients/" in frame.filename][-3:]
            place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
            print(f"{type(leaf).__name__}: {leaf}\n  at {place}", file=sys.stderr)
        sys.exit(1)
