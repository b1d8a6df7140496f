"""Data in a pipe and on a terminal, and versions and commands as people name them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
import pytest_asyncio

from rollguard.client import EngineClient
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import on_terminal, rollguard
from tests.support.systems.system import System

CODE = "def execute(x):\r\n\treturn ':smile: [bold]x[/bold]'  # \u202e\x1b[31m " + "long " * 60
ERROR = "TypeError: :boom: [red]bad[/red]\n" + "long " * 400

pytestmark = pytest.mark.timeout(360)


class Tool(NamedTuple):
    """A tool with two versions, of which the second failed once, and the ids of both."""

    name: str
    first: int
    second: int
    env: dict[str, str]


@pytest_asyncio.fixture
async def two_versions(shared_system: System, tool: str) -> AsyncIterator[Tool]:
    for number in (1, 2):  # so that no id of the tool is the number of a version as well
        await shared_system.deploy("other", f"name = {tool!r}, {number}")
    first = await shared_system.deploy(tool, "def execute(x): pass")
    second = await shared_system.deploy(tool, CODE)
    assert first.version_id is not None
    assert second.version_id is not None
    await shared_system.run(execution(tool, ERROR, version_id=second.version_id))
    await shared_system.executions_recorded(tool, 1)
    yield Tool(tool, first.version_id, second.version_id, shared_system.environment())


async def test_a_pipe_gets_code_as_it_is_and_a_terminal_obeys_and_cuts_nothing(
    two_versions: Tool,
) -> None:
    tool, env = two_versions.name, two_versions.env
    shown = (await rollguard("show", tool, "v2", env=env)).out
    assert shown.endswith(f"\n\n{CODE}")
    compared = (await rollguard("compare", tool, "v1", "v2", env=env)).out
    found = json.loads((await rollguard("compare", tool, "v1", "v2", "--json", env=env)).out)
    assert compared.endswith(found["code_diff"])
    assert f"\n+{CODE.splitlines()[0]}\r\n" in compared
    for words in (("show", tool, "v2"), ("compare", tool, "v1", "v2")):
        shown = (await on_terminal(*words, env=env)).out
        assert "\\u202e␛[31m" in shown
        assert ":smile:" in shown
        assert "[bold]x[/bold]" in shown
        assert shown.count("long") == 60


async def test_errors_and_ids_are_whole_and_on_one_line(
    two_versions: Tool, shared_system: System
) -> None:
    tool, env = two_versions.name, two_versions.env
    order = (
        await rollguard("rollback", tool, "v1", "--reason", ERROR, "--by", "[b]:smile:", env=env)
    ).out
    assert order == f"{tool}: v1 (id {two_versions.first}) is current again\n"
    [row] = await shared_system.query("SELECT * FROM rollbacks WHERE tool_name = $1", tool)
    [listed] = (await rollguard("rollbacks", "--tool", tool, env=env)).out.splitlines()[1:]
    assert str(row["command_id"]) in listed
    versions = f"v2 (id {two_versions.second}) → v1 (id {two_versions.first})"
    assert f"\t{versions}\tapplied\tmanual\tby [b]:smile:" in listed
    told = (await rollguard("explain", str(row["command_id"])[:8], env=env)).out
    [reason] = [line for line in told.splitlines() if line.startswith("details: reason ")]
    assert reason.removeprefix("details: reason ").lstrip(" ") == ERROR.replace("\n", "␊")
    history = (await rollguard("history", tool, env=env)).out.splitlines()
    assert [line.partition("\t")[0] for line in history[1:]] == [
        f"v2 (id {two_versions.second})",
        f"v1 (id {two_versions.first})",
    ]
    for shown in (told, *history):
        assert not {"None", "True", "False"} & set(shown.replace("\t", " ").split())


async def test_a_version_is_named_by_its_number_or_its_id(
    two_versions: Tool, tmp_path: Path
) -> None:
    tool, env = two_versions.name, two_versions.env
    for name in ("v1", "V1", str(two_versions.first)):
        shown = await rollguard("show", tool, name, env=env)
        assert f"\nversion                v1 (id {two_versions.first})\n" in shown.out
    missed = await rollguard("show", tool, "2", env=env)
    assert missed.code == 1
    assert f"no version with the id 2; did you mean v2 (id {two_versions.second})?" in missed.err
    assert "number v3" in (await rollguard("compare", tool, "v1", "v3", env=env)).err
    current = await rollguard("rollback", tool, str(two_versions.second), env=env)
    assert f"v2 (id {two_versions.second}) of {tool!r} is the current one already" in current.err
    ran = await rollguard("record", tool, "--ok", "--version-id", "v1", env=env)
    assert ran.out.endswith(f" of v1 (id {two_versions.first})\n")


async def test_a_command_is_named_by_the_beginning_of_its_id(
    two_versions: Tool, shared_system: System
) -> None:
    tool, env = two_versions.name, two_versions.env
    beginning = UUID(int=two_versions.first << 96).hex[:8]  # this tool's own
    ids = [UUID(f"{beginning}-000{number}-4000-8000-000000000000") for number in (1, 2)]
    async with EngineClient(shared_system.settings) as client:
        for command_id in ids:
            await client.rollback(tool, two_versions.first, "a test", command_id=command_id)
    for name in (str(ids[0]), f"{beginning}-0001", str(ids[0])[:15].upper(), ids[0].hex):
        told = json.loads((await rollguard("explain", name, "--json", env=env)).out)
        assert told["command_id"] == str(ids[0]), name
    for words in (("explain",), ("approve",), ("dismiss", "--reason", "no")):
        unclear = await rollguard(words[0], beginning, *words[1:], env=env)
        assert (unclear.code, unclear.out) == (1, "")
        assert f"more than one id begins with {beginning}: {ids[0]}, {ids[1]}" in unclear.err
    other = f"other than {tool}"
    async with EngineClient(shared_system.settings) as client:
        await client.rollback(other, 1, "a test", command_id=ids[0])
    unclear = await rollguard("explain", str(ids[0]), env=env)
    assert (unclear.code, unclear.out) == (1, "")
    for each in sorted((tool, other)):
        assert f"{each!r}" in unclear.err
        told = await rollguard("explain", str(ids[0]), "--tool", each, "--json", env=env)
        assert json.loads(told.out)["tool_name"] == each
    assert "have the id" in unclear.err
    assert "name one with --tool" in unclear.err
    unknown = await rollguard("explain", "ffffffff-f", env=env)
    assert (unknown.code, "an id that begins with fffffffff;" in unknown.err) == (1, True)
