"""The versions of each tool: what a deployment makes of them, and reading them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from db.errors import postgres_errors
from db.locks import tool_lock, tool_transaction
from db.pool import Connection, to_jsonb
from db.rollbacks import RollbackRecord, rollbacks_about
from db.sql import blocks
from db.trust import give_trust
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion, code_hash_of
from schemas.execution import ActivatedBy
from schemas.fields import Time, storable

__all__ = [
    "VersionRecord",
    "activated_within",
    "current_version",
    "deploy",
    "history",
    "outcome_of",
    "possible_id",
    "refuse",
    "tool_lock",
    "tools",
    "version",
]

_SQL: Final = blocks("versions.sql")


class VersionRecord(ToolVersion):
    """A version with what became of it. ``success_rate`` is None until it was executed.

    ``trusted``: whether its code may be gone back to (:mod:`db.trust`). ``rollbacks`` are the
    commands to replace this version, applied or rejected, the oldest first. ``pruned_executions``
    of ``total_executions`` were removed since they were counted.
    """

    success_rate: float | None
    total_executions: int
    successful_executions: int
    pruned_executions: int = 0
    deployment_count: int
    is_current: bool
    created_at: Time
    trusted: bool
    rollbacks: list[RollbackRecord]


async def deploy(
    conn: Connection,
    deployment: Deployment,
    breaking: Sequence[str] = (),
    is_breaking: bool = False,
) -> DeploymentOutcome:
    """Make this code the current version of its tool, in one transaction.

    The code that is current already: ``unchanged``, its ``deployment_count`` grows, it keeps its
    ``accepted_breaks``. A person's deployment gives the code its trust again, unchanged or not. A
    ``deployment_id`` seen before changes nothing and gets its first outcome. ``breaking`` are the
    sentences on what this code breaks against the current one; to be sure which one that is, look
    under :func:`tool_lock` and deploy inside it. Raises Retryable.
    """
    async with tool_transaction(conn, deployment.tool_name):
        stored = await _stored_outcome(conn, deployment.deployment_id)
        if stored is not None:
            return stored
        current = await conn.fetchrow(_SQL["current"], deployment.tool_name)
        code_hash = code_hash_of(deployment.code)
        if current is not None and current["code_hash"] == code_hash:
            await conn.execute(_SQL["deploy_again"], current["version_id"])
            outcome = await _outcome(conn, deployment, "unchanged", current)
        else:
            created = await _create(conn, deployment, code_hash, current, breaking, is_breaking)
            outcome = await _outcome(conn, deployment, "created", created)
        if deployment.created_by == "human":
            await give_trust(conn, deployment.tool_name, code_hash)
        return await _store(conn, outcome)


async def refuse(
    conn: Connection, deployment_id: UUID, tool_name: str, refusal: str
) -> DeploymentOutcome:
    """Remember that this deployment was refused and why; if it has an outcome already, that one
    holds and is returned. ``tool_name`` may be no valid name. Raises Retryable."""
    tool_name = storable(tool_name)
    async with tool_transaction(conn, tool_name):
        stored = await _stored_outcome(conn, deployment_id)
        if stored is not None:
            return stored
        outcome = DeploymentOutcome(
            deployment_id=deployment_id,
            tool_name=tool_name,
            status="refused",
            refusal=storable(refusal),
            applied_at=await conn.fetchval(_SQL["clock"]),
        )
        return await _store(conn, outcome)


async def current_version(conn: Connection, tool_name: str) -> ToolVersion | None:
    """The version of the tool that is current now; None for a tool without versions."""
    with postgres_errors():
        row = await conn.fetchrow(_SQL["current"], tool_name)
    return None if row is None else ToolVersion.model_validate(_fields(row))


async def tools(conn: Connection) -> list[str]:
    """The names of all tools that have versions."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["tools"])
    return [row["tool_name"] for row in rows]


