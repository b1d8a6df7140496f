"""Arguments and streams that are of no use: one line on stderr and an exit code, for every verb.

The verbs come from the command line itself, so that a new verb is tested as well.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import pytest
import pytest_asyncio

from documentation.command_line import options_of, verbs
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import CommandResult, rollguard
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

VERBS = tuple(verbs())
RUN_ON = ("console", "demo", "up", "worker")
"""They run for long, and print what they print in the same way."""

pytestmark = pytest.mark.timeout(360)


@contextmanager
def full() -> Iterator[IO[bytes]]:
    """Yield an output on a device that is full."""
    with Path("/dev/full").open("wb", buffering=0) as device:
        yield device


@contextmanager
def unread() -> Iterator[IO[bytes]]:
    """Yield a pipe whose reader has gone, as ``head`` goes after its last line."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as pipe:
        yield pipe


def require_one_line(result: CommandResult, *words: str) -> None:
    assert result.code in (1, 2), result
    assert result.out == ""
    assert result.err.startswith("rollguard: "), result
    assert result.err.count("\n") == 1, result
    assert all(word in result.err for word in words), result


@pytest.mark.parametrize("verb", VERBS)
async def test_arguments_that_are_no_text(verb: str) -> None:
    require_one_line(await rollguard(*verb.split(), "\udcff", env={}), "not UTF-8")


@pytest.mark.parametrize("words", [(), ("show",), ("keys", "list")])
async def test_help_on_useless_streams(words: tuple[str, ...]) -> None:
    """Streams are opened before a verb is chosen: one verb, one of a group, and none."""
    for stream, name in (("stdin", "input"), ("stdout", "output")):
        result = await rollguard(*words, "--help", env={}, closed=[stream])
        require_one_line(result, f"the standard {name} is closed")
    with full() as device:
        result = await rollguard(*words, "--help", env={}, stdout=device)
        require_one_line(result, "cannot be written: No space left")


async def test_without_stderr_only_the_exit_code_speaks() -> None:
    blind = await rollguard("show", "--no-such-option", env={}, closed=["stderr"])
    assert (blind.code, blind.out, blind.err) == (2, "", "")


@pytest.fixture(scope="module")
def env(_three_roles: Workers) -> dict[str, str]:
    return _three_roles.environment()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def arguments(
    _three_roles: Workers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, str]]:
    """Provide a value for each argument or option that a verb may require, by its name."""
    tool, file = "streams", tmp_path_factory.mktemp("streams") / "code.py"
    file.write_text("x = 1\n")
    async with System.of(_three_roles) as system:
        await system.deploy(tool, "def execute(x): pass")
        await system.deploy(tool, "def execute(): pass")
        await system.run(*(execution(tool, "TypeError: x") for _ in range(2)))
        query = "SELECT command_id FROM rollbacks WHERE tool_name = $1"

        async def rolled_back() -> bool:
            return bool(await system.query(query, tool))

        await until(rolled_back)
        [row] = await system.query(query, tool)
    yield {
        "tool": tool,
        "version": "v1",
        "from_": "v1",
        "to": "v2",
        "file": str(file),
        "command_id": str(row["command_id"]),
        "held_id": str(row["command_id"]),
        "execution_id": str(uuid4()),
        "reason": "a test",
        "older_than": "1d",
        "roles": "detector",
        "out": str(file.with_name("new.pem")),
    }


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in RUN_ON])
async def test_output_that_cannot_be_written(
    verb: str, arguments: dict[str, str], env: dict[str, str]
) -> None:
    command = verbs()[verb]
    words = verb.split()
    for each in command.params:
        if each.required:
            is_option = each.param_type_name == "option"
            words += [each.opts[0]] if is_option else []
            words.append(arguments[each.name])
    if verb == "record":
        words += [arguments["tool"], "--ok"]
    if verb == "verdict":
        words += ["--bad", "--version-id", "v1"]
    words += ["--yes"] if "--yes" in options_of(command) else []
    with full() as device, unread() as pipe:
        for output, more in ((device, []), (pipe, ["--json"])):
            if not options_of(command).issuperset(more):
                continue
            result = await rollguard(*words, *more, env=env, stdout=output)
            if result.code != 0:
                require_one_line(result)
            else:  # it prints nothing
                assert (await rollguard(*words, *more, env=env)).out == ""
