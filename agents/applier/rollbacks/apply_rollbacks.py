"""Rollback commands: the applier decides them, stores the decisions, and publishes outcomes."""

import time
from collections.abc import Sequence

from aiokafka.structs import ConsumerRecord

from agents.applier.publish_changes import PublishChanges
from agents.applier.rollbacks.decide_rollbacks import DecideRollbacks
from agents.applier.rollbacks.rollback_report import RollbackReport
from agents.applier.trace_changes import TraceChanges
from agents.applier.waiting.attempts import Request
from agents.comparer.fair_comparer import FairComparer
from db.postgres.pool import Connection, Pool
from schemas.errors import Rejected
from schemas.explanation import errors_in
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from streams.records import RecordValidator
from streams.topics import Topics


class Rollbacks:
    """The changes that records of `rollback-commands` ask for."""

    def __init__(
        self,
        publish: PublishChanges,
        pool: Pool,
        validator: RecordValidator,
        comparer: FairComparer,
        settings: Settings,
        topics: Topics,
        report: RollbackReport,
        traces: TraceChanges,
    ) -> None:
        self._publish = publish
        self._pool = pool
        self._validator = validator
        self._comparer = comparer
        self._settings = settings
        self._topics = topics
        self._report = report
        self._traces = traces

    def read(self, record: ConsumerRecord) -> RollbackCommand:
        """Read a record. Raises Rejected."""
        return self._validator.command(record)

    async def apply(self, group: Sequence[Request[RollbackCommand]]) -> None:
        """Compare the code of targets, decide and apply the commands, and publish the outcomes."""
        trace = self._traces.begin(group)
        decide = DecideRollbacks(
            self._comparer,
            self._settings.rules_of,
            [each.message for each in group],
            {each.tool_name: errors_in(each.headers) for each in group},
            self._settings.fleet,
            self._settings.outages,
            decided=lambda: trace.reached("decided"),
        )
        await decide.compare(self._pool)
        tools = [each.message.tool_name for each in group]
        topic = self._topics.outcomes
        committed_s = 0.0

        async def roll_back(conn: Connection) -> list[RollbackOutcome]:
            nonlocal committed_s
            decided = await decide.roll_back(conn)
            committed_s = time.time()
            return decided

        outcomes = await self._publish.make(tools, roll_back, topic, trace)
        trace.end(outcomes)
        for each, outcome in zip(group, outcomes, strict=True):
            self._report.decided(each, outcome, committed_s)

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Do nothing more: a bad command has no outcome."""
