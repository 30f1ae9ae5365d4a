"""The clients, each behind the same few calls. Every result is the dictionary that was on the wire.

`talker(client, endpoint)` is an asynchronous context manager. An endpoint is a URL, or the command of a server on
standard input with its environment.
"""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

#: Each client, and the revision it should end up with.
CLIENTS = {"auto": "2026-07-28", "legacy": "2025-11-25", "2026-07-28": "2026-07-28", "fastmcp": "2026-07-28",
           "older": "2025-11-25"}


class Refused(Exception):
    """A JSON-RPC error, as the client reports it."""

    def __init__(self, code, message):
        super().__init__(f"{code} {message}")
        self.code, self.message = code, message


def wire(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Talker:
    """What is the same for all clients: `perform` runs one of them and makes its errors ours."""

    version = None
    instructions = None
    #: Whether giving up a call tells the server so.
    cancels = True

    async def perform(self, call):
        try:
            return wire(await call)
        except Exception as error:
            code = getattr(getattr(error, "error", None), "code", None)
            if code is None:
                raise
            raise Refused(code, error.error.message) from error

    def told(self, message):
        """Takes a notification that came outside of any call."""
        value = wire(getattr(message, "root", message)) if hasattr(message, "model_dump") else {}
        if value.get("method") == "notifications/resources/updated":
            self.updates.put_nowait(value["params"]["uri"])

    @property
    def modern(self):
        return self.version == "2026-07-28"


class CurrentTalker(Talker):
    """The SDK of both eras in one of its modes."""

    def __init__(self, mode, endpoint):
        from mcp import Client
        from mcp.client.stdio import StdioServerParameters

        self.updates = asyncio.Queue()
        server = endpoint if isinstance(endpoint, str) else StdioServerParameters(**endpoint)
        self.client = Client(server, mode=mode, cache=None, message_handler=self.handle, read_timeout_seconds=60)

    async def handle(self, message):
        self.told(message)

    async def __aenter__(self):
        await self.client.__aenter__()
        self.version = self.client.protocol_version
        self.instructions = self.client.instructions
        return self

    async def __aexit__(self, *reason):
        await self.client.__aexit__(*reason)

    async def tools(self):
        return await self.perform(self.client.list_tools())

    async def resources(self):
        return await self.perform(self.client.list_resources())

    async def templates(self):
        return await self.perform(self.client.list_resource_templates())

    async def prompts(self):
        return await self.perform(self.client.list_prompts())

    async def read(self, uri):
        return await self.perform(self.client.read_resource(uri))

    async def prompt(self, name, arguments=None):
        return await self.perform(self.client.get_prompt(name, arguments))

    async def complete(self, prompt, argument, value):
        from mcp_types import PromptReference
        reference = PromptReference(type="ref/prompt", name=prompt)
        return await self.perform(self.client.complete(reference, {"name": argument, "value": value}))

    async def call(self, name, arguments=None, progress=None):
        return await self.perform(self.client.call_tool(name, arguments, progress_callback=progress))

    @asynccontextmanager
    async def watching(self, uri):
        """Yields a queue of the URIs that changed."""
        if not self.modern:
            await self.perform(self.client.session.subscribe_resource(uri))
            yield self.updates
            await self.perform(self.client.session.unsubscribe_resource(uri))
            return
        async with self.client.listen(resource_subscriptions=[uri]) as subscription:
            queue = asyncio.Queue()

            async def forward():
                async for event in subscription:
                    queue.put_nowait(event.uri)

            task = asyncio.create_task(forward())
            try:
                yield queue
            finally:
                task.cancel()


class FastTalker(CurrentTalker):
    """The other client library, which negotiates on its own."""

    def __init__(self, endpoint):
        from fastmcp import Client
        from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

        self.updates = asyncio.Queue()
        if isinstance(endpoint, str):
            transport = StreamableHttpTransport(endpoint)
        else:
            transport = StdioTransport(
                command=endpoint["command"], args=endpoint["args"], env=endpoint["env"], keep_alive=False)
        self.client = Client(transport, cache=False, message_handler=self.handle, timeout=60)

    async def tools(self):
        return await self.perform(self.client.list_tools_mcp())

    async def resources(self):
        return await self.perform(self.client.list_resources_mcp())

    async def templates(self):
        return await self.perform(self.client.list_resource_templates_mcp())

    async def prompts(self):
        return await self.perform(self.client.list_prompts_mcp())

    async def read(self, uri):
        return await self.perform(self.client.read_resource_mcp(uri))

    async def prompt(self, name, arguments=None):
        return await self.perform(self.client.get_prompt_mcp(name, arguments))

    async def complete(self, prompt, argument, value):
        from mcp_types import PromptReference
        reference = PromptReference(type="ref/prompt", name=prompt)
        return await self.perform(self.client.complete_mcp(reference, {"name": argument, "value": value}))

    async def call(self, name, arguments=None, progress=None):
        return await self.perform(self.client.call_tool_mcp(name, arguments or {}, progress_handler=progress))

    @asynccontextmanager
    async def watching(self, uri):
        from mcp.client.subscriptions import listen

        if not self.modern:
            async with super().watching(uri) as queue:
                yield queue
            return
        async with listen(self.client.session, resource_subscriptions=[uri]) as subscription:
            queue = asyncio.Queue()

            async def forward():
                async for event in subscription:
                    queue.put_nowait(event.uri)

            task = asyncio.create_task(forward())
            try:
                yield queue
            finally:
                task.cancel()


class OlderTalker(Talker):
    """The last SDK before the newest revision."""

    cancels = False

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.updates = asyncio.Queue()
        self.stack = AsyncExitStack()

    async def handle(self, message):
        if not isinstance(message, Exception):
            self.told(message)

    async def __aenter__(self):
        from mcp import ClientSession
        from mcp.client.stdio import StdioServerParameters, stdio_client
        from mcp.client.streamable_http import streamable_http_client

        if isinstance(self.endpoint, str):
            streams = await self.stack.enter_async_context(streamable_http_client(self.endpoint))
        else:
            streams = await self.stack.enter_async_context(stdio_client(StdioServerParameters(**self.endpoint)))
        self.session = await self.stack.enter_async_context(
            ClientSession(streams[0], streams[1], message_handler=self.handle))
        result = await self.session.initialize()
        self.version, self.instructions = result.protocolVersion, result.instructions
        return self

    async def __aexit__(self, *reason):
        await self.stack.__aexit__(*reason)

    async def tools(self):
        return await self.perform(self.session.list_tools())

    async def resources(self):
        return await self.perform(self.session.list_resources())

    async def templates(self):
        return await self.perform(self.session.list_resource_templates())

    async def prompts(self):
        return await self.perform(self.session.list_prompts())

    async def read(self, uri):
        from pydantic import AnyUrl
        return await self.perform(self.session.read_resource(AnyUrl(uri)))

    async def prompt(self, name, arguments=None):
        return await self.perform(self.session.get_prompt(name, arguments))

    async def complete(self, prompt, argument, value):
        from mcp.types import PromptReference
        reference = PromptReference(type="ref/prompt", name=prompt)
        return await self.perform(self.session.complete(reference, {"name": argument, "value": value}))

    async def call(self, name, arguments=None, progress=None):
        return await self.perform(self.session.call_tool(name, arguments, progress_callback=progress))

    @asynccontextmanager
    async def watching(self, uri):
        from pydantic import AnyUrl
        await self.perform(self.session.subscribe_resource(AnyUrl(uri)))
        yield self.updates
        await self.perform(self.session.unsubscribe_resource(AnyUrl(uri)))


def talker(client, endpoint):
    if client == "older":
        return OlderTalker(endpoint)
    if client == "fastmcp":
        return FastTalker(endpoint)
    return CurrentTalker(client, endpoint)
