"""`rollguard up`: two at once, a port that is taken, and workers that end."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from rollguard.embedded.ports import is_free
from tests.support.children import children_of
from tests.support.systems.command_line import rollguard
from tests.support.systems.idle_stack import IDLE_STACK
from tests.support.waiting import until

ROLES = ("detector", "applier", "recorder", "console")


@dataclass
class Up:
    """A running ``rollguard up``, and what it has printed."""

    process: Process
    variables: dict[str, str]
    urls: dict[str, str]
    logs: dict[str, Path]

    def worker(self, role: str) -> psutil.Process | None:
        """Return the process of a role's worker; None while none runs."""
        return next(iter(children_of(self.process.pid, "worker", role)), None)

    async def next_error(self) -> str:
        """Return the next line of stderr."""
        assert self.process.stderr is not None
        async with asyncio.timeout(120):
            return (await self.process.stderr.readline()).decode()


def _environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROLLGUARD_")}
    return {**own, **IDLE_STACK, **more}


@asynccontextmanager
async def running_up(**env: str) -> AsyncIterator[Up]:
    """Run ``rollguard up``; the block begins when it says that it is up."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollguard", "up"),
        stdout=PIPE,
        stderr=PIPE,
        env=_environment(**env),
    )
    assert process.stdout is not None
    printed = ""
    try:
        async with asyncio.timeout(280):
            while "Ctrl-C" not in printed:
                line = (await process.stdout.readline()).decode()
                assert line, await process.stderr.read() if process.stderr else ""
                printed += line
        yield Up(
            process,
            dict(re.findall(r"^export (\w+)='(.*)'$", printed, re.M)),
            dict(re.findall(r"^(\w+): (http\S+), log ", printed, re.M)),
            {role: Path(log) for role, log in re.findall(r"^(\w+): .*, log (.+)$", printed, re.M)},
        )
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), 120) == 0


OTHER_SERVERS = {
    "ROLLGUARD_KAFKA_BROKERS": "127.0.0.1:1",
    "ROLLGUARD_KAFKA_SECURITY": "ssl",
    "ROLLGUARD_KAFKA_CA_FILE": "/no/such/file",
    "ROLLGUARD_WORKER_NAME": "mine",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/no/such/file",
    "PGTARGETSESSIONATTRS": "read-only",
}


@pytest.mark.timeout(600)
async def test_two_stand_side_by_side_and_one_ends_with_its_workers(tmp_path: Path) -> None:
    """Neither takes the other for its own; then a worker of the second one ends again and again.

    The second one is told of other servers, which it ignores, and of rules, which it keeps.
    """
    code = tmp_path / "tool.py"
    code.write_text("def execute(x):\n    return x\n")
    named = tmp_path / "named.env"
    named.write_text("ROLLGUARD_POLICY=guarded\n")
    async with running_up(ROLLGUARD_ENV_FILE=str(named), **OTHER_SERVERS) as second:
        async with running_up() as first:
            await _are_strangers(first, second, code)
        await _ends_with_its_recorder(second)
    assert all(is_free(int(url.rpartition(":")[2])) for url in second.urls.values())
    assert not second.logs["recorder"].exists()


async def _are_strangers(first: Up, second: Up, code: Path) -> None:
    assert set(first.urls) == set(first.logs) == set(ROLES)
    assert not set(first.urls.values()) & set(second.urls.values())
    assert all(log.read_text() for log in second.logs.values())
    env = _environment(**first.variables)
    assert (await rollguard("deploy", "parser", str(code), env=env)).code == 0

    async def judged() -> bool:
        return (await rollguard("check", "parser", env=env)).code == 0

    await until(judged)
    through = await rollguard("tools", env=_environment(ROLLGUARD_URL=first.urls["console"]))
    assert (through.code, "parser" in through.out) == (0, True), through
    await _judges_by_guarded(second, code)
    crossed = env | {"ROLLGUARD_DETECTOR_URL": second.variables["ROLLGUARD_DETECTOR_URL"]}
    answer = await rollguard("check", "parser", env=crossed)
    assert answer.code == 1
    assert "belongs to another system than ours" in answer.err

    port = first.urls["detector"].rpartition(":")[2]
    taken = await rollguard("up", env=_environment(ROLLGUARD_WEB_PORT=port))
    assert (taken.code, taken.out) == (1, "")
    assert f"ROLLGUARD_WEB_PORT {port} is taken" in taken.err


async def _judges_by_guarded(up: Up, code: Path) -> None:
    env = _environment(**up.variables, PGSSLMODE="verify-full", PGSSLROOTCERT="/no/such/file")
    assert (await rollguard("deploy", "parser", str(code), env=env)).code == 0

    async def judged() -> bool:
        answer = await rollguard("health", "parser", "--json", env=env)
        return answer.code == 0 and "outage" in json.loads(answer.out)

    await until(judged)


async def _ends_with_its_recorder(up: Up) -> None:
    """Kill the recorder each time it has started; after three more starts all ends."""
    for start in range(1, 5):
        await until(lambda: _runs(up, "recorder"))
        recorder = up.worker("recorder")
        assert recorder is not None
        recorder.kill()
        while "the recorder ended with -9" not in (line := await up.next_error()):
            assert line, "it ended"
            if start == 4:
                break
        if start < 4:
            assert f"start {start} of 3" in line
    assert "recorder: ended with -9" in line
    assert "it ended 4 times" in line
    assert await asyncio.wait_for(up.process.wait(), 120) == 1


async def _runs(up: Up, role: str) -> bool:
    return up.worker(role) is not None