async def activated_within(conn: Connection, span: timedelta) -> list[str]:
    """The tools whose current version was made current so short a time ago, by Postgres' clock."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["activated_since"], span)
    return [row["tool_name"] for row in rows]


async def history(conn: Connection, tool_name: str, limit: int) -> list[VersionRecord]:
    """At most ``limit`` versions of the tool, the newest number first."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["history"], tool_name, limit)
    return await _records(conn, tool_name, rows)


async def version(conn: Connection, tool_name: str, version_id: int) -> VersionRecord | None:
    """One version; None if this tool has none with this id."""
    if not possible_id(version_id):
        return None
    with postgres_errors():
        rows = await conn.fetch(_SQL["version"], tool_name, version_id)
    return next(iter(await _records(conn, tool_name, rows)), None)


def possible_id(version_id: int) -> bool:
    """Whether a version may have this id: what is asked for need not be one."""
    return 1 <= version_id < 2**31


async def _records(
    conn: Connection, tool_name: str, rows: Sequence[asyncpg.Record]
) -> list[VersionRecord]:
    """Versions with the commands about them, as they stand a moment later than the rows."""
    about = await rollbacks_about(conn, tool_name, [row["version_id"] for row in rows])
    return [
        VersionRecord.model_validate(_fields(row) | {"rollbacks": about.get(row["version_id"], [])})
        for row in rows
    ]


async def _create(
    conn: Connection,
    deployment: Deployment,
    code_hash: str,
    current: asyncpg.Record | None,
    breaking: Sequence[str],
    is_breaking: bool,
) -> asyncpg.Record:
    highest = await conn.fetchrow(_SQL["highest"], deployment.tool_name)
    assert highest is not None
    if current is not None:
        await conn.execute(_SQL["retire"], current["version_id"])
    created = await conn.fetchrow(
        _SQL["create"],
        deployment.tool_name,
        highest["version_number"] + 1,
        deployment.code,
        code_hash,
        deployment.deployed_at,
        deployment.created_by,
        is_breaking,
        [storable(sentence) for sentence in breaking],
        deployment.improvement_type,
        deployment.improvement_reason,
        current and current["version_id"],
        deployment.deployment_id,
        highest["activation"] + 1,
        to_jsonb([each.model_dump(exclude_none=True) for each in deployment.accepted_breaks or []]),
    )
    assert created is not None
    return created


async def _outcome(
    conn: Connection, deployment: Deployment, status: Any, row: asyncpg.Record
) -> DeploymentOutcome:
    return DeploymentOutcome(
        deployment_id=deployment.deployment_id,
        tool_name=deployment.tool_name,
        status=status,
        version_id=row["version_id"],
        version_number=row["version_number"],
        activation=row["activation"],
        is_breaking_change=row["is_breaking_change"],
        breaking_changes=row["breaking_changes"],
        applied_at=await conn.fetchval(_SQL["clock"]),
    )


async def outcome_of(conn: Connection, deployment_id: UUID) -> DeploymentOutcome | None:
    """What came of a deployment; None while nothing has."""
    with postgres_errors():
        return await _stored_outcome(conn, deployment_id)


async def _stored_outcome(conn: Connection, deployment_id: UUID) -> DeploymentOutcome | None:
    text = await conn.fetchval(_SQL["stored_outcome"], deployment_id)
    return None if text is None else DeploymentOutcome.model_validate_json(text)


async def _store(conn: Connection, outcome: DeploymentOutcome) -> DeploymentOutcome:
    await conn.execute(
        _SQL["store_outcome"],
        outcome.deployment_id,
        outcome.tool_name,
        outcome.model_dump_json(),
        outcome.applied_at,
    )
    return outcome


def _fields(row: asyncpg.Record) -> dict[str, Any]:
    """A row of `tool_versions` as the fields of the models above."""
    fields = dict(row)
    fields["activated_by"] = ActivatedBy(
        kind=fields.pop("activated_by_kind"), id=fields.pop("activated_by_id")
    )
    return fields
