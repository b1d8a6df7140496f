"""Removing old executions from Postgres while the recorder goes on recording."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from db.executions.pruning import (
    FIRST,
    executions_before,
    only_removal,
    remove_executions,
    remove_lone_verdicts,
    tools_with_executions_before,
    verdicts_before,
)
from rollguard.operations.connection import changing_connection, connection
from schemas.settings import Settings

BATCH: Final = 5_000
"""How many executions one transaction removes at most."""
_MIN_PAUSE_S: Final = 0.01


@dataclass
class Pruned:
    """How many executions were removed so far, by tool, and how many later verdicts.

    It grows while ``prune`` runs, so that it says after an interruption what was done.
    """

    before: datetime
    by_tool: dict[str, int] = field(default_factory=dict)
    verdicts: int = 0

    @property
    def executions(self) -> int:
        """How many were removed of all tools together."""
        return sum(self.by_tool.values())


async def to_prune(settings: Settings, before: datetime) -> Pruned:
    """Return what ``prune`` would remove, without removing it."""
    found = Pruned(before)
    async with connection(settings) as conn:
        for tool in await tools_with_executions_before(conn, before):
            found.by_tool[tool] = await executions_before(conn, tool, before)
        found.verdicts = await verdicts_before(conn, before)
    return found


async def prune(settings: Settings, pruned: Pruned, batch: int = BATCH) -> None:
    """Remove the executions with ``executed_at`` before ``pruned.before``; metrics stay.

    Works tool by tool, the oldest executions first; later verdicts on them go with them. Then it
    removes the verdicts before that time whose execution is not recorded. Each batch is a
    transaction of its own. After each comes a pause as long as the batch took, so that this uses
    the server for at most half of the time. Batches that were removed stay removed, even if a later
    one fails. Rejected if another prune or an erase is running, Retryable if Postgres does not
    answer.
    """
    clock = asyncio.get_running_loop().time
    async with (
        connection(settings) as holder,
        only_removal(holder),
        changing_connection(settings) as conn,
    ):
        for tool in await tools_with_executions_before(conn, pruned.before):
            while True:
                began = clock()
                removed = await remove_executions(conn, tool, pruned.before, batch)
                if removed.executions:
                    pruned.by_tool[tool] = pruned.by_tool.get(tool, 0) + removed.executions
                pruned.verdicts += removed.verdicts
                await asyncio.sleep(max(clock() - began, _MIN_PAUSE_S))
                if removed.executions < batch:
                    break
        began, place = clock(), FIRST
        while found := await remove_lone_verdicts(conn, pruned.before, place, batch):
            verdicts, place = found
            pruned.verdicts += verdicts
            await asyncio.sleep(max(clock() - began, _MIN_PAUSE_S))
            began = clock()
