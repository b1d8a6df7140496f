"""The expiry of held rollbacks: commands that nobody answers in time are rejected.

Every applier looks for such commands; because of the tool's lock, one applier at a time rejects
them. The outcome of an expired hold is always the same (``db.rollbacks.holds``). It is published
before it is stored, so a crash in between publishes the same outcome again, and none is lost.
"""

from typing import Final

from agents.applier.rollback_report import RollbackReport
from agents.applier.waiting.free_tools import of_free_tools
from db.postgres.locks import locked_tools
from db.postgres.pool import Pool, acquire
from db.rollbacks.holds import due, expire, tools_due
from streams.driver.outbox import Outbox, Outgoing
from streams.topics import Topics

EXPIRE_EVERY_S: Final = 5.0
"""While an applier runs, a command is rejected at most this long after its time is over."""


class ExpireHolds:
    """Rejects held commands that nobody answered in time."""

    def __init__(self, pool: Pool, outbox: Outbox, topics: Topics, report: RollbackReport) -> None:
        self._pool = pool
        self._outbox = outbox
        self._topics = topics
        self._report = report

    async def expire(self) -> int:
        """Reject the commands whose time is over; return how many. Raises Retryable.

        A tool that somebody else has locked keeps no other one waiting: it is tried the next time.
        """
        async with acquire(self._pool) as conn:
            tools = await tools_due(conn)
        return await of_free_tools("expire-holds", tools, self._expire)

    async def _expire(self, tool: str) -> int:
        async with locked_tools(self._pool, tool) as conn:
            outcomes = await due(conn, tool)
            await self._outbox.publish(
                [Outgoing.of(self._topics.outcomes, tool, outcome) for outcome in outcomes]
            )
            await expire(conn, [outcome.key for outcome in outcomes])
        for outcome in outcomes:
            self._report.expired(outcome)
        return len(outcomes)
