"""How fast the console answers: 10,000 tools, 5,000,000 executions, a month of rollbacks."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any, Final

import aiohttp
import asyncpg
import typer
from yarl import URL

from bench.flow.load import Load, Tools
from bench.results import Result, quantiles, show
from bench.setup.environment import Environment, Worker
from bench.setup.large_database import fill_database
from bench.setup.servers import with_servers
from bench.setup.usage import PostgresUsage

PART: Final = "console"
_LIST_MS: Final = 150.0
_TOOL_MS: Final = 300.0
_WALKED: Final = 40
"""So many pages of a list are walked, to know where later ones begin."""

Ask = Callable[[Random], str]
"""Returns the path of one request."""


async def console(
    brokers: str,
    dsn: str,
    tools: int = 10_000,
    executions: int = 5_000_000,
    times: int = 100,
    rounds: int = 3,
) -> list[Result]:
    """Measure how long the console takes to answer each question, one after the other.

    Postgres has 10,000 tools, 5,000,000 executions and 27,000 rollbacks, a detector knows the
    states of all tools, and 100 engines have 1,000 tools each. Each request has a connection of its
    own, and most ask for another tool or another page than the one before. The time is that of
    who asks, on the same machine. The CPU time is that of one request. A list must come within 150
    ms, and what is about one tool or one rollback within 300 ms, 99 times of 100. None of them may
    scan the table of executions.
    """
    measured: dict[str, list[tuple[list[float], float, float]]] = defaultdict(list)
    async with _large_console(brokers, dsn, tools, executions) as running:
        questions = await _questions(running, tools)
        for path_of in questions.values():  # the first time prepares what later ones use
            await running.measured([path_of(Random(-1))])
        scans = await running.scans()
        for number in range(rounds):
            for name, path_of in questions.items():
                random = Random(number)
                paths = [path_of(random) for _ in range(times)]
                measured[name].append(await running.measured(paths))
        assert await running.scans() == scans, "a question scans all executions"
    results: list[Result] = []
    for name, rounds_ in measured.items():
        taken, own, postgres = zip(*rounds_, strict=True)
        results += quantiles(PART, name, taken)
        results.append(Result(PART, name, "CPU", "ms", own))
        results.append(Result(PART, name, "CPU of Postgres", "ms", postgres))
    if slow := _slow(results):
        show(PART, results)
        raise AssertionError("; ".join(slow))
    return results


def _slow(results: Sequence[Result]) -> list[str]:
    """Return what takes too long, and how long."""
    found = []
    for each in results:
        most_ms = _TOOL_MS if "{" in each.what else _LIST_MS
        if each.measure == "p99" and each.median > most_ms:
            found.append(f"{each.what}: {each.median:.0f} ms, not {most_ms:g}")
    return found


class _Running:
    """A console, how it is asked, and the use of it and of Postgres."""

    def __init__(self, console: Worker, connection: asyncpg.Connection) -> None:
        self._console = console
        self._connection = connection
        self._postgres = PostgresUsage(connection.get_server_pid())

    async def measured(self, paths: Sequence[str]) -> tuple[list[float], float, float]:
        """Ask for each; return the seconds each took, and the CPU of one in milliseconds.

        The CPU is that of the console and that of Postgres.
        """
        taken = []
        own_s, postgres_s = self._console.cpu_s, self._postgres.cpu_s
        async with aiohttp.ClientSession(self._console.url) as session:
            for path in paths:
                begin = time.perf_counter()
                async with session.get(URL(path, encoded=True)) as answer:
                    body = await answer.read()
                taken.append(time.perf_counter() - begin)
                assert answer.status == 200, f"{path}: {answer.status} {body[:500]!r}"
        each_ms = 1000 / len(paths)
        return (
            taken,
            each_ms * (self._console.cpu_s - own_s),
            each_ms * (self._postgres.cpu_s - postgres_s),
        )

    async def json(self, path: str) -> Any:
        """Return what the console answers."""
        async with (
            aiohttp.ClientSession(self._console.url) as session,
            session.get(URL(path, encoded=True)) as answer,
        ):
            assert answer.status == 200, f"{path}: {answer.status}"
            return await answer.json()

    async def cursors(self, path: str, limit: int) -> list[str]:
        """Return where later pages of a list begin."""
        found: list[str] = []
        cursor = ""
        while len(found) < _WALKED:
            page = await self.json(f"{path}limit={limit}{cursor}")
            if page["next_cursor"] is None:
                break
            found.append(page["next_cursor"])
            cursor = f"&cursor={page['next_cursor']}"
        return found

    async def scans(self) -> int:
        """Return how often all executions were read since Postgres was started."""
        sql = "select seq_scan from pg_stat_user_tables where relname = 'tool_executions'"
        return int(await self._connection.fetchval(sql))

    async def rows(self, sql: str) -> list[asyncpg.Record]:
        """Return what Postgres answers."""
        return list(await self._connection.fetch(sql))


@asynccontextmanager
async def _large_console(
    brokers: str, dsn: str, tools: int, executions: int
) -> AsyncIterator[_Running]:
    """Yield a console on a large database, with a detector that knows the same tools."""
    async with Environment.made(brokers, dsn) as environment:
        own_dsn = environment.settings.postgres_dsn.get_secret_value()
        await fill_database(own_dsn, tools, executions)
        connection = await asyncpg.connect(own_dsn)
        try:
            [detector] = await environment.start("detector")
            await _tell(environment, connection)
            await environment.groups.caught_up(["detector"])
            [worker] = await environment.start("console", ROLLGUARD_DETECTOR_URL=detector.url)
            yield _Running(worker, connection)
        finally:
            await connection.close()


async def _tell(environment: Environment, connection: asyncpg.Connection) -> None:
    """Send the current activation of each tool, and some executions."""
    groups = await connection.fetch(
        "select activation, array_agg(tool_name) as names, array_agg(version_id) as versions"
        " from tool_versions where is_current group by activation"
    )
    for activation, names, versions in groups:
        load = Load.into(environment, Tools(names, versions), one_of=50)
        await load.send(load.activations(activation))
        for _ in range(5):
            await load.send(load.executions(range(len(names))))


async def _questions(running: _Running, tools: int) -> dict[str, Ask]:
    """Return the questions by what they ask for. What is in braces is another one each time."""
    api = "/api/v1"
    commands = await running.rows("select command_id, tool_name from rollbacks limit 2000")
    later = {
        path: await running.cursors(f"{api}/{path}", limit)
        for path, limit in (
            ("tools?", 200),
            ("rollbacks?", 500),
            ("engines?", 500),
            ("tools/tool-0/executions?", 500),
            ("tools/tool-0/executions?success=false&", 100),
            ("tools/tool-0/versions?", 20),
        )
    }

    def fixed(path: str) -> Ask:
        return lambda _: f"{api}/{path}"

    def of_tool(path: str) -> Ask:
        return lambda random: f"{api}/{path.replace('{tool}', _tool(random, tools))}"

    def next_page(path: str) -> Ask:
        return lambda random: f"{api}/{path}cursor={random.choice(later[path])}"

    def page(path: str) -> Ask:
        return lambda random: f"/{path.replace('{tool}', _tool(random, tools))}"

    def rollback(random: Random) -> str:
        command = random.choice(commands)
        return f"{api}/rollbacks/{command['command_id']}?tool={command['tool_name']}"

    def part(random: Random) -> str:
        return f"{api}/tools?q={random.randrange(tools)}"

    same = [
        *("tools", "tools?limit=500", "tools?q=zzz", "tools?q=tool-9"),
        *(f"tools?state={state}" for state in ("healthy", "suspect", "condemned", "unknown")),
        *("rollbacks", "rollbacks?status=applied", "rollbacks?status=held", "engines"),
        *("engines?stale=true", "engines?tool=tool-0"),
    ]
    of_tools = [
        *("tools/{tool}", "tools/{tool}/health", "tools/{tool}/versions"),
        *("tools/{tool}/compare?from=v4&to=v5", "tools/{tool}/executions"),
        *("tools/{tool}/executions?success=false", "rollbacks?tool={tool}"),
    ]
    pages = [
        *("tools", "tools?state=suspect", "tools?q=tool-9", "rollbacks"),
        *("tools/{tool}", "tools/{tool}?period=30d", "tools/{tool}/executions"),
    ]
    return (
        {path: fixed(path) for path in same}
        | {"tools?q={number}": part}
        | {path: of_tool(path) for path in of_tools}
        | {"rollbacks/{command_id}": rollback}
        | {f"page {path}": page(path) for path in pages}
        | {f"{path.rstrip('?&')}, later pages": next_page(path) for path in later if later[path]}
    )


def _tool(random: Random, tools: int) -> str:
    """Return a tool; the busy ones come more often."""
    return f"tool-{int(tools * random.random() ** 3)}"


def main(
    tools: int = 10_000, executions: int = 5_000_000, times: int = 100, rounds: int = 3
) -> None:
    """Measure, and print the table."""
    measure = partial(console, tools=tools, executions=executions, times=times, rounds=rounds)
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
