"""All that waits for a person, rollbacks and deployments together; or one of them by its id."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.postgres.pool import Connection
from db.rollbacks.records import RollbackRecord, held, rollback_of
from db.versions.held import HeldDeployment, deployment_held, held_deployments
from db.versions.outcomes import DeploymentKey
from rollguard.operations.connection import connection
from rollguard.operations.held_deployments import held_named
from rollguard.operations.rollbacks import unknown_rollback
from schemas.rollback import CommandKey
from schemas.settings import Settings

Held = RollbackRecord | HeldDeployment
"""What waits for a person, or has waited."""
HeldKey = CommandKey | DeploymentKey
"""The identity of a rollback, or of a deployment that waits or waited."""


class FoundHold(NamedTuple):
    """A rollback, or a deployment that waits or waited."""

    record: Held
    waits: bool
    """Whether it can be answered now."""
    code: str | None = None
    """The code of a deployment, while it waits."""


async def all_waiting(where: Settings | Connection, tool: str | None) -> list[Held]:
    """Return what waits for a person, the newest first; of one tool, or of all if it is None.

    Raises Retryable if Postgres does not answer, Misconfigured if it refuses or its schema is
    missing.
    """
    async with connection(where) as conn:
        found: list[Held] = [*await held(conn, tool), *await held_deployments(conn, tool)]
    return sorted(found, key=order_of, reverse=True)


async def hold_named(where: Settings | Connection, beginning: str, tool: str | None) -> FoundHold:
    """Return the rollback or the deployment whose id begins with these digits.

    It is of this tool if one is given. A rollback need never have waited. Missing if there is none,
    Rejected if there is more than one.
    """
    async with connection(where) as conn:
        named = await held_named(conn, beginning, tool)
        if isinstance(named, DeploymentKey):
            found = await deployment_held(conn, named)
            assert found is not None, "it was found by its id"
            record, code = found
            return FoundHold(record, record.status == "held" and code is not None, code)
        command = await rollback_of(conn, named)
        if command is None:
            raise unknown_rollback(f"the id {named.command_id}")
        waiting = {each.key for each in await held(conn, named.tool_name)}
        return FoundHold(command, command.key in waiting)


def held_at(record: Held) -> datetime:
    """Return since when it waits."""
    return record.held_at if isinstance(record, HeldDeployment) else record.applied_at


def held_id(record: Held) -> UUID:
    """Return the id by which a person answers it."""
    return record.deployment_id if isinstance(record, HeldDeployment) else record.command_id


def order_of(record: Held) -> tuple[datetime, UUID, str]:
    """Return its place in the list of all that waits."""
    return held_at(record), held_id(record), record.tool_name
