"""What waits for a person, asked of a console, and the answers to it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from db.versions.outcomes import DeploymentKey
from rollguard.operations.waiting import Held, HeldKey
from rollguard.systems.remote.reading import Answers, one
from rollguard_client.http.console import in_path
from schemas.deployment import DeploymentOutcome
from schemas.rollback import RollbackOutcome


class RemoteHolds:
    """What waits for a person."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def waiting(self, tool: str | None) -> list[Held]:
        """Return what waits, the newest first."""
        found: list[Held] = []
        async for page in self._answers.all_pages("/holds", "holds", tool=tool):
            found += self._answers.understood(
                lambda data: [_held(each) for each in data["holds"]], page
            )
        return found

    async def named(self, beginning: str, tool: str | None) -> HeldKey:
        """Return the rollback or the held deployment whose id begins like this."""
        return await self._answers.get(f"/holds/{in_path(beginning)}", _key, tool=tool)

    async def approve(self, held: HeldKey, by: str) -> RollbackOutcome | DeploymentOutcome:
        """Carry out what is held, and return the outcome."""
        return await self._answered(held, "approve", {"approved_by": by})

    async def dismiss(
        self, held: HeldKey, reason: str, by: str
    ) -> RollbackOutcome | DeploymentOutcome:
        """Reject or refuse what is held, and return the outcome."""
        return await self._answered(held, "dismiss", {"dismissed_by": by, "dismissal": reason})

    async def _answered(
        self, held: HeldKey, answer: str, body: Mapping[str, str]
    ) -> RollbackOutcome | DeploymentOutcome:
        is_deployment = isinstance(held, DeploymentKey)
        path = f"/{'deployments' if is_deployment else 'rollbacks'}/{held.held_id}/{answer}"
        said = await self._answers.console.send(
            "POST", path, body, query={"tool": held.tool_name}, also=(HTTPStatus.CONFLICT,)
        )
        data = said.data["outcome"] if said.status == HTTPStatus.CONFLICT else said.data
        if is_deployment:
            return self._answers.understood(lambda each: one(DeploymentOutcome, each), data)
        return self._answers.understood(lambda each: one(RollbackOutcome, each), data)


def _held(data: Mapping[str, Any]) -> Held:
    if data["kind"] == "deployment":
        return one(HeldDeployment, data["deployment"])
    return one(RollbackRecord, data["rollback"])


def _key(data: Mapping[str, Any]) -> HeldKey:
    held = _held(data)
    if isinstance(held, RollbackRecord):
        return held.key
    return DeploymentKey(held.tool_name, UUID(data["held_id"]))
