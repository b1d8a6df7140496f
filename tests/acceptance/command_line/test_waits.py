"""Verbs that wait: for lines that come, and for outcomes that do not come."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from uuid import uuid4

import asyncpg
import pytest

from schemas.rollback import RollbackCommand, RollbackOutcome
from tests.support.inputs.messages import execution
from tests.support.programs.program import Program
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(360)


class Verb:
    """A verb that runs, and what it has printed so far."""

    def __init__(self, program: Program, out: Path, err: Path) -> None:
        self.program = program
        self._out, self._err = out, err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    async def says(self, text: str) -> None:
        """Return when stderr has the text."""

        async def said() -> bool:
            return text in self.err

        await until(said)


@asynccontextmanager
async def running(
    system: System,
    folder: Path,
    *words: str,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    **more: str,
) -> AsyncIterator[Verb]:
    """Run a verb during the block."""
    out, err = folder / f"{uuid4()}.out", folder / f"{uuid4()}.err"
    with out.open("wb") as to, err.open("wb") as errors:
        program = await Program.start(
            *("rollguard", *words),
            stdin=stdin,
            stdout=to,
            stderr=errors,
            env=system.environment(**more),
        )
    try:
        yield Verb(program, out, err)
    finally:
        program.kill()
        await program.wait()


@pytest.mark.parametrize("ends_by", ["the end of the pipe", "Ctrl-C"])
async def test_lines_are_published_as_they_come(
    shared_system: System, tool: str, tmp_path: Path, ends_by: str
) -> None:
    reader, writer = os.pipe()
    words = ("record", "--jsonl", "-")
    with open(reader, "rb") as theirs, open(writer, "wb", buffering=0) as ours:
        async with running(shared_system, tmp_path, *words, stdin=theirs) as verb:
            for count in (1, 2):
                line = execution(tool, None).to_bytes()
                await asyncio.to_thread(ours.write, line[:20])
                await asyncio.to_thread(ours.write, line[20:] + b"\nnonsense\n")
                await shared_system.executions_recorded(tool, count)
                await verb.says(f"line {2 * count}: ")
            if ends_by == "Ctrl-C":
                verb.program.send_signal(signal.SIGINT)
                assert await verb.program.wait() == 130
                await verb.says("published until then: 2 executions")
                return
            await asyncio.to_thread(ours.write, execution(tool, None).to_bytes())  # no line feed
            ours.close()
            assert await verb.program.wait() == 1
    assert verb.out == "published 3 executions\n"
    await shared_system.executions_recorded(tool, 3)


async def test_a_person_is_told_what_a_verb_waits_for(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    started = System.started(embedded_broker, database_dsn, topic_prefix, tmp_path, ("applier",))
    async with started as system:
        for code in ("one", "two"):
            await system.deploy("words", code)
        held = await _held(system)
        await system.stop_all()
        file = tmp_path / "three.py"
        file.write_text("three = 3\n")

        async def waits_for(what: str, *words: str, known: str | None = None) -> None:
            async with running(system, tmp_path, *words, ROLLGUARD_WAIT_S="3") as verb:
                assert await verb.program.wait() == 1
                notice, error = verb.err.splitlines()
            begin = f"rollguard: waiting for the outcome of the {what} "
            named = notice.removeprefix(begin).partition(",")[0]
            assert notice == f"{begin}{named}, from an applier"
            assert known in (None, named)
            assert error.endswith(f"The {what} {named} may still be carried out")

        await asyncio.gather(
            waits_for("command", "rollback", "words", "1"),
            waits_for("deployment", "deploy", "words", str(file)),
            waits_for("command", "approve", held, known=held),
            waits_for("command", "dismiss", held[:9], "--reason", "no", known=held),
        )


async def _held(system: System) -> str:
    """Return the id of a held rollback of `words`."""
    [current] = await system.query("SELECT * FROM tool_versions WHERE is_current")
    order = RollbackCommand(
        command_id=uuid4(),
        tool_name="words",
        from_version_id=current["version_id"],
        from_activation=current["activation"],
        tier="standard",
        reason="regression",
        mode="hold",
        details={},
        issued_by="detector",
        issued_at=datetime.now(UTC),
    )
    await system.send(system.topics.commands, "words", order)
    await system.first(
        system.topics.outcomes, lambda value: RollbackOutcome.from_bytes(value).status == "held"
    )
    return str(order.command_id)


async def test_a_pin_that_waits_for_postgres(
    shared_system: System, tool: str, tmp_path: Path
) -> None:
    await shared_system.deploy(tool, "one")
    dsn = shared_system.settings.postgres_dsn.get_secret_value()
    words = ("pin", tool, "--reason", "release", "--json")
    connection = await asyncpg.connect(dsn)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE pins")
        async with running(shared_system, tmp_path, *words) as verb:
            await verb.says(f"waiting for Postgres to pin {tool}")
            await transaction.rollback()
            assert await verb.program.wait() == 0
        assert json.loads(verb.out)["reason"] == "release"
    finally:
        await connection.close()
