"""Deployments: the versions that they make, and the outcome of each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.locks import lock_versions, tool_transaction
from db.postgres.pool import Connection, to_jsonb
from db.postgres.sql import blocks
from db.rollbacks.trust import NewTrust, give_trust
from db.stops.changing import StopEnd
from db.stops.reading import stops_of_deployments
from policy.deployments.stops import REFUSALS, Attempt, stop_of
from schemas.deployment import (
    IDENTICAL_TO_ROLLED_BACK,
    AuthoredDeployment,
    Deployment,
    DeploymentOutcome,
    RolledBack,
    code_hash_of,
)
from schemas.errors import Retryable
from schemas.fields import storable
from schemas.stops import Stop

_SQL: Final = blocks("versions/deploying.sql")
_NONE_ROLLED_BACK: Final[Mapping[str, RolledBack]] = MappingProxyType({})


class Compared(NamedTuple):
    """A deployment, and what its code breaks for callers of the current version.

    ``breaking`` are the sentences; ``is_breaking`` if one of them is about a break. ``against`` is
    the id of the version that was current when it was compared; None if there was none.
    """

    deployment: Deployment
    breaking: Sequence[str] = ()
    is_breaking: bool = False
    against: int | None = None

    @property
    def tool_name(self) -> str:
        """The tool of the deployment."""
        return self.deployment.tool_name

    @property
    def code_hash(self) -> str:
        """The hash of the deployed code."""
        return code_hash_of(self.deployment.code)

    @property
    def attempt(self) -> Attempt:
        """The deployment as stops look at it."""
        return Attempt(self.tool_name, self.deployment.created_by, self.code_hash)


class _Refusal(NamedTuple):
    """Why a deployment is refused: a stop, or else the rollback of the same code."""

    reason: str
    stopped: Stop | None = None
    rolled_back: RolledBack | None = None


class _Version(NamedTuple):
    """A version as the outcome of a deployment names it."""

    version_id: int
    version_number: int
    activation: int
    is_breaking_change: bool
    breaking_changes: list[str]

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        """Read it from a row that has these columns."""
        return cls(*(row[name] for name in cls._fields))


class _Tool(NamedTuple):
    """A tool before a deployment: its current version, its highest numbers, and the time."""

    name: str
    version: _Version | None
    code_hash: str | None
    highest_number: int
    highest_activation: int
    now: datetime


async def deploy_each(
    conn: Connection,
    requests: Sequence[Compared],
    rolled_back: Mapping[str, RolledBack] = _NONE_ROLLED_BACK,
) -> list[DeploymentOutcome]:
    """Make the code of each deployment the current version of its tool; return the outcomes.

    No two deployments may be of the same tool. It is one transaction: all of them or none.

    If the code is current already, the outcome is ``unchanged``: the ``deployment_count`` of the
    version grows, and the breaking changes that its author accepted stay as they are. If a person
    deploys code that had lost its trust by a rollback, the code is trusted again, unchanged or not,
    and autonomous deployments that waited since a rollback need not wait any more.

    An autonomous deployment is refused if a stop is in force (``policy.deployments.stops``). A stop
    that begins or ends at the same time does so either before or after. ``rolled_back`` has the
    tools whose deployment is refused otherwise, because its code was rolled back. A
    ``deployment_id`` of the tool that has an outcome already changes nothing and gets that outcome.

    The transaction locks the tools. A caller that has compared the code with the current version
    should have taken ``db.postgres.locks.tool_lock`` before, so that the version is still current.

    Raises Locked if somebody else holds a lock that is needed. Raises Retryable if Postgres does
    not answer, if the version is not current any more (the lock was lost), or if another
    transaction has just stored one of the ids: the next try finds its outcome.
    """
    tools = [request.tool_name for request in requests]
    assert len(set(tools)) == len(tools), "deployments of one tool need an order"
    async with tool_transaction(conn, *tools):
        known = await _stored_outcomes(
            conn, [(each.tool_name, each.deployment.deployment_id) for each in requests]
        )
        new = [request for request in requests if request.tool_name not in known]
        if new:
            refusals = _refusals(rolled_back) | await _stops(conn, new)
            taken = [request for request in new if request.tool_name not in refusals]
            refused = [request for request in new if request.tool_name in refusals]
            outcomes = await _deploy_new(conn, taken) if taken else []
            outcomes += await _refuse_new(conn, refused, refusals) if refused else []
            await _store(conn, outcomes)
            known |= {outcome.tool_name: outcome for outcome in outcomes}
        return [known[tool] for tool in tools]


async def outcome_of(
    conn: Connection, tool_name: str, deployment_id: UUID
) -> DeploymentOutcome | None:
    """Return the outcome of a deployment of the tool; None if it has none yet."""
    with postgres_errors():
        return (await _stored_outcomes(conn, [(tool_name, deployment_id)])).get(tool_name)


def _refusals(rolled_back: Mapping[str, RolledBack]) -> dict[str, _Refusal]:
    return {
        tool: _Refusal(IDENTICAL_TO_ROLLED_BACK, rolled_back=lost)
        for tool, lost in rolled_back.items()
    }


async def _stops(conn: Connection, requests: Sequence[Compared]) -> dict[str, _Refusal]:
    """Return the refusals because of stops, by tool."""
    attempts = [each.attempt for each in requests if each.deployment.created_by == "autonomous"]
    if not attempts:
        return {}
    said = await stops_of_deployments(conn, [(each.tool_name, each.code_hash) for each in attempts])
    found = {
        each.tool_name: stop_of(each, *said[each.tool_name])
        for each in attempts
        if each.tool_name in said
    }
    return {
        tool: _Refusal(REFUSALS[stop.kind], stopped=stop)
        for tool, stop in found.items()
        if stop is not None
    }


async def _deploy_new(conn: Connection, requests: Sequence[Compared]) -> list[DeploymentOutcome]:
    """Create the versions, except those whose code is current already."""
    before = await _tools(conn, [request.tool_name for request in requests])
    current = [tool.version.version_id for tool in before.values() if tool.version is not None]
    await lock_versions(conn, current)
    _require_compared(requests, before)
    new = [each for each in requests if each.code_hash != before[each.tool_name].code_hash]
    created = await _create(conn, new, before)
    await _deploy_again(conn, [each for each in requests if each.tool_name not in created], before)
    await _settle_stops(conn, [each for each in requests if each.deployment.created_by == "human"])
    return [
        _outcome(each, before[each.tool_name], created.get(each.tool_name)) for each in requests
    ]


async def _settle_stops(conn: Connection, by_people: Sequence[Compared]) -> None:
    """Trust the code of these people, and let autonomous deployments wait no longer."""
    names = {each.tool_name: _author_of(each.deployment)[0] or "human" for each in by_people}
    given = [
        NewTrust(each.tool_name, each.code_hash, names[each.tool_name], "deployment")
        for each in by_people
    ]
    waits = [StopEnd("wait", tool, name, "deployment") for tool, name in names.items()]
    await give_trust(conn, given, waits)


def _require_compared(requests: Sequence[Compared], before: Mapping[str, _Tool]) -> None:
    """Raise Retryable if a version that was compared with is not the current one."""
    for each in requests:
        version = before[each.tool_name].version
        if each.against is not None and version is not None and version.version_id != each.against:
            raise Retryable("Postgres", f"the current version of {each.tool_name!r} has changed")


async def _refuse_new(
    conn: Connection, requests: Sequence[Compared], refusals: Mapping[str, _Refusal]
) -> list[DeploymentOutcome]:
    """Return the refusals. No version is changed."""
    now = await conn.fetchval(_SQL["clock"])
    return [
        DeploymentOutcome(
            deployment_id=request.deployment.deployment_id,
            tool_name=request.tool_name,
            status="refused",
            refusal=refusals[request.tool_name].reason,
            rolled_back=refusals[request.tool_name].rolled_back,
            stopped=refusals[request.tool_name].stopped,
            applied_at=now,
        )
        for request in requests
    ]


async def _tools(conn: Connection, tool_names: Sequence[str]) -> dict[str, _Tool]:
    """Return the tools as they are before the deployment, also those without versions."""
    rows = await conn.fetch(_SQL["tools"], tool_names)
    return {
        row["tool_name"]: _Tool(
            row["tool_name"],
            None if row["version_id"] is None else _Version.of(row),
            row["code_hash"],
            row["highest_number"],
            row["highest_activation"],
            row["now"],
        )
        for row in rows
    }


async def _create(
    conn: Connection, requests: Sequence[Compared], before: Mapping[str, _Tool]
) -> dict[str, _Version]:
    """Create versions that replace the current ones; return them by tool."""
    if not requests:
        return {}
    current = [before[request.tool_name].version for request in requests]
    replaced = [version.version_id for version in current if version is not None]
    if replaced:
        await conn.execute(_SQL["retire"], replaced)
    made = [_row(request, before[request.tool_name]) for request in requests]
    rows = await conn.fetchmany(_SQL["create"], made)
    return {row["tool_name"]: _Version.of(row) for row in rows}


async def _deploy_again(
    conn: Connection, requests: Sequence[Compared], before: Mapping[str, _Tool]
) -> None:
    """Count one more deployment of the current versions, whose code is deployed again."""
    again = [
        (version.version_id, *_author_of(each.deployment))
        for each in requests
        if (version := before[each.tool_name].version) is not None
    ]
    if again:
        await conn.execute(_SQL["deploy_again"], *zip(*again, strict=True))


def _author_of(deployment: Deployment) -> tuple[str | None, str | None]:
    """Return the name of the author and what the author has signed, if that is known."""
    if isinstance(deployment, AuthoredDeployment):
        return deployment.author, deployment.authorship
    return None, None


def _row(request: Compared, tool: _Tool) -> tuple[Any, ...]:
    """Return the parameters of the block `create`."""
    deployment = request.deployment
    accepted = [each.model_dump(exclude_none=True) for each in deployment.accepted_breaks or []]
    return (
        deployment.tool_name,
        tool.highest_number + 1,
        deployment.code,
        request.code_hash,
        deployment.deployed_at,
        deployment.created_by,
        request.is_breaking,
        [storable(sentence) for sentence in request.breaking],
        deployment.improvement_type,
        deployment.improvement_reason,
        None if tool.version is None else tool.version.version_id,
        deployment.deployment_id,
        tool.highest_activation + 1,
        to_jsonb(accepted),
        *_author_of(deployment),
    )


def _outcome(request: Compared, tool: _Tool, created: _Version | None) -> DeploymentOutcome:
    version = created or tool.version
    assert version is not None, "its code is current, or a version was created"
    return DeploymentOutcome(
        deployment_id=request.deployment.deployment_id,
        tool_name=request.tool_name,
        status="unchanged" if created is None else "created",
        version_id=version.version_id,
        version_number=version.version_number,
        activation=version.activation,
        is_breaking_change=version.is_breaking_change,
        breaking_changes=version.breaking_changes,
        applied_at=tool.now,
    )


async def _stored_outcomes(
    conn: Connection, requests: Sequence[tuple[str, UUID]]
) -> dict[str, DeploymentOutcome]:
    """Return the outcomes of these deployments, by tool; each is of another tool."""
    rows = await conn.fetch(_SQL["stored_outcomes"], *zip(*requests, strict=True))
    return {row["tool_name"]: DeploymentOutcome.model_validate_json(row["outcome"]) for row in rows}


async def _store(conn: Connection, outcomes: Sequence[DeploymentOutcome]) -> None:
    rows = [
        (outcome.deployment_id, outcome.tool_name, outcome.model_dump_json(), outcome.applied_at)
        for outcome in outcomes
    ]
    await conn.executemany(_SQL["store_outcome"], rows)
