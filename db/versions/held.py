"""Held deployments: those that wait for a person, and what became of those that waited.

An expired deployment is refused at ``expires_at``, whenever that is stored: so its outcome is
always the same.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.locks import tool_transaction
from db.postgres.pool import Connection, to_jsonb
from db.postgres.sql import blocks
from db.rollbacks.holds import Waiting
from db.versions.outcomes import DeploymentKey, replace_outcomes
from schemas.deployment import (
    EXPIRED,
    SUPERSEDED,
    AcceptedBreak,
    Author,
    AuthoredDeployment,
    Check,
    Deployment,
    DeploymentOutcome,
    code_hash_of,
)
from schemas.errors import Retryable
from schemas.fields import Time, storable
from schemas.message import Message

_SQL: Final = blocks("versions/held.sql")

HoldStatus = Literal["held", "approved", "dismissed", "expired", "superseded"]


class HeldDeployment(Message):
    """A deployment that waits for a person, or waited, as people read it.

    ``status`` is ``held`` while it waits. ``ended_at`` is when it ended to wait, and
    ``superseded_by`` the newer deployment that took its place.
    """

    deployment_id: UUID
    tool_name: str
    code_hash: str
    created_by: Author
    author: str | None
    improvement_type: str
    improvement_reason: str | None
    deployed_at: Time
    accepted_breaks: list[AcceptedBreak]
    checks: list[Check]
    findings: list[str]
    status: HoldStatus
    held_at: Time
    expires_at: Time
    ended_at: Time | None
    approved_by: str | None
    dismissed_by: str | None
    dismissal: str | None
    superseded_by: UUID | None


class WaitingDeployment(NamedTuple):
    """A deployment that waits, as the applier needs it."""

    deployment: Deployment
    findings: Sequence[str]
    expires_at: datetime
    is_past_hold: bool
    """Whether its time is over."""

    @property
    def key(self) -> DeploymentKey:
        """The identity of the deployment."""
        return DeploymentKey(self.deployment.tool_name, self.deployment.deployment_id)

    def _refused(self, refusal: str, at: datetime) -> DeploymentOutcome:
        return DeploymentOutcome(
            deployment_id=self.deployment.deployment_id,
            tool_name=self.deployment.tool_name,
            status="refused",
            refusal=refusal,
            findings=list(self.findings),
            applied_at=at,
        )

    @property
    def expiry(self) -> "tuple[HoldEnded, DeploymentOutcome]":
        """The end of its wait if nobody answers in time."""
        ended = HoldEnded(self.key, "expired", self.expires_at)
        return ended, self._refused(EXPIRED, self.expires_at)

    def superseded_by(
        self, newer: DeploymentKey, at: datetime
    ) -> "tuple[HoldEnded, DeploymentOutcome]":
        """Return the end of its wait if a newer deployment comes.

        One whose time was over before has expired, but it is told with the newer one.
        """
        ended, outcome = self.expiry
        if not self.is_past_hold:
            ended = HoldEnded(self.key, "superseded", at)
            outcome = self._refused(SUPERSEDED, at)
        return ended._replace(superseded_by=newer.deployment_id), outcome


class HoldEnded(NamedTuple):
    """The end of a wait."""

    key: DeploymentKey
    status: HoldStatus
    at: datetime
    approved_by: str | None = None
    dismissed_by: str | None = None
    dismissal: str | None = None
    superseded_by: UUID | None = None


class NewHold(NamedTuple):
    """A deployment that waits from now on."""

    deployment: Deployment
    findings: Sequence[str]
    at: datetime
    expires_s: int


class Holds(NamedTuple):
    """What is held of some tools, as one look at them shows it."""

    waiting: Mapping[str, WaitingDeployment]
    """The deployments that wait, by tool: each tool has at most one."""
    have_superseded: bool
    """Whether one of the deployments that are asked about has superseded another one."""


async def holds_about(
    conn: Connection, tool_names: Sequence[str], deployment_ids: Sequence[UUID] = ()
) -> Holds:
    """Return what waits of these tools, and whether these deployments were here before.

    To be called under the locks of the tools, so that the answer still holds when they are changed.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["about"], tool_names, deployment_ids)
    waits = {row["tool_name"]: _waiting(row) for row in rows if row["status"] == "held"}
    return Holds(waits, len(rows) > len(waits))


async def hold(conn: Connection, held: Sequence[NewHold]) -> None:
    """Store deployments that wait from now on, in the caller's transaction."""
    if held:
        await conn.executemany(_SQL["hold"], [_row(each) for each in held])


async def end_holds(conn: Connection, ended: Sequence[tuple[HoldEnded, DeploymentOutcome]]) -> None:
    """Store that these deployments do not wait any more, in the caller's transaction.

    With each comes the outcome that takes the place of `held`. Raises Retryable if one of them does
    not wait: the lock of its tool was lost.
    """
    if not ended:
        return
    rows = await conn.fetchmany(_SQL["end"], [(*key, *rest) for (key, *rest), _ in ended])
    if len(rows) < len(ended):
        raise Retryable("Postgres", "a held deployment was answered by somebody else")
    await replace_outcomes(conn, [outcome for _, outcome in ended])


