"""Rollback commands: applied, rejected, held or observed, each with its outcome."""

from collections.abc import Sequence

from aiokafka.structs import ConsumerRecord

from agents.applier.apply_changes import Request
from agents.applier.plan_rollbacks import PlanRollbacks
from agents.applier.publish_changes import PublishChanges
from agents.applier.rollback_report import RollbackReport
from agents.comparer.code_comparer import CodeComparer
from db.postgres.pool import Connection, Pool
from db.rollbacks.rollbacks import roll_back_each
from schemas.errors import Rejected
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from streams.records import RecordValidator
from streams.topics import Topics


class Rollbacks:
    """What `rollback-commands` asks for."""

    def __init__(
        self,
        publish: PublishChanges,
        pool: Pool,
        validator: RecordValidator,
        comparer: CodeComparer,
        settings: Settings,
        topics: Topics,
        report: RollbackReport,
    ) -> None:
        self._publish = publish
        self._pool = pool
        self._validator = validator
        self._comparer = comparer
        self._settings = settings
        self._topics = topics
        self._report = report

    def read(self, record: ConsumerRecord) -> RollbackCommand:
        return self._validator.command(record)

    async def apply(self, group: Sequence[Request[RollbackCommand]]) -> int:
        """Those of the group for which plans could be made in time
        (``agents.applier.plan_rollbacks``).
        """
        planning = PlanRollbacks(self._comparer, self._settings, [each.request for each in group])
        commands = await planning.begin(self._pool)

        async def roll_back(conn: Connection) -> list[RollbackOutcome]:
            # Under the tools' locks: what the plans are made of stays as it is.
            plans = await planning.plans(conn)
            return await roll_back_each(conn, commands, self._settings.rules_of, plans)

        tools = [command.tool_name for command in commands]
        outcomes = await self._publish.make(tools, roll_back, self._topics.outcomes)
        for each, outcome in zip(group, outcomes, strict=False):
            self._report.came(each, outcome)
        return len(commands)

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Nothing: a bad command has no outcome."""
