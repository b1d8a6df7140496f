"""What version management takes on a real Kafka and Postgres: ``make numbers``.

*Reads*: `get_version_history` and `compare_versions` of a tool with 10,000 versions, beside
1,000,000 executions of it.

*Create*: from the call of `create_version` until an engine that follows `tool-versions` has loaded
the version, one at a time, idle.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from uuid import uuid4

import typer

from bench.spine import apache_kafka
from rollguard import ToolVersionManager
from rollguard.embedded import EmbeddedStack
from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import ToolVersion
from schemas.settings import Settings
from tests.system import System

TOOL = "benched"

_FILL = (
    """
    insert into tool_versions (
        tool_name, version_number, code, code_hash, created_by, deployment_count, is_current,
        improvement_type, previous_version_id, activation, total_executions,
        successful_executions, success_rate
    )
    select $1, n, code, encode(sha256(convert_to(code, 'UTF8')), 'hex'), 'autonomous', 1,
        n = $2, 'autonomous_improvement', nullif(n - 1, 0), n, 100, 90, 0.9
    from generate_series(1, $2) as n,
        lateral (
            select string_agg(
                format(E'def step_%s(text, limit=%s):\\n    return text[:limit]\\n', i, n % i + 1),
                E'\\n\\n'
            ) as code
            from generate_series(1, 40) as i
        ) as written
    """,
    """
    insert into tool_executions (
        execution_id, tool_name, version_id, success, error, executed_at, log_offset
    )
    select gen_random_uuid(), $1, 1 + n % $2, n % 10 <> 0,
        case when n % 10 = 0 then 'ValueError: x' end, now() - n * interval '50 ms', $3 - n
    from generate_series(1, $3::int) as n
    """,
)


async def fill(system: System, versions: int, executions: int) -> None:
    """A tool with so many versions of 40 functions, and so many executions of them in turn."""
    await system.query(_FILL[0], TOOL, versions)
    await system.query(_FILL[1], TOOL, versions, executions)
    await system.query("vacuum analyze tool_versions")
    await system.query("vacuum analyze tool_executions")


async def timed(times: int, call: Callable[[], Awaitable[object]]) -> list[float]:
    """Seconds that each of so many calls took."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - started)
    return taken


def say(what: str, taken: list[float]) -> None:
    cuts = statistics.quantiles(taken, n=100)
    print(
        f"{what}, {len(taken)} times: p50 {1000 * cuts[49]:.1f} ms, p99 {1000 * cuts[98]:.1f} ms, "
        f"max {1000 * max(taken):.1f} ms",
        flush=True,
    )


async def reads(system: System, versions: int, executions: int, times: int) -> None:
    """Print what the reads take."""
    await fill(system, versions, executions)
    chance = Random(4)
    async with ToolVersionManager(system.settings) as manager:
        await manager.compare_versions(TOOL, 1, 2)  # opens what is kept open
        say(
            "get_version_history of 50",
            await timed(times, lambda: manager.get_version_history(TOOL)),
        )
        say(
            "compare_versions",
            await timed(
                times,
                lambda: manager.compare_versions(
                    TOOL, chance.randint(1, versions), chance.randint(1, versions)
                ),
            ),
        )


class _Loader:
    async def load(self, version: ToolVersion) -> str:
        exec(compile(version.code, "tool", "exec"), {})
        return version.code

    async def unload(self, tool: str) -> None:
        """Nothing is held."""


def _runs(code: str, loaded: LoadedTool[str]) -> bool:
    return loaded.version.code == code


async def creates(settings: Settings, times: int) -> None:
    """Print what a new version takes until an engine has loaded it."""
    async with (
        ToolVersionManager(settings) as manager,
        ToolRegistry(settings, _Loader()) as registry,
    ):
        await manager.create_version("created", "x = 0\n")
        loaded, returned = [], []
        for number in range(times):
            code = f"def execute(text):\n    return text + '{number}'\n"
            started = time.perf_counter()
            creating = asyncio.create_task(manager.create_version("created", code))
            await registry.wait_for("created", partial(_runs, code), 30)
            loaded.append(time.perf_counter() - started)
            await creating
            returned.append(time.perf_counter() - started)
            await asyncio.sleep(0.02)
    say("create_version until an engine has loaded it", loaded)
    say("create_version until it returns", returned)


async def measure(brokers: str, versions: int, executions: int, times: int) -> None:
    """Print all."""
    async with EmbeddedStack() as stack:
        with tempfile.TemporaryDirectory() as folder:
            prefix = f"bench-{uuid4().hex[:8]}-"
            dsn = stack.postgres_dsn
            async with System.started(
                brokers, dsn, prefix, Path(folder), ("applier",), 500
            ) as system:
                await creates(system.settings, times)
                await system.query("truncate tool_versions, tool_executions restart identity")
                await reads(system, versions, executions, times)


def main(versions: int = 10_000, executions: int = 1_000_000, times: int = 500) -> None:
    """Measure on the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else on one from Maven."""
    with ExitStack() as stack:
        brokers = os.environ.get("ROLLGUARD_KAFKA_BROKERS") or stack.enter_context(apache_kafka())
        asyncio.run(measure(brokers, versions, executions, times))


if __name__ == "__main__":
    typer.run(main)
