"""What agents may do, and what they are told: bounded, escaped, and nothing of our own bugs."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.types import CallToolResult

from rollguard.mcp.agent_tool import AgentTool, Request
from rollguard.mcp.arguments import OfTool
from rollguard.mcp.bounded import bounded_json
from rollguard.mcp.changing import require_machine_key
from rollguard.mcp.server import AT_ONCE, called, server_of, server_with
from schemas.errors import Misconfigured, Rejected
from schemas.printable import printable
from schemas.settings import Settings, load_settings
from tests.support.inputs.hostile import HOSTILE
from tests.support.inputs.signing import settings_of, write_files

READS = {"tools", "check", "health", "history", "compare", "rollbacks", "explain"}
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=40,
)


@pytest.fixture
def away() -> Settings:
    """Return the settings of a system that does not answer."""
    return load_settings(
        kafka_brokers="127.0.0.1:1", postgres_dsn="postgresql://a@127.0.0.1:1/a", wait_s=1
    )


def texts_of(result: CallToolResult) -> list[str]:
    return [each.text for each in result.content if each.type == "text"]


@pytest.mark.parametrize(
    ("by", "more"), [(None, {"deploy"}), ("ann", {"deploy", "rollback", "pin"})]
)
async def test_what_is_offered(away: Settings, by: str | None, more: set[str]) -> None:
    async with Client(server_of(away, by)) as client:
        tools = (await client.list_tools()).tools
    assert {each.name for each in tools} == READS | more
    for each in tools:
        assert each.description
        assert each.annotations is not None
        assert each.annotations.read_only_hint is (each.name in READS)
        assert each.annotations.destructive_hint is (each.name not in READS)
        assert each.input_schema["additionalProperties"] is False


async def test_through_a_console_agents_ask_it_and_deploy_nothing() -> None:
    through = load_settings(url="http://127.0.0.1:1", wait_s=1)
    async with Client(server_of(through, "ann")) as client:
        tools = (await client.list_tools()).tools
        result = await client.call_tool("tools", {})
    assert {each.name for each in tools} == READS | {"rollback", "pin"}
    assert "console: http://127.0.0.1:1 does not answer" in texts_of(result)[0]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("check", {}, "check: tool_name: Field required"),
        ("check", {"tool_name": "a\0b"}, "check: tool_name: Value error, NUL is not allowed"),
        ("history", {"tool_name": "a", "limit": 0}, "history: limit: Input should be greater"),
        ("compare", {"tool_name": "a", "from_version": "x", "to_version": 2}, "'x' is no version"),
        ("explain", {"command_id": "zz"}, "command_id: 'zz' is no part of an id"),
        ("rollbacks", {"since": "yesterday"}, "rollbacks: since: Value error, not an RFC 3339"),
        # Whatever is said: what agents deploy is a machine's, or it is not deployed.
        ("deploy", {"tool_name": "a", "code": "", "by": "human"}, "deploy: by: Extra inputs"),
        ("deploy", {"tool_name": "a", "code": "", "created_by": "human"}, "created_by: Extra"),
        ("rollback", {"tool_name": "a", "version": "v1", "reason": "x"}, "there is no tool"),
        ("pin", {"tool_name": "a", "reason": "x"}, "there is no tool 'pin'"),
        ("approve", {"command_id": "1"}, "there is no tool 'approve'; there are tools, check,"),
        ("\x1b[2J\n", {}, r"there is no tool '\x1b[2J\n'"),
        ("tools", {}, "Postgres: 127.0.0.1:1/a"),
        ("check", {"tool_name": "a"}, "detector: http://127.0.0.1:"),
    ],
)
async def test_errors_are_answers(
    away: Settings, name: str, arguments: dict[str, Any], said: str
) -> None:
    async with Client(server_of(away, None)) as client:
        result = await client.call_tool(name, arguments)
    assert result.is_error
    (text,) = texts_of(result)
    assert said in text
    assert text == printable(text)


async def test_nothing_hostile_is_passed_on(away: Settings) -> None:
    async def shown(request: Request, given: OfTool) -> Any:
        request.note(given.tool_name)
        return {given.tool_name: [given.tool_name]}

    async def refused(_request: Request, given: OfTool) -> Any:
        raise Rejected(f"no {given.tool_name}")

    # NUL and lone surrogates are refused before.
    known = "".join(sorted(HOSTILE)).replace("\0", "").encode(errors="ignore").decode()
    for start in range(0, len(known), 200):
        arguments = {"tool_name": known[start : start + 200]}
        result = await called(AgentTool("t", OfTool, shown), Request(away, ""), arguments)
        document, note = texts_of(result)
        assert json.loads(document) == {arguments["tool_name"]: [arguments["tool_name"]]}
        assert document.isascii()
        assert document.isprintable()
        assert note == printable(note)
        result = await called(AgentTool("t", OfTool, refused), Request(away, ""), arguments)
        (error,) = texts_of(result)
        assert result.is_error
        assert error == printable(error)


async def test_a_bug_is_told_by_its_class_alone(
    away: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_request: Request, _given: OfTool) -> Any:
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR):
        result = await called(AgentTool("t", OfTool, broken), Request(away, ""), {"tool_name": "a"})
    assert result.is_error
    assert texts_of(result) == ["t has failed: ZeroDivisionError"]
    assert "ZeroDivisionError: secret" in caplog.text


async def test_few_tools_run_at_once(away: Settings) -> None:
    begun, may_end = [0], asyncio.Event()

    async def slow(_request: Request, _given: OfTool) -> Any:
        begun[0] += 1
        if begun[0] == AT_ONCE:
            for _ in range(100):  # the others would begin now
                await asyncio.sleep(0)
            assert begun[0] == AT_ONCE
            may_end.set()
        await may_end.wait()
        return begun[0]

    async with Client(server_with([AgentTool("t", OfTool, slow)], away, None)) as client:
        calls = [client.call_tool("t", {"tool_name": "a"}) for _ in range(3 * AT_ONCE)]
        results = await asyncio.gather(*calls)
    assert not any(each.is_error for each in results)
    assert begun == [3 * AT_ONCE]


@given(DOCUMENTS, st.integers(40, 2_000))
def test_an_answer_is_never_too_long(document: Any, limit: int) -> None:
    whole = json.dumps(document)
    try:
        found = bounded_json(document, limit)
    except Rejected:
        assert len(whole) > limit
        return
    assert len(found.text) <= limit
    assert (found.text == whole) == (found.note is None) == (len(whole) <= limit)
    read = json.loads(found.text)
    assert type(read) is type(document)
    if isinstance(document, dict):
        assert read.keys() == document.keys()


def test_what_was_cut_is_said() -> None:
    found = bounded_json([{"code": "x" * 1_000}] * 30, 20_000)
    versions = json.loads(found.text)
    assert versions == [{"code": "x" * 256 + "… (744 characters more)"}] * 10
    assert found.note is not None
    assert found.note.startswith("shortened from ")
    assert "each text to 256 characters, and each list to 10 entries" in found.note


def test_agents_deploy_with_the_key_of_a_machine(away: Settings, tmp_path: Path) -> None:
    write_files(tmp_path, "ann", "robot")
    require_machine_key(away)
    require_machine_key(settings_of(away, tmp_path))
    require_machine_key(settings_of(away, tmp_path, "robot"))
    with pytest.raises(Misconfigured, match="ROLLGUARD_SIGNING_KEY is no key of a machine"):
        require_machine_key(settings_of(away, tmp_path, "ann"))
