"""Deployments: the versions that they make, and the outcome of each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Self

import asyncpg

from db.postgres.locks import lock_versions, tool_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.rollbacks.trust import NewTrust, give_trust
from db.stops.changing import StopEnd
from db.stops.reading import stops_of_deployments
from db.versions.held import (
    HoldEnded,
    NewHold,
    WaitingDeployment,
    accepted_of,
    author_of,
    checks_of,
    end_holds,
    hold,
)
from db.versions.outcomes import DeploymentKey, store_outcomes, stored_outcomes
from policy.deployments.stops import REFUSALS, Attempt, stop_of
from schemas.deployment import (
    Deployment,
    DeploymentOutcome,
    RolledBack,
    code_hash_of,
)
from schemas.errors import Retryable
from schemas.fields import storable
from schemas.stops import Stop

_SQL: Final = blocks("versions/deploying.sql")


class Obstacle(NamedTuple):
    """What keeps a deployment from becoming a version: it is refused, or held for a person."""

    status: Literal["refused", "held"]
    refusal: str | None = None
    rolled_back: RolledBack | None = None
    stopped: Stop | None = None
    findings: Sequence[str] = ()
    hold_expires_s: int = 0
    """For how many seconds a deployment that is held waits for an answer."""


_NONE_HELD: Final[Mapping[str, WaitingDeployment]] = MappingProxyType({})
_NO_OBSTACLES: Final[Mapping[str, Obstacle]] = MappingProxyType({})


class Compared(NamedTuple):
    """A deployment, and what its code breaks for callers of the current version.

    ``breaking`` are the sentences; ``is_breaking`` if one of them is about a break. ``against`` is
    the id of the version that was current when it was compared; None if there was none. ``answer``
    is the answer to it if it is held.
    """

    deployment: Deployment
    breaking: Sequence[str] = ()
    is_breaking: bool = False
    against: int | None = None
    answer: Deployment | None = None

    @property
    def tool_name(self) -> str:
        """The tool of the deployment."""
        return self.deployment.tool_name

    @property
    def key(self) -> DeploymentKey:
        """The identity of the deployment."""
        return DeploymentKey(self.deployment.tool_name, self.deployment.deployment_id)

    @property
    def code_hash(self) -> str:
        """The hash of the deployed code."""
        return code_hash_of(self.deployment.code)

    @property
    def attempt(self) -> Attempt:
        """The deployment as stops look at it."""
        return Attempt(self.tool_name, self.deployment.created_by, self.code_hash)


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
    obstacles: Mapping[str, Obstacle] = _NO_OBSTACLES,
    held: Mapping[str, WaitingDeployment] = _NONE_HELD,
) -> list[DeploymentOutcome]:
    """Make the code of each deployment the current version of its tool; return the outcomes.

    No two deployments may be of the same tool. It is one transaction: all of them or none.

    If the code is current already, the outcome is ``unchanged``: the ``deployment_count`` of the
    version grows, and the breaking changes that its author accepted stay as they are. If a person
    deploys code that had lost its trust by a rollback, the code is trusted again, unchanged or not,
    and autonomous deployments that waited since a rollback need not wait any more.

    An autonomous deployment is refused if a stop is in force (``policy.deployments.stops``). A stop
    that begins or ends at the same time does so either before or after. ``obstacles`` has the tools
    whose deployment makes no version for another reason. A ``deployment_id`` of the tool that has
    an outcome already changes nothing and gets that outcome. The exceptions are held deployments
    with an answer, and those whose time is over, which are refused. ``held`` are the deployments of
    the tools that wait; one that makes a version or is held takes the place of that of its tool.

    The transaction locks the tools. A caller that has compared the code with the current version
    should have taken ``db.postgres.locks.tool_lock`` before, so that the version is still current.

    Raises Locked if somebody else holds a lock that is needed. Raises Retryable if Postgres does
    not answer, if the version is not current any more (the lock was lost), or if another
    transaction has just stored one of the ids: the next try finds its outcome.
    """
    tools = [request.tool_name for request in requests]
    assert len(set(tools)) == len(tools), "deployments of one tool need an order"
    async with tool_transaction(conn, *tools):
        await _expire(conn, requests, held)
        known = await stored_outcomes(conn, [each.key for each in requests])
        pending = [each for each in requests if _is_pending(each, known.get(each.tool_name))]
        if pending:
            stopped = await _stops(conn, pending)
            outcomes = await _settle(conn, pending, held, {**obstacles, **stopped})
            known |= {outcome.tool_name: outcome for outcome in outcomes}
        return [known[tool] for tool in tools]


def _is_pending(request: Compared, outcome: DeploymentOutcome | None) -> bool:
    """Return whether the deployment has no outcome, or is held and is answered now."""
    return outcome is None or (outcome.status == "held" and request.answer is not None)


async def _expire(
    conn: Connection, requests: Sequence[Compared], held: Mapping[str, WaitingDeployment]
) -> None:
    """Refuse those of the deployments that wait, and that nobody answered in time."""
    over = [
        waited
        for each in requests
        if (waited := held.get(each.tool_name)) is not None
        and waited.is_past_hold
        and waited.key == each.key
    ]
    await end_holds(conn, [each.expiry for each in over])


async def _settle(
    conn: Connection,
    requests: Sequence[Compared],
    held: Mapping[str, WaitingDeployment],
    obstacles: Mapping[str, Obstacle],
) -> list[DeploymentOutcome]:
    """Make versions of the deployments that are not stopped; return the outcomes of all.

    ``held`` are the deployments of their tools that wait.
    """
    taken = [each for each in requests if each.tool_name not in obstacles]
    stopped = [each for each in requests if each.tool_name in obstacles]
    outcomes = await _deploy_new(conn, taken) if taken else []
    outcomes += await _keep_back(conn, stopped, obstacles) if stopped else []
    of_tool = {outcome.tool_name: outcome for outcome in outcomes}
    await _end_waits(conn, requests, of_tool, held)
    await hold(
        conn,
        [
            NewHold(
                each.deployment,
                obstacle.findings,
                of_tool[tool].applied_at,
                obstacle.hold_expires_s,
            )
            for each in stopped
            for tool, obstacle in [(each.tool_name, obstacles[each.tool_name])]
            if obstacle.status == "held"
        ],
    )
    await store_outcomes(
        conn, [of_tool[each.tool_name] for each in requests if each.answer is None]
    )
    return outcomes


async def _end_waits(
    conn: Connection,
    requests: Sequence[Compared],
    outcomes: Mapping[str, DeploymentOutcome],
    held: Mapping[str, WaitingDeployment],
) -> None:
    """End the waits of deployments that were answered, and of those that others supersede."""
    ended = []
    for request in requests:
        waited, outcome = held.get(request.tool_name), outcomes[request.tool_name]
        if waited is None:
            continue
        if request.answer is not None:
            ended.append((_answered(request.answer, waited, outcome.applied_at), outcome))
        elif outcome.status in ("created", "held"):
            ended.append(waited.superseded_by(request.key, outcome.applied_at))
    await end_holds(conn, ended)


def _answered(answer: Deployment, waited: WaitingDeployment, at: datetime) -> HoldEnded:
    return HoldEnded(
        waited.key,
        "approved" if answer.approved_by is not None else "dismissed",
        at,
        answer.approved_by,
        answer.dismissed_by,
        answer.dismissal,
    )


async def _stops(conn: Connection, requests: Sequence[Compared]) -> dict[str, Obstacle]:
    """Return the refusals because of stops, by tool.

    A person who approves a held deployment is stopped by nothing but the rejection of its code.
    """
    asked = [
        each
        for each in requests
        if each.deployment.created_by == "autonomous"
        and not each.deployment.is_answer
        and (each.answer is None or each.answer.approved_by is not None)
    ]
    if not asked:
        return {}
    said = await stops_of_deployments(conn, [(each.tool_name, each.code_hash) for each in asked])
    found = {}
    for each in asked:
        if each.tool_name not in said:
            continue
        stops, now = said[each.tool_name]
        counting = [stop for stop in stops if each.answer is None or stop.kind == "rejection"]
        if (stop := stop_of(each.attempt, counting, now)) is not None:
            found[each.tool_name] = Obstacle("refused", REFUSALS[stop.kind], stopped=stop)
    return found


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
    names = {each.tool_name: author_of(each.deployment)[0] or "human" for each in by_people}
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


async def _keep_back(
    conn: Connection, requests: Sequence[Compared], obstacles: Mapping[str, Obstacle]
) -> list[DeploymentOutcome]:
    """Return the outcomes of deployments that make no version."""
    now = await conn.fetchval(_SQL["clock"])
    return [
        DeploymentOutcome(
            deployment_id=request.deployment.deployment_id,
            tool_name=request.tool_name,
            status=obstacle.status,
            refusal=obstacle.refusal,
            rolled_back=obstacle.rolled_back,
            stopped=obstacle.stopped,
            findings=list(obstacle.findings) or None,
            applied_at=now,
        )
        for request in requests
        for obstacle in [obstacles[request.tool_name]]
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
        (version.version_id, *author_of(each.deployment))
        for each in requests
        if (version := before[each.tool_name].version) is not None
    ]
    if again:
        await conn.execute(_SQL["deploy_again"], *zip(*again, strict=True))


def _row(request: Compared, tool: _Tool) -> tuple[Any, ...]:
    """Return the parameters of the block `create`."""
    deployment = request.deployment
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
        accepted_of(deployment),
        *author_of(deployment),
        checks_of(deployment),
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
