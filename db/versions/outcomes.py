"""The outcomes of deployments: each is stored once, and that of a held one is replaced once."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.deployment import DeploymentOutcome

_SQL: Final = blocks("versions/outcomes.sql")


class DeploymentKey(NamedTuple):
    """The identity of a deployment: an id counts within its tool."""

    tool_name: str
    deployment_id: UUID

    @property
    def held_id(self) -> UUID:
        """The id by which a person answers it if it is held."""
        return self.deployment_id


async def outcome_of(
    conn: Connection, tool_name: str, deployment_id: UUID
) -> DeploymentOutcome | None:
    """Return the outcome of a deployment of the tool; None if it has none yet."""
    with postgres_errors():
        found = await stored_outcomes(conn, [DeploymentKey(tool_name, deployment_id)])
    return found.get(tool_name)


async def stored_outcomes(
    conn: Connection, deployments: Sequence[DeploymentKey]
) -> dict[str, DeploymentOutcome]:
    """Return the outcomes of these deployments, by tool; each is of another tool."""
    rows = await conn.fetch(_SQL["stored"], *zip(*deployments, strict=True))
    return {row["tool_name"]: DeploymentOutcome.model_validate_json(row["outcome"]) for row in rows}


async def store_outcomes(conn: Connection, outcomes: Iterable[DeploymentOutcome]) -> None:
    """Store the first outcomes of deployments, in the caller's transaction."""
    if rows := _rows(outcomes):
        await conn.executemany(_SQL["store"], rows)


async def replace_outcomes(conn: Connection, outcomes: Iterable[DeploymentOutcome]) -> None:
    """Store the final outcomes of held deployments, in the caller's transaction."""
    if rows := _rows(outcomes):
        await conn.executemany(_SQL["replace"], rows)


def _rows(outcomes: Iterable[DeploymentOutcome]) -> list[tuple[Any, ...]]:
    return [
        (outcome.deployment_id, outcome.tool_name, outcome.model_dump_json(), outcome.applied_at)
        for outcome in outcomes
    ]