async def expire(conn: Connection, tool_name: str) -> None:
    """Refuse the held deployment of the tool that nobody answered in time.

    The caller has locked the tool, and has published the outcome, which ``due`` returns.
    """
    async with tool_transaction(conn, tool_name):
        held = await holds_about(conn, [tool_name])
        over = [each.expiry for each in held.waiting.values() if each.is_past_hold]
        await end_holds(conn, over)


async def waiting_deployments(conn: Connection) -> Waiting:
    """Return how many held deployments wait for a person."""
    with postgres_errors():
        row = await conn.fetchrow(_SQL["waiting"])
    assert row is not None, "an aggregate has a row"
    return Waiting(**row)


async def tools_with_due(conn: Connection) -> list[str]:
    """Return the tools that have a held deployment which nobody answered in time."""
    with postgres_errors():
        return [row["tool_name"] for row in await conn.fetch(_SQL["tools_due"])]


async def due(conn: Connection, tool_name: str) -> list[DeploymentOutcome]:
    """Return the outcomes of the held deployments of the tool that nobody answered in time.

    They are the same each time, until they are stored.
    """
    held = await holds_about(conn, [tool_name])
    return [each.expiry[1] for each in held.waiting.values() if each.is_past_hold]


async def superseded_by(
    conn: Connection, newer: Sequence[DeploymentKey]
) -> list[DeploymentOutcome]:
    """Return the outcomes of the deployments whose place these newer ones took."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["superseded"], *zip(*newer, strict=True))
    return [DeploymentOutcome.model_validate_json(row["outcome"]) for row in rows]


async def held_deployments(conn: Connection, tool_name: str | None) -> list[HeldDeployment]:
    """Return the deployments of one tool or of all that wait, the newest first."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["listed"], tool_name)
    return [HeldDeployment.model_validate(dict(row)) for row in rows]


async def holds_of_tool(conn: Connection, tool_name: str, limit: int) -> list[HeldDeployment]:
    """Return the newest deployments of a tool that wait or waited, the newest first."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["of_tool"], tool_name, limit)
    return [HeldDeployment.model_validate(dict(row)) for row in rows]


async def holds_among(
    conn: Connection, tool_name: str, deployment_ids: Sequence[UUID]
) -> dict[UUID, HeldDeployment]:
    """Return those of these deployments of a tool that wait or waited, by their ids."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["among"], tool_name, deployment_ids)
    return {row["deployment_id"]: HeldDeployment.model_validate(dict(row)) for row in rows}


async def deployment_held(
    conn: Connection, key: DeploymentKey
) -> tuple[HeldDeployment, str | None] | None:
    """Return a deployment that waits or waited, with its code if it waits; None if it never did."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["among"], key.tool_name, [key.deployment_id])
    for row in rows:
        return HeldDeployment.model_validate(dict(row)), row["code"]
    return None


async def held_between(
    conn: Connection, first: UUID, last: UUID, tool_name: str | None, limit: int
) -> list[DeploymentKey]:
    """Return at most ``limit`` held deployments whose ids lie between two ids, in their order."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["between"], first, last, tool_name, limit)
    return [DeploymentKey(*row) for row in rows]


def _waiting(row: asyncpg.Record) -> WaitingDeployment:
    fields = {name: row[name] for name in _REQUESTED}
    kind = Deployment if row["author"] is None else AuthoredDeployment
    if row["author"] is not None:
        fields |= {name: row[name] for name in ("author", "authorship")}
    # A row that was valid when it was stored must be answered, whatever is valid now.
    fields["accepted_breaks"] = [
        AcceptedBreak.model_construct(**each) for each in row["accepted_breaks"]
    ]
    fields["checks"] = [Check.model_construct(**each) for each in row["checks"]]
    deployment = kind.model_construct(**fields)
    return WaitingDeployment(deployment, row["findings"], row["expires_at"], row["is_past_hold"])


_REQUESTED: Final = (
    *("deployment_id", "tool_name", "code", "created_by", "improvement_type"),
    *("improvement_reason", "deployed_at"),
)


def _row(held: NewHold) -> tuple[Any, ...]:
    """Return the parameters of the block `hold`."""
    deployment = held.deployment
    return (
        deployment.tool_name,
        deployment.deployment_id,
        deployment.code,
        code_hash_of(deployment.code),
        deployment.created_by,
        *author_of(deployment),
        deployment.improvement_type,
        deployment.improvement_reason,
        deployment.deployed_at,
        accepted_of(deployment),
        checks_of(deployment),
        [storable(each) for each in held.findings],
        held.at,
        held.expires_s,
    )


def author_of(deployment: Deployment) -> tuple[str | None, str | None]:
    """Return the name of the author and what the author has signed, if that is known."""
    if isinstance(deployment, AuthoredDeployment):
        return deployment.author, deployment.authorship
    return None, None


def accepted_of(deployment: Deployment) -> str:
    """Return the accepted breaks of a deployment as a column has them."""
    return to_jsonb(
        [each.model_dump(exclude_none=True) for each in deployment.accepted_breaks or ()]
    )


def checks_of(deployment: Deployment) -> str:
    """Return the checks of a deployment as a column has them."""
    return to_jsonb([each.model_dump(exclude_none=True) for each in deployment.checks or ()])
