"""Plans for automatic rollbacks under policy `guarded`, and what they are made of.

A plan is made before the transaction that carries it out (``agents/applier/plan_rollbacks.py``). To
be sure that it is of what is changed then, make it under :func:`db.postgres.locks.tool_lock`, and
roll back inside it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.rollbacks.trust import Target
from schemas.rollback import RollbackCommand, RollbackLimit, TargetChoice
from schemas.rules import Rules

_SQL: Final = blocks("rollbacks/plans.sql")


class Plan(NamedTuple):
    """What an automatic command comes to if nothing of the contract rejects it."""

    target: Target | None
    """Where the way back leads, if the command names no version; None: nowhere."""
    choice: TargetChoice | None
    """How ``target`` was chosen; None where it was not."""
    breaking: Sequence[str]
    """What the target breaks against the version that is current: the sentences."""
    is_breaking: bool
    """Whether one of them is of a break."""
    rollback_limit: RollbackLimit | None
    """What rejects it."""
    is_held: bool
    """Nothing is changed before a person says so."""


class Standing(NamedTuple):
    """The current version of a tool, which a command is about."""

    version_id: int
    code_hash: str
    executions: int
    successes: int


async def undecided(conn: Connection, commands: Sequence[RollbackCommand]) -> dict[str, Standing]:
    """What is current, for the tool of each command that was neither applied nor rejected yet and
    is about the current version; one command for each tool.
    """
    asked = [
        (each.command_id, each.tool_name, each.from_version_id, each.from_activation)
        for each in commands
    ]
    with postgres_errors():
        rows = await conn.fetch(_SQL["undecided"], *zip(*asked, strict=True))
    return {
        row["tool_name"]: Standing(
            row["version_id"],
            row["code_hash"],
            row["total_executions"],
            row["successful_executions"],
        )
        for row in rows
    }


async def automatic_rollbacks(
    conn: Connection, asked: Sequence[tuple[RollbackCommand, Rules]]
) -> Mapping[str, list[datetime]]:
    """By tool, when the automatic rollbacks that were applied were issued: those nearer to its
    command than ``rollback_budget_s``, earlier or later, but ``rollback_budget`` of them at most;
    in no order.
    """
    if not asked:
        return {}
    spans = [
        (
            command.tool_name,
            command.issued_at,
            timedelta(seconds=rules.rollback_budget_s),
            rules.rollback_budget,
        )
        for command, rules in asked
    ]
    with postgres_errors():
        rows = await conn.fetch(_SQL["automatic"], *zip(*spans, strict=True))
    found = defaultdict(list)
    for row in rows:
        found[row["tool_name"]].append(row["issued_at"])
    return found


async def codes(conn: Connection, versions: Sequence[tuple[str, int]]) -> dict[int, str]:
    """The code of these versions, each named by its tool and its id, as far as there are such."""
    if not versions:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["codes"], *zip(*versions, strict=True))
    return {row["version_id"]: row["code"] for row in rows}
