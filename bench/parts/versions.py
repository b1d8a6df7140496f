"""The time that version management takes to read versions and to create one."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Final

import asyncpg
import typer

from bench.results import Result, quantiles, show
from bench.setup.environment import Environment
from bench.setup.servers import with_servers
from rollguard import ToolVersionManager
from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import ToolVersion
from schemas.settings import Settings

PART: Final = "versions"
TOOL: Final = "benched"

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


async def versions(
    brokers: str,
    dsn: str,
    count: int = 10_000,
    executions: int = 1_000_000,
    times: int = 500,
    rounds: int = 3,
) -> list[Result]:
    """Measure creating and reading versions, one call at a time, on an idle pipeline.

    `create_version` is measured from the call until an engine that follows `tool-versions` has
    loaded the version, and until the call returns. `get_version_history` reads 50 versions and
    `compare_versions` any two, of a tool that has 10,000 versions of 40 functions each and
    1,000,000 executions.
    """
    found: dict[str, list[list[float]]] = defaultdict(list)
    async with Environment.made(brokers, dsn) as environment:
        await environment.start("applier")
        for number in range(rounds):
            for what, taken in (await creates(environment.settings, times, number)).items():
                found[what].append(taken)
        await fill(environment.settings, count, executions)
        for _ in range(rounds):
            for what, taken in (await reads(environment.settings, count, times)).items():
                found[what].append(taken)
    return [result for what, rounds_ in found.items() for result in quantiles(PART, what, rounds_)]


async def fill(settings: Settings, versions: int, executions: int) -> None:
    """Create a tool with so many versions of 40 functions, and executions of them in turn."""
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        await connection.execute("truncate tool_versions, tool_executions restart identity")
        await connection.execute(_FILL[0], TOOL, versions)
        await connection.execute(_FILL[1], TOOL, versions, executions)
        await connection.execute("vacuum analyze tool_versions")
        await connection.execute("vacuum analyze tool_executions")
    finally:
        await connection.close()


async def timed(times: int, call: Callable[[], Awaitable[object]]) -> list[float]:
    """Return the seconds that each of so many calls took."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - started)
    return taken


async def reads(settings: Settings, versions: int, times: int) -> dict[str, list[float]]:
    """Return the seconds that each of the reads took."""
    chance = Random(4)
    async with ToolVersionManager(settings) as manager:
        await manager.compare_versions(TOOL, 1, 2)  # opens what is kept open
        return {
            "get_version_history": await timed(times, lambda: manager.get_version_history(TOOL)),
            "compare_versions": await timed(
                times,
                lambda: manager.compare_versions(
                    TOOL, chance.randint(1, versions), chance.randint(1, versions)
                ),
            ),
        }


class _Loader:
    async def load(self, version: ToolVersion) -> str:
        exec(compile(version.code, "tool", "exec"), {})
        return version.code

    async def unload(self, tool: str) -> None:
        """Nothing is held."""


def _runs(code: str, loaded: LoadedTool[str]) -> bool:
    return loaded.version.code == code


async def creates(settings: Settings, times: int, number: int) -> dict[str, list[float]]:
    """Return the seconds until new versions of a tool were loaded, and until the calls returned."""
    tool = f"created-{number}"
    async with (
        ToolVersionManager(settings) as manager,
        ToolRegistry(settings, _Loader()) as registry,
    ):
        await manager.create_version(tool, "x = 0\n")
        loaded, returned = [], []
        for value in range(times):
            code = f"def execute(text):\n    return text + '{value}'\n"
            started = time.perf_counter()
            creating = asyncio.create_task(manager.create_version(tool, code))
            await registry.wait_for(tool, partial(_runs, code), 30)
            loaded.append(time.perf_counter() - started)
            await creating
            returned.append(time.perf_counter() - started)
            await asyncio.sleep(0.02)
    return {"create_version, loaded": loaded, "create_version, returned": returned}


def main(
    count: int = 10_000, executions: int = 1_000_000, times: int = 500, rounds: int = 3
) -> None:
    """Measure, and print the table."""
    measure = partial(versions, count=count, executions=executions, times=times, rounds=rounds)
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
