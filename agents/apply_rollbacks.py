"""Rollback commands: applied or rejected, each with its outcome."""

import time
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka.structs import ConsumerRecord

from agents.apply_changes import Asked
from agents.breaking.analyst import Analyst
from agents.plan_rollbacks import PlanRollbacks
from agents.publish_changes import PublishChanges
from db.pool import Connection, Pool
from db.rollbacks import roll_back_each
from schemas.errors import Rejected
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from streams.records import Guard
from streams.topics import Topics

log = structlog.get_logger()

_LOUD: Final = ("no_previous_version", "budget")
"""Nothing rolls the tool back any more, and somebody has to look at it."""


class Rollbacks:
    """What `rollback-commands` asks for."""

    def __init__(
        self,
        publish: PublishChanges,
        pool: Pool,
        guard: Guard,
        analyst: Analyst,
        settings: Settings,
        topics: Topics,
    ) -> None:
        self._publish = publish
        self._pool = pool
        self._guard = guard
        self._analyst = analyst
        self._settings = settings
        self._topics = topics

    def read(self, record: ConsumerRecord) -> RollbackCommand:
        return self._guard.command(record)

    async def apply(self, group: Sequence[Asked[RollbackCommand]]) -> int:
        """Those of the group for which plans could be made in time (``agents.plan_rollbacks``)."""
        planning = PlanRollbacks(self._analyst, self._settings, [each.wish for each in group])
        commands = await planning.begin(self._pool)

        async def roll_back(conn: Connection) -> list[RollbackOutcome]:
            # Under the tools' locks: what the plans are made of stays as it is.
            return await roll_back_each(conn, commands, await planning.plans(conn))

        tools = [command.tool_name for command in commands]
        outcomes = await self._publish.make(tools, roll_back, self._topics.outcomes)
        for each, outcome in zip(group, outcomes, strict=False):
            _log(each, outcome)
        return len(commands)

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Nothing: a bad command has no outcome."""


def _log(asked: Asked[RollbackCommand], outcome: RollbackOutcome) -> None:
    command = asked.wish
    say = log.error if outcome.rejection in _LOUD else log.info
    say(
        "rollback",
        tool=command.tool_name,
        status=outcome.status,
        rejection=outcome.rejection,
        from_version=outcome.from_version_id,
        to_version=outcome.to_version_id,
        tier=outcome.tier,
        reason=outcome.reason,
        target=outcome.target,
        breaking=outcome.is_breaking_change,
        executions=command.details.get("executions"),
        failures=command.details.get("failures"),
        command=str(command.command_id),
        latency_ms=round(time.time() * 1000 - asked.at_ms, 1),
    )
