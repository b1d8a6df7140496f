"""The times at which each stage of a rollback was seen."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, Self

import asyncpg

from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import ToolVersion
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from streams.topic_reader import open_reader
from streams.topics import Topics

STAGES: Final = ("command", "commit", "outcome", "reload")
_POLL_S: Final = 0.001


class RollbackTimes:
    """For each tool, the times (of ``perf_counter``) of the stages of its one rollback.

    It is made by ``followed``. The caller sets ``sent``, the time at which the execution was
    sent that breaks the tool.
    """

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self._seen: dict[str, dict[str, float]] = {stage: {} for stage in STAGES}

    @classmethod
    @asynccontextmanager
    async def followed(cls, settings: Settings) -> AsyncIterator[Self]:
        """Follow all rollbacks from now on; the times are filled in as they happen."""
        times, topics = cls(), Topics.of(settings)
        follow = (
            ("command", topics.commands, RollbackCommand.from_bytes),
            ("outcome", topics.outcomes, _applied),
        )
        async with ToolRegistry(settings, _Loader(), lazy=False) as registry:
            registry.on_change.append(times._reloaded)
            tasks = [asyncio.create_task(times._follow(settings, *each)) for each in follow]
            tasks.append(asyncio.create_task(times._poll(settings)))
            try:
                yield times
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                for error in ended:
                    if isinstance(error, Exception):
                        raise error

    def taken_s(self, stage: str, tools: Iterable[str]) -> list[float]:
        """Return the seconds from ``sent`` to this stage, for each tool."""
        seen = self._seen[stage]
        return [seen[tool] - self.sent[tool] for tool in tools]

    async def complete(self, tools: Iterable[str], timeout_s: float) -> None:
        """Return when every stage of all tools was seen.

        Raise TimeoutError, which says how many are missing, if that takes too long.
        """
        wanted = set(tools)
        try:
            async with asyncio.timeout(timeout_s):
                while not all(seen.keys() >= wanted for seen in self._seen.values()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            missing = {stage: len(wanted - seen.keys()) for stage, seen in self._seen.items()}
            raise TimeoutError(f"of {len(wanted)} rollbacks were not seen: {missing}") from None

    def _mark(self, stage: str, tool: str) -> None:
        self._seen[stage].setdefault(tool, time.perf_counter())

    async def _follow(
        self,
        settings: Settings,
        stage: str,
        topic: str,
        read: Callable[[bytes], RollbackCommand | RollbackOutcome],
    ) -> None:
        async with open_reader(settings, topic, from_beginning=True) as reader:
            while True:
                for record in await reader.poll():
                    self._mark(stage, read(record.value).tool_name)

    async def _poll(self, settings: Settings) -> None:
        connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
        try:
            query = await connection.prepare(
                "select tool_name from rollbacks where tool_name = any($1) and status = 'applied'"
            )
            while True:
                waiting = list(self._seen["command"].keys() - self._seen["commit"].keys())
                if waiting:
                    for row in await query.fetch(waiting):
                        self._mark("commit", row[0])
                await asyncio.sleep(_POLL_S)
        finally:
            await connection.close()

    def _reloaded(self, loaded: LoadedTool[str]) -> None:
        if loaded.version.activated_by.kind == "rollback":
            self._mark("reload", loaded.version.tool_name)


def _applied(value: bytes) -> RollbackOutcome:
    outcome = RollbackOutcome.from_bytes(value)
    assert outcome.status == "applied", outcome
    return outcome


class _Loader:
    async def load(self, version: ToolVersion) -> str:
        exec(compile(version.code, "tool", "exec"), {})
        return version.code

    async def unload(self, tool: str) -> None:
        """Nothing is held."""
