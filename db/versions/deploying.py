"""Deployments: the versions that they make, and the outcome of each."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.locks import lock_versions, tool_transaction
from db.postgres.pool import Connection, to_jsonb
from db.postgres.sql import blocks
from db.rollbacks.trust import give_trust
from schemas.deployment import (
    IDENTICAL_TO_ROLLED_BACK,
    Deployment,
    DeploymentOutcome,
    RolledBack,
    code_hash_of,
)
from schemas.fields import storable

_SQL: Final = blocks("versions/deploying.sql")
_NONE_ROLLED_BACK: Final[Mapping[str, RolledBack]] = MappingProxyType({})


class Compared(NamedTuple):
    """A deployment, and what its code breaks for callers of the current version.

    ``breaking`` are the sentences; ``is_breaking`` if one of them is about a break.
    """

    deployment: Deployment
    breaking: Sequence[str] = ()
    is_breaking: bool = False

    @property
    def tool_name(self) -> str:
        """The tool of the deployment."""
        return self.deployment.tool_name


async def deploy_each(
    conn: Connection,
    requests: Sequence[Compared],
    rolled_back: Mapping[str, RolledBack] = _NONE_ROLLED_BACK,
) -> list[DeploymentOutcome]:
    """Make the code of each deployment the current version of its tool; return the outcomes.

    Each deployment is of another tool. It is one transaction: all of them or none.

    Code that is current already is ``unchanged``: its ``deployment_count`` grows, and it keeps its
    ``accepted_breaks``. A person's deployment gives the code trust again, unchanged or not. A
    deployment of a tool in ``rolled_back`` is refused, because this was done to its code. A
    ``deployment_id`` that has an outcome already changes nothing and gets that outcome. To be sure
    which version is replaced, look and deploy under :func:`db.postgres.locks.tool_lock`.

    Raises Retryable, also if one id stands for two deployments.
    """
    tools = [request.tool_name for request in requests]
    assert len(set(tools)) == len(tools), "deployments of one tool need an order"
    async with tool_transaction(conn, *tools):
        known = await _stored_outcomes(
            conn, [request.deployment.deployment_id for request in requests]
        )
        new = [request for request in requests if request.deployment.deployment_id not in known]
        if new:
            taken = [request for request in new if request.tool_name not in rolled_back]
            refused = [request for request in new if request.tool_name in rolled_back]
            outcomes = await _deploy_new(conn, taken) if taken else []
            outcomes += await _refuse_new(conn, refused, rolled_back) if refused else []
            await _store(conn, outcomes)
            known |= {outcome.deployment_id: outcome for outcome in outcomes}
        return [known[request.deployment.deployment_id] for request in requests]


async def refuse(
    conn: Connection, deployment_id: UUID, tool_name: str, refusal: str
) -> DeploymentOutcome:
    """Store that this deployment was refused, and why; return the outcome.

    If it has an outcome already, that one is returned. ``tool_name`` may be no valid name. Raises
    Retryable.
    """
    tool_name = storable(tool_name)
    async with tool_transaction(conn, tool_name):
        stored = await _stored_outcomes(conn, [deployment_id])
        if stored:
            return stored[deployment_id]
        outcome = DeploymentOutcome(
            deployment_id=deployment_id,
            tool_name=tool_name,
            status="refused",
            refusal=storable(refusal),
            applied_at=await conn.fetchval(_SQL["clock"]),
        )
        await _store(conn, [outcome])
        return outcome


async def outcome_of(conn: Connection, deployment_id: UUID) -> DeploymentOutcome | None:
    """Return the outcome of a deployment; None if it has none yet."""
    with postgres_errors():
        return (await _stored_outcomes(conn, [deployment_id])).get(deployment_id)


async def _deploy_new(conn: Connection, requests: Sequence[Compared]) -> list[DeploymentOutcome]:
    """Create the versions, except those whose code is current already."""
    rows = await conn.fetch(_SQL["standing"], [request.tool_name for request in requests])
    standing = {row["tool_name"]: row for row in rows}
    hashes = {request.tool_name: code_hash_of(request.deployment.code) for request in requests}
    is_new = {tool: standing[tool]["code_hash"] != code_hash for tool, code_hash in hashes.items()}
    await lock_versions(conn, [row["version_id"] for row in rows if row["version_id"] is not None])
    created = await _create(
        conn, [request for request in requests if is_new[request.tool_name]], standing
    )
    again = [row["version_id"] for row in rows if not is_new[row["tool_name"]]]
    if again:
        await conn.execute(_SQL["deploy_again"], again)
    by_people = [
        request.tool_name for request in requests if request.deployment.created_by == "human"
    ]
    await give_trust(conn, [(tool, hashes[tool]) for tool in by_people])
    return [
        DeploymentOutcome(
            deployment_id=request.deployment.deployment_id,
            tool_name=request.tool_name,
            status="created" if is_new[request.tool_name] else "unchanged",
            version_id=made["version_id"],
            version_number=made["version_number"],
            activation=made["activation"],
            is_breaking_change=made["is_breaking_change"],
            breaking_changes=made["breaking_changes"],
            applied_at=standing[request.tool_name]["now"],
        )
        for request in requests
        for made in [created.get(request.tool_name, standing[request.tool_name])]
    ]


async def _refuse_new(
    conn: Connection, requests: Sequence[Compared], rolled_back: Mapping[str, RolledBack]
) -> list[DeploymentOutcome]:
    """Return the refusals. No version is changed."""
    now = await conn.fetchval(_SQL["clock"])
    return [
        DeploymentOutcome(
            deployment_id=request.deployment.deployment_id,
            tool_name=request.tool_name,
            status="refused",
            refusal=IDENTICAL_TO_ROLLED_BACK,
            rolled_back=rolled_back[request.tool_name],
            applied_at=now,
        )
        for request in requests
    ]


async def _create(
    conn: Connection, requests: Sequence[Compared], standing: Mapping[str, asyncpg.Record]
) -> dict[str, asyncpg.Record]:
    """Create versions that replace the current ones; return their rows by tool."""
    if not requests:
        return {}
    current = [standing[request.tool_name]["version_id"] for request in requests]
    replaced = [version_id for version_id in current if version_id is not None]
    if replaced:
        await conn.execute(_SQL["retire"], replaced)
    made = [_row(request, standing[request.tool_name]) for request in requests]
    rows = await conn.fetchmany(_SQL["create"], made)
    return {row["tool_name"]: row for row in rows}


def _row(request: Compared, standing: asyncpg.Record) -> tuple[Any, ...]:
    deployment = request.deployment
    accepted = [each.model_dump(exclude_none=True) for each in deployment.accepted_breaks or []]
    return (
        deployment.tool_name,
        standing["highest_number"] + 1,
        deployment.code,
        code_hash_of(deployment.code),
        deployment.deployed_at,
        deployment.created_by,
        request.is_breaking,
        [storable(sentence) for sentence in request.breaking],
        deployment.improvement_type,
        deployment.improvement_reason,
        standing["version_id"],
        deployment.deployment_id,
        standing["highest_activation"] + 1,
        to_jsonb(accepted),
    )


async def _stored_outcomes(
    conn: Connection, deployment_ids: Sequence[UUID]
) -> dict[UUID, DeploymentOutcome]:
    rows = await conn.fetch(_SQL["stored_outcomes"], deployment_ids)
    return {
        row["deployment_id"]: DeploymentOutcome.model_validate_json(row["outcome"]) for row in rows
    }


async def _store(conn: Connection, outcomes: Sequence[DeploymentOutcome]) -> None:
    rows = [
        (outcome.deployment_id, outcome.tool_name, outcome.model_dump_json(), outcome.applied_at)
        for outcome in outcomes
    ]
    await conn.executemany(_SQL["store_outcome"], rows)
