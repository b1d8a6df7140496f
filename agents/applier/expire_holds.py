"""The expiry of holds: commands that nobody answers in time are rejected, and deployments refused.

Every applier looks for them; because of the tool's lock, one applier at a time ends them. The
outcome of an expired hold is always the same (``db.rollbacks.holds``, ``db.versions.held``). It is
published before it is stored, so a crash in between publishes the same outcome again, and none is
lost.
"""

from typing import Final

from agents.applier.deployments.deployment_report import DeploymentReport
from agents.applier.hold_report import HoldReport
from agents.applier.rollbacks.rollback_report import RollbackReport
from agents.applier.waiting.free_tools import of_free_tools
from db.postgres.locks import locked_tools
from db.postgres.pool import Pool, acquire
from db.rollbacks.holds import due, expire, tools_due, waiting
from db.versions.held import due as due_deployments
from db.versions.held import expire as expire_deployment
from db.versions.held import tools_with_due, waiting_deployments
from streams.driver.outbox import Outbox, Outgoing
from streams.topics import Topics

EXPIRE_EVERY_S: Final = 5.0
"""While an applier runs, a hold ends at most this long after its time is over."""


class ExpireHolds:
    """Rejects held commands, and refuses held deployments, that nobody answered in time."""

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        topics: Topics,
        report: RollbackReport,
        deployment_report: DeploymentReport,
        hold_report: HoldReport,
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._topics = topics
        self._report = report
        self._deployment_report = deployment_report
        self._hold_report = hold_report

    async def expire(self) -> int:
        """End the holds whose time is over, and report the others; return how many were ended.

        Raises Retryable.

        A tool that somebody else has locked keeps no other one waiting: it is tried the next time.
        """
        async with acquire(self._pool) as conn:
            tools, deployed = await tools_due(conn), await tools_with_due(conn)
            self._hold_report.waiting(await waiting(conn), await waiting_deployments(conn))
        rejected = await of_free_tools("expire-holds", tools, self._expire)
        return rejected + await of_free_tools("expire-holds", deployed, self._refuse)

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

    async def _refuse(self, tool: str) -> int:
        async with locked_tools(self._pool, tool) as conn:
            outcomes = await due_deployments(conn, tool)
            await self._outbox.publish(
                [Outgoing.of(self._topics.deployment_outcomes, tool, each) for each in outcomes]
            )
            if outcomes:
                await expire_deployment(conn, tool)
        for outcome in outcomes:
            self._deployment_report.decided(outcome)
        return len(outcomes)
