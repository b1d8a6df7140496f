"""Commands that nobody answers: rejected when their time is over, without anybody asking.

Every applier looks for them; a tool's lock makes it one at a time. What is due has its outcome
already (``db.rollbacks.holds``), so that is published first and stored behind it: a crash in
between repeats it, the same, and none is left unsaid.
"""

from typing import Final

from agents.applier.rollback_report import RollbackReport
from db.postgres.locks import tool_lock
from db.postgres.pool import Pool, acquire
from db.rollbacks.holds import due, expire, tools_due
from streams.driver.outbox import Outbox, Outgoing
from streams.topics import Topics

EXPIRE_EVERY_S: Final = 5.0
"""So much later than it is due a command is rejected at the most, while an applier runs."""


class ExpireHolds:
    """Rejects held commands that are past their time."""

    def __init__(self, pool: Pool, outbox: Outbox, topics: Topics, report: RollbackReport) -> None:
        self._pool = pool
        self._outbox = outbox
        self._topics = topics
        self._report = report

    async def expire(self) -> int:
        """Reject what is due by now; how many commands. Raises Retryable."""
        async with acquire(self._pool) as conn:
            tools = await tools_due(conn)
        return sum([await self._expire(tool) for tool in tools])

    async def _expire(self, tool: str) -> int:
        async with acquire(self._pool) as conn, tool_lock(conn, tool):
            outcomes = await due(conn, tool)
            await self._outbox.publish(
                [Outgoing.of(self._topics.outcomes, tool, outcome) for outcome in outcomes]
            )
            await expire(conn, [outcome.command_id for outcome in outcomes])
        for outcome in outcomes:
            self._report.expired(outcome)
        return len(outcomes)
