"""Rollbacks, asked of a console and ordered from it."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from db.executions.queries import ExecutionRecord
from db.rollbacks.records import RollbackRecord
from db.versions.verdicts import VerdictsOnVersion
from policy.rollbacks.costs import RollbackCost
from rollguard.operations.overview.rollback_costs import Affected, CostedRollback
from rollguard.operations.rollbacks import RecordedFailures, RollbackExplanation
from rollguard.systems.remote.reading import Answers, one
from rollguard_client.http.console import in_path
from schemas.fields import format_time
from schemas.rollback import RollbackOutcome

_COSTED: Final = 50
"""How many rollbacks a page has if their costs are asked for."""


class RemoteRollbacks:
    """Rollbacks: those that were commanded, and new ones."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def newest(
        self, tool: str | None, since: datetime | None, limit: int
    ) -> list[RollbackRecord]:
        """Return the newest commands."""
        begin = None if since is None else format_time(since)
        return await self._answers.items(
            "/rollbacks", "rollbacks", RollbackRecord, limit, tool=tool, since=begin
        )

    async def costs(
        self, tool: str | None, since: datetime | None, limit: int
    ) -> list[CostedRollback]:
        """Return the newest commands with what each cost."""
        begin = None if since is None else format_time(since)
        pages = self._answers.all_pages(
            "/rollbacks", "rollbacks", limit, page=_COSTED, tool=tool, since=begin, costs=True
        )
        found: list[CostedRollback] = []
        async for page in pages:
            found += self._answers.understood(
                lambda each: [_costed(item) for item in each["rollbacks"]], page
            )
        return found[:limit]

    async def explained(self, beginning: str, tool: str | None) -> RollbackExplanation:
        """Return why the command was decided whose id begins like this."""
        return await self._answers.get(f"/rollbacks/{in_path(beginning)}", _explanation, tool=tool)

    async def roll_back(
        self, tool: str, version_id: int, reason: str, by: str, command_id: UUID
    ) -> RollbackOutcome:
        """Order a rollback in the name of a person, and return its outcome."""
        body = {
            "to_version_id": version_id,
            "reason": reason,
            "issued_by": by,
            "command_id": str(command_id),
        }
        return await ordered(self._answers, f"/tools/{in_path(tool)}/rollbacks", body)


async def ordered(
    answers: Answers, path: str, body: Any, tool: str | None = None
) -> RollbackOutcome:
    """Send an order, and return the outcome, also if nothing changed."""
    answer = await answers.console.send(
        "POST", path, body, query={"tool": tool}, also=(HTTPStatus.CONFLICT,)
    )
    data = answer.data["outcome"] if answer.status == HTTPStatus.CONFLICT else answer.data
    return answers.understood(lambda each: one(RollbackOutcome, each), data)


def _costed(data: Mapping[str, Any]) -> CostedRollback:
    cost = data["cost"]
    return CostedRollback(
        one(RollbackRecord, data), None if cost is None else one(RollbackCost, cost)
    )


def _explanation(data: Mapping[str, Any]) -> RollbackExplanation:
    failures, verdicts = data["failures"], data["later_verdicts"]
    cost, affected = data["cost"], data["affected"]
    return RollbackExplanation(
        one(RollbackRecord, data),
        rule=data["rule"],
        evidence=data["evidence"],
        executions=[one(ExecutionRecord, each) for each in data["executions"]],
        unrecorded=list(data["unrecorded"]),
        failures=None if failures is None else RecordedFailures(**failures),
        later_verdicts=None if verdicts is None else one(VerdictsOnVersion, verdicts),
        cost=None if cost is None else one(RollbackCost, cost),
        affected=None if affected is None else one(Affected, affected),
    )
