"""Trust: which code of a tool a rollback may return to.

Trust belongs to the code, not to a version of it. Code that was rolled back automatically has lost
it until a person deploys that code again or activates a version of it. So has code that a person
has rejected (``db.stops``). Call all functions inside the transaction that changes the tool.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Self
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.stops.changing import StopEnd, end_each
from schemas.explanation import Explanation
from schemas.rollback import Reason, Tier

_SQL: Final = blocks("rollbacks/trust.sql")


class Target(NamedTuple):
    """A version that may become the current one."""

    version_id: int
    version_number: int
    code_hash: str

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        """Read it from a row that has these three columns."""
        return cls(row["version_id"], row["version_number"], row["code_hash"])


class WayBackFrom(NamedTuple):
    """A version that is to be replaced, and what is wanted of its way back."""

    tool_name: str
    version_id: int
    losing: str | None = None
    """The hash of the code that loses its trust with the rollback, if any: another version with
    the same code is no target."""
    most: int = 1
    """So many versions on the way back are wanted at most."""


class Candidate(NamedTuple):
    """A trusted version on the way back, and how often it was executed and succeeded.

    The counts include what the recorder has stored so far.
    """

    target: Target
    executions: int
    successes: int


class TrustLoss(NamedTuple):
    """The rollback that took the trust of some code."""

    command_id: UUID
    tier: Tier
    reason: Reason
    details: dict[str, Any]
    from_version_id: int
    applied_at: datetime
    explanation: Explanation | None = None
    """None for a rollback from before explanations were stored."""


class NewTrustLoss(NamedTuple):
    """Code that loses its trust at ``since``, when this command was applied."""

    tool_name: str
    code_hash: str
    command_id: UUID
    since: datetime


class NewTrust(NamedTuple):
    """Code that a person has made current, and how."""

    tool_name: str
    code_hash: str
    by: str
    how: Literal["deployment", "rollback"]


async def ways_back(conn: Connection, leaving: Sequence[WayBackFrom]) -> dict[str, list[Candidate]]:
    """Return the candidates on the way back from each version, by tool, the nearest first.

    The way goes along ``previous_version_id``. Candidates are trusted and are not the version that
    is left. Tools without candidates are missing. If the history of a tool is a circle, a version
    may come more than once.
    """
    if not leaving:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["way_back"], *zip(*leaving, strict=True))
    found = defaultdict(list)
    for row in rows:
        found[row["tool_name"]].append(
            Candidate(Target.of(row), row["total_executions"], row["successful_executions"])
        )
    return dict(found)


async def trust_losses(conn: Connection, code: Sequence[tuple[str, str]]) -> dict[str, TrustLoss]:
    """Return the rollback that took the trust of this code, by tool.

    ``code`` has one pair of tool and code hash for each tool. Tools whose code was not rolled back
    automatically, or is trusted again, are missing.
    """
    if not code:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["losses"], *zip(*code, strict=True))
    return {row["tool_name"]: _trust_loss(row) for row in rows}


def _trust_loss(row: asyncpg.Record) -> TrustLoss:
    loss = TrustLoss(*(row[name] for name in TrustLoss._fields))
    if loss.explanation is None:
        return loss
    return loss._replace(explanation=Explanation.model_validate(loss.explanation))


async def take_trust(conn: Connection, losses: Sequence[NewTrustLoss]) -> None:
    """Take the trust of this code. Code that lost it earlier keeps its first loss."""
    if losses:
        await conn.executemany(_SQL["take"], losses)


async def give_trust(
    conn: Connection, given: Sequence[NewTrust], waits: Sequence[StopEnd] = ()
) -> None:
    """Give trust to code that a person has made current, whatever happened to it before.

    If a person had rejected it, the rejection has ended. ``waits`` are the waits that end with it.
    """
    if given:
        await conn.executemany(_SQL["give"], [(each.tool_name, each.code_hash) for each in given])
        rejections = [
            StopEnd("rejection", each.tool_name, each.by, each.how, each.code_hash)
            for each in given
        ]
        await end_each(conn, [*rejections, *waits])
