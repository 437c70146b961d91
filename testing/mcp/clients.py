"""The official SDK's client for Python, in both eras of the protocol, over HTTP and on standard
input and output.

OCTOPOID_SERVER is the server, API_SECRET_KEY its administrator's key, OCTOPOID_BIN the program for
standard input and output. An argument chooses some of the clients by a part of their name.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

SERVER = os.environ["OCTOPOID_SERVER"]
STEPS = json.loads(Path(__file__).with_name("conversation.json").read_text(encoding="utf-8"))

# How the client is told to connect, and the version that both sides must agree on.
MODES = [("2026-07-28", "2026-07-28"), ("auto", "2026-07-28"), ("legacy", "2025-11-25")]


def filled(value, kept):
    """Puts what was kept in the place of its name in braces, in every text of a value."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: kept.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [filled(item, kept) for item in value]
    if isinstance(value, dict):
        return {name: filled(item, kept) for name, item in value.items()}
    return value


async def converse(client):
    """Calls every tool that the server lists, and checks what each call says."""
    listed = {tool.name for tool in (await client.list_tools()).tools}
    kept = {}
    for step in STEPS:
        arguments = filled(step["arguments"], kept)
        result = await client.call_tool(step["tool"], arguments)
        shown = f"{step['tool']} {arguments} says:\n{result.content}"
        assert [part.type for part in result.content] == ["text"], shown
        assert bool(result.is_error) == step.get("is_error", False), shown
        text = result.content[0].text
        for name, pattern in step.get("keeps", {}).items():
            found = re.search(filled(pattern, kept), text, re.MULTILINE)
            assert found, f"{shown}\nwithout {pattern}"
            kept[name] = found[1]
        for pattern in step["says"]:
            assert re.search(filled(pattern, kept), text, re.MULTILINE), f"{shown}\nwithout {pattern}"
    called = {step["tool"] for step in STEPS} & listed
    assert called == listed, f"not called: {listed - called}"


def holding(key):
    """An HTTP client that sends a key."""
    return httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60)


async def issue(scope):
    """A key for a scope of its own."""
    body = {"scope": scope, "label": scope, "permission": "manage"}
    async with holding(os.environ["API_SECRET_KEY"]) as client:
        answer = await client.post(f"{SERVER}/api/v1/admin/keys", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["api_key"]


async def talk(name, version, mode, transport):
    """Connects, talks, and leaves."""
    async with Client(transport, mode=mode) as client:
        assert client.protocol_version == version, f"{name}: {client.protocol_version}"
        await converse(client)
    print(f"ok {name}: {version}, {len(STEPS)} calls", flush=True)


async def over_http(name, version, mode):
    async with holding(await issue(f"{name}-{os.getpid()}")) as http:
        await talk(name, version, mode, streamable_http_client(f"{SERVER}/mcp", http_client=http))
    await is_refused(name, mode)


async def is_refused(name, mode):
    """A wrong key is a 401 and the end of it, not the beginning of a login. The SDK hides which error it was."""
    answers = []

    async def note(answer):
        answers.append((answer.request.url.path, answer.status_code))

    async with holding("wrong") as http:
        http.event_hooks = {"response": [note]}
        try:
            async with Client(streamable_http_client(f"{SERVER}/mcp", http_client=http), mode=mode) as client:
                await client.list_tools()
        except Exception:
            assert answers and set(answers) == {("/mcp", 401)}, f"{name}: {answers}"
        else:
            raise AssertionError(f"{name}: a wrong key is taken")
    print(f"ok {name}: a wrong key is refused", flush=True)


async def over_stdio(name, version, mode):
    key = await issue(f"{name}-{os.getpid()}")
    with tempfile.TemporaryDirectory() as home:
        env = {"OCTOPOID_SERVER": SERVER, "OCTOPOID_KEY": key, "HOME": home, "XDG_CONFIG_HOME": home}
        command = StdioServerParameters(command=os.environ["OCTOPOID_BIN"], args=["mcp"], env=env, cwd=home)
        await talk(name, version, mode, stdio_client(command))


async def main():
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    for mode, version in MODES:
        for way, over in [("http", over_http), ("stdio", over_stdio)]:
            name = f"py-{mode}-{way}"
            if chosen in name:
                await over(name, version, mode)


asyncio.run(main())
