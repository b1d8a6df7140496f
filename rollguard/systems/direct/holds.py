"""What waits for a person: read from Postgres, and answered through Kafka."""

from db.versions.outcomes import DeploymentKey
from rollguard.operations import held_deployments, holds, waiting
from rollguard.operations.waiting import HeldKey
from rollguard.systems.direct.of_settings import OfSettings
from schemas.deployment import DeploymentOutcome
from schemas.rollback import RollbackOutcome


class DirectHolds(OfSettings):
    """What waits for a person."""

    async def waiting(self, tool: str | None) -> list[waiting.Held]:
        """Return what waits, the newest first."""
        return await waiting.all_waiting(self.settings, tool)

    async def named(self, beginning: str, tool: str | None) -> HeldKey:
        """Return the rollback or the held deployment whose id begins like this."""
        return await held_deployments.held_named(self.settings, beginning, tool)

    async def approve(self, held: HeldKey, by: str) -> RollbackOutcome | DeploymentOutcome:
        """Carry out what is held, and return the outcome."""
        if isinstance(held, DeploymentKey):
            return await held_deployments.approve_deployment(self.settings, *held, by)
        return await holds.approve(self.settings, held.command_id, by, tool=held.tool_name)

    async def dismiss(
        self, held: HeldKey, reason: str, by: str
    ) -> RollbackOutcome | DeploymentOutcome:
        """Reject or refuse what is held, and return the outcome."""
        if isinstance(held, DeploymentKey):
            return await held_deployments.dismiss_deployment(self.settings, *held, reason, by)
        return await holds.dismiss(self.settings, held.command_id, reason, by, tool=held.tool_name)
