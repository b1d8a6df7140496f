"""Old executions out of Postgres, beside a recorder that goes on recording."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from db.executions.pruning import only_prune, remove_executions, tools_with_executions_before
from rollguard.operations.versions import connection
from schemas.settings import Settings

BATCH: Final = 5_000
"""So many executions are removed in one transaction."""
_MIN_PAUSE_S: Final = 0.01


@dataclass
class Pruned:
    """What was removed so far: executions, and by tool. It grows while :func:`prune` runs, and
    says after an interruption what was done.
    """

    before: datetime
    by_tool: dict[str, int] = field(default_factory=dict)

    @property
    def executions(self) -> int:
        return sum(self.by_tool.values())


async def prune(settings: Settings, pruned: Pruned, batch: int = BATCH) -> None:
    """Remove the executions with ``executed_at`` before ``pruned.before``, tool by tool, the oldest
    first; metrics stay.

    Each batch is a transaction of its own, and behind each as long a pause as it took, so that the
    server is at work for this half of the time at most. What is done stays done, whatever ends it.
    Rejected where another prune is at work, Retryable where Postgres does not answer.
    """
    clock = asyncio.get_running_loop().time
    async with connection(settings) as conn, only_prune(conn):
        for tool in await tools_with_executions_before(conn, pruned.before):
            while True:
                began = clock()
                removed = await remove_executions(conn, tool, pruned.before, batch)
                if removed:
                    pruned.by_tool[tool] = pruned.by_tool.get(tool, 0) + removed
                await asyncio.sleep(max(clock() - began, _MIN_PAUSE_S))
                if removed < batch:
                    break
