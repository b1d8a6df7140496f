"""Rollbacks: read from Postgres, and ordered through Kafka."""

from datetime import datetime
from uuid import UUID

from db.rollbacks.records import RollbackRecord
from rollguard.operations import rollbacks
from rollguard.operations.overview.rollback_costs import CostedRollback
from rollguard.systems.direct.of_settings import OfSettings
from schemas.rollback import RollbackOutcome


class DirectRollbacks(OfSettings):
    """Rollbacks: those that were commanded, and new ones."""

    async def newest(
        self, tool: str | None, since: datetime | None, limit: int
    ) -> list[RollbackRecord]:
        """Return the newest commands."""
        return await rollbacks.rollbacks_of(self.settings, tool, since, limit)

    async def costs(
        self, tool: str | None, since: datetime | None, limit: int
    ) -> list[CostedRollback]:
        """Return the newest commands with what each cost."""
        return await rollbacks.costed_rollbacks(self.settings, tool, since, limit)

    async def explained(self, beginning: str, tool: str | None) -> rollbacks.RollbackExplanation:
        """Return why the command was decided whose id begins like this."""
        named = await rollbacks.command_named(self.settings, beginning, tool)
        return await rollbacks.explanation_of(self.settings, named)

    async def roll_back(
        self, tool: str, version_id: int, reason: str, by: str, command_id: UUID
    ) -> RollbackOutcome:
        """Order a rollback in the name of a person, and return its outcome."""
        return await rollbacks.roll_back(self.settings, tool, version_id, reason, by, command_id)
