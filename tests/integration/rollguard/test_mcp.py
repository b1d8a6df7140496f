"""An agent uses Rollguard over stdio: it reads, deploys, and rolls back if it may."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult

from rollguard.operations.stops import freeze
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

GOOD = "def execute(text):\n    return text\n"
BAD = "def execute(text):\n    return text + 1\n"


class Answer(NamedTuple):
    """The document of an answer, and the lines beside it."""

    document: Any
    notes: list[str]
    is_error: bool


class Agent:
    """A session with ``rollguard mcp``."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def says(self, name: str, **arguments: Any) -> list[str]:
        """Return what an error says."""
        result = await self._session.call_tool(name, arguments)
        assert isinstance(result, CallToolResult)
        assert result.is_error, result
        return texts_of(result)

    async def asks(self, name: str, **arguments: Any) -> Answer:
        """Return the answer of a tool."""
        result = await self._session.call_tool(name, arguments)
        assert isinstance(result, CallToolResult)
        document, *notes = texts_of(result)
        return Answer(json.loads(document), notes, bool(result.is_error))


def texts_of(result: CallToolResult) -> list[str]:
    return [each.text for each in result.content if each.type == "text"]


@asynccontextmanager
async def working(env: Mapping[str, str], *options: str) -> AsyncIterator[Agent]:
    """Start the server, and yield an agent; nothing but the protocol may come on stdout."""
    strange: list[Exception] = []

    async def heard(message: Any) -> None:
        if isinstance(message, Exception):
            strange.append(message)

    command = StdioServerParameters(
        command=sys.executable, args=["-m", "rollguard", "mcp", *options], env=dict(env)
    )
    async with (
        stdio_client(command) as (incoming, outgoing),
        ClientSession(incoming, outgoing, message_handler=heard) as session,
    ):
        await session.initialize()
        yield Agent(session)
    assert strange == []


async def test_an_agent_improves_a_tool(shared_system: System, tool: str) -> None:
    """One server answers all, because the start of a process takes longer than its work."""
    env = shared_system.environment()

    async def printed(*words: str) -> Any:
        result = await rollguard(*words, "--json", env=env)
        assert result.code == 0, result
        return json.loads(result.out)

    async with working(env, "--allow-changes", "--by", "ann") as agent:
        first = (
            await agent.asks(
                "deploy",
                tool_name=tool,
                code=GOOD,
                improvement_reason="it was slow",
                checks=[{"name": "smoke", "ok": True}],
            )
        ).document
        assert (first["version_number"], first["created_by"]) == (1, "autonomous")
        assert (first["improvement_reason"], first["checks"][0]["name"]) == ("it was slow", "smoke")
        second = (
            await agent.asks("deploy", tool_name=tool, code=BAD, improvement_type="feature")
        ).document
        assert (second["is_current"], second["created_by"]) == (True, "autonomous")

        bad = second["version_id"]
        await shared_system.run(
            *(execution(tool, "TypeError: \x1b[2J", version_id=bad) for _ in range(2))
        )

        async def rolled_back() -> bool:
            return len((await agent.asks("rollbacks", tool_name=tool)).document) == 1

        await until(rolled_back)
        await shared_system.executions_recorded(tool, 2)

        async def has_read() -> bool:
            health = await agent.asks("health", tool_name=tool)
            return not health.is_error and bool(
                health.document["version_id"] == first["version_id"]
            )

        await until(has_read)
        [rollback] = (await agent.asks("rollbacks", tool_name=tool)).document
        command = str(rollback["command_id"])
        for name, arguments, words in (
            ("check", {"tool_name": tool}, ["check", tool]),
            ("health", {"tool_name": tool}, ["health", tool]),
            ("history", {"tool_name": tool}, ["history", tool]),
            ("rollbacks", {"tool_name": tool}, ["rollbacks", "--tool", tool]),
            ("explain", {"command_id": command[:13]}, ["explain", command]),
            (
                "compare",
                {"tool_name": tool, "from_version": "v1", "to_version": bad},
                ["compare", tool, "v1", str(bad)],
            ),
        ):
            answer = await agent.asks(name, **arguments)
            assert answer == (await printed(*words), [], False), name
        listed = (await agent.asks("tools", state="unjudged")).document
        assert [each for each in listed if each["tool_name"] == tool] == [
            each for each in await printed("tools") if each["tool_name"] == tool
        ]

        done = (await agent.asks("rollback", tool_name=tool, version="v2", reason="retry")).document
        assert (done["status"], done["to_version_id"]) == ("applied", bad)
        again = await agent.asks("rollback", tool_name=tool, version="v2", reason="retry")
        assert again.is_error
        assert again.document["rejection"] == "already_current"
        assert "is the current one already" in again.notes[0]
        [issued] = await shared_system.query(
            "SELECT issued_by FROM rollbacks WHERE tool_name = $1 AND status = 'applied'"
            " AND tier = 'manual'",
            tool,
        )
        assert issued["issued_by"] == "ann (mcp)"
        pinned = (await agent.asks("pin", tool_name=tool, reason="I work on it", for_s=60)).document
        assert (pinned["pinned_by"], pinned["reason"]) == ("ann (mcp)", "I work on it")
        assert pinned["expires_at"] is not None

        await freeze(shared_system.settings, tool, "a release", "bob", None)
        [refused] = await agent.says("deploy", tool_name=tool, code=GOOD + "# again\n")
        assert refused.startswith("refused: frozen: ")
        [unknown] = await agent.says("history", tool_name="no-such-tool")
        assert "'no-such-tool' has no versions" in unknown
        for version in ("v9", "9999999999"):
            [missing] = await agent.says(
                "compare", tool_name=tool, from_version="v1", to_version=version
            )
            assert "has no version with the" in missing

        await shared_system.deploy(tool, f"# {60_000 * 'x'}\n{GOOD}")
        long = await agent.asks("history", tool_name=tool)
        assert [each["version_number"] for each in long.document] == [3, 2, 1]
        assert long.document[0]["code"].endswith("characters more)")
        assert "`rollguard` with --json prints all" in long.notes[0]


async def test_ctrl_c_ends_it_while_it_waits_for_a_line(tmp_path: Path) -> None:
    """Stdin stays open, as on a terminal where nobody types."""
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    file = tmp_path / "stderr"
    with file.open("wb") as stderr:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rollguard", "mcp"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(json.dumps(hello).encode() + b"\n")
        answer = json.loads(await asyncio.wait_for(program.stdout.readline(), 120))
        assert answer["result"]["serverInfo"]["name"] == "rollguard"
        program.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(program.wait(), 120) == 130
        assert await program.stdout.read() == b""
    assert file.read_text() == ""
