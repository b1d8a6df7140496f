"""The outcomes of rollbacks as the demo reads them, and the execution that decided one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from uuid import UUID

from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from rollguard_client.tasks import end_tasks
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings

WAIT_S: Final = 60.0
"""A slow machine, with much else to do, needs half of it."""


class ReadOutcome(NamedTuple):
    """An outcome, and when it was read, by ``time.perf_counter``."""

    outcome: RollbackOutcome
    read_at: float


class RollbackOutcomes:
    """The first rollback outcome of each tool since the start."""

    def __init__(self) -> None:
        self._first: dict[str, ReadOutcome] = {}
        self._change = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def followed(cls, client: EngineClient) -> AsyncIterator["RollbackOutcomes"]:
        """Read outcomes from now on, until the end of the block."""
        outcomes, ready = cls(), asyncio.Event()
        task = asyncio.create_task(outcomes._follow(client, ready))
        try:
            await asyncio.wait_for(ready.wait(), WAIT_S)
            yield outcomes
        finally:
            await end_tasks([task])

    async def _follow(self, client: EngineClient, ready: asyncio.Event) -> None:
        async for outcome in client.follow_outcomes(ready):
            async with self._change:
                read = ReadOutcome(outcome, time.perf_counter())
                self._first.setdefault(outcome.tool_name, read)
                self._change.notify_all()

    async def of(self, tool: str) -> ReadOutcome | None:
        """Wait for the tool's first outcome; None if none comes in time."""
        try:
            async with asyncio.timeout(WAIT_S), self._change:
                while tool not in self._first:
                    await self._change.wait()
                return self._first.pop(tool)
        except TimeoutError:
            return None


async def deciding_execution(settings: Settings, outcome: RollbackOutcome) -> UUID:
    """Return the execution at which the rollback was decided, from the rollback's row in Postgres.

    It is the newest of `recent`, because the demo's executions arrive in the order of their time.
    """
    async with connection(settings) as conn:
        details = await conn.fetchval(
            "SELECT details FROM rollbacks"
            " WHERE tool_name = $1 AND command_id = $2 AND is_automatic = $3",
            *outcome.key,
        )
    newest, *_ = details["recent"]
    return UUID(newest)
