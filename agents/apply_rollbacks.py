"""Rollback commands: applied, rejected, held or observed, each with its outcome."""

import time
from collections.abc import Callable, Sequence

import structlog
from aiokafka.structs import ConsumerRecord

from agents.apply_changes import Asked
from agents.publish_changes import PublishChanges
from db.pool import Connection
from db.rollbacks import roll_back_each
from schemas.errors import Rejected
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.rules import Rules
from streams.records import Guard
from streams.topics import Topics

log = structlog.get_logger()


class Rollbacks:
    """What `rollback-commands` asks for."""

    def __init__(
        self,
        publish: PublishChanges,
        guard: Guard,
        topics: Topics,
        rules_of: Callable[[str], Rules],
    ) -> None:
        self._publish = publish
        self._guard = guard
        self._topics = topics
        self._rules_of = rules_of

    def read(self, record: ConsumerRecord) -> RollbackCommand:
        return self._guard.command(record)

    async def apply(self, group: Sequence[Asked[RollbackCommand]]) -> int:
        commands = [each.wish for each in group]

        async def roll_back(conn: Connection) -> list[RollbackOutcome]:
            return await roll_back_each(conn, commands, self._rules_of)

        tools = [command.tool_name for command in commands]
        outcomes = await self._publish.make(tools, roll_back, self._topics.outcomes)
        for each, outcome in zip(group, outcomes, strict=True):
            _log(each, outcome)
        return len(group)

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Nothing: a bad command has no outcome."""


def _log(asked: Asked[RollbackCommand], outcome: RollbackOutcome) -> None:
    command = asked.wish
    say = log.info
    if outcome.status == "held":
        say = log.warning  # someone is asked
    elif outcome.rejection == "no_previous_version":
        say = log.error
    say(
        "rollback",
        tool=command.tool_name,
        status=outcome.status,
        rejection=outcome.rejection,
        from_version=outcome.from_version_id,
        to_version=outcome.to_version_id,
        tier=outcome.tier,
        reason=outcome.reason,
        executions=command.details.get("executions"),
        failures=command.details.get("failures"),
        command=str(command.command_id),
        approved_by=command.approved_by,
        dismissed_by=command.dismissed_by,
        latency_ms=round(time.time() * 1000 - asked.at_ms, 1),
    )
