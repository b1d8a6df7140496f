"""The facts that a decision about rollback commands is made of.

Read them under the locks of the tools (``db.postgres.locks``): then they stay true until the
decision is stored.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.rollbacks.trust import Target
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.rules.rules import Rules

_SQL: Final = blocks("rollbacks/facts.sql")

_HELD_FIELDS: Final = (
    *("command_id", "tool_name", "from_version_id", "from_activation", "to_version_id"),
    *("tier", "reason", "details", "issued_by"),
)


class StoredCommand(NamedTuple):
    """A command that has a row in `rollbacks`: it was decided, or it is held."""

    row: asyncpg.Record
    is_expired: bool
    """Whether it is held, and its time is over."""

    @property
    def outcome(self) -> RollbackOutcome:
        """The outcome of the command so far."""
        return outcome_of(self.row)

    def answered_by(self, answer: RollbackCommand) -> RollbackCommand | None:
        """Return the held command with a person's answer; None if it is not held, or no answer.

        The answer is about what was held, whatever else it contains: the version and activation
        that were current, and the target that was shown. Only ``issued_at`` is the answer's.
        """
        if self.row["status"] != "held" or not answer.is_answer:
            return None
        return self.as_held(answer).model_copy(update={"mode": None})

    def as_held(self, command: RollbackCommand) -> RollbackCommand:
        """Return the command with what was held in place of what it says."""
        return command.model_copy(update={name: self.row[name] for name in _HELD_FIELDS})


class CurrentVersion(NamedTuple):
    """The current version of a tool, and how often it was executed and succeeded.

    The counts include what the recorder has stored so far.
    """

    version_id: int
    activation: int
    code_hash: str
    executions: int
    successes: int
    breaking_changes: Sequence[str]
    """What it changed for the callers of the version before it."""


class ToolFacts(NamedTuple):
    """The facts in Postgres about the tool of a command and the versions that it names."""

    current: CurrentVersion | None
    """None for a tool without versions."""
    known_version_ids: frozenset[int]
    """The ids that the command names and that are ids of versions of this tool."""
    target: Target | None
    """The version that the command names as its target; None if it names none that exists."""
    is_pinned: bool
    """Whether a pin of the tool, or of all tools, is in force."""
    is_target_rejected: bool
    """Whether a person has rejected the code of the target that the command names."""


def outcome_of(row: asyncpg.Record) -> RollbackOutcome:
    """Return what a row of `rollbacks` says. A rejected command has activated no version."""
    fields = dict(row)
    if fields["status"] == "rejected":
        fields["to_version_id"] = fields["to_version_number"] = None
    return RollbackOutcome.model_validate(fields)


async def stored_commands(
    conn: Connection, commands: Sequence[RollbackCommand]
) -> dict[str, StoredCommand]:
    """Return those of the commands that have a row, by tool; each command is of another tool."""
    if not commands:
        return {}
    asked = [(*command.key, command.is_answer) for command in commands]
    with postgres_errors():
        rows = await conn.fetch(_SQL["stored"], *zip(*asked, strict=True))
    return {row["tool_name"]: StoredCommand(row, row["is_past_hold"]) for row in rows}


async def tool_facts(conn: Connection, commands: Sequence[RollbackCommand]) -> dict[str, ToolFacts]:
    """Return the facts for each command, by its tool; each command is of another tool."""
    if not commands:
        return {}
    asked = [(each.tool_name, each.from_version_id, each.to_version_id) for each in commands]
    with postgres_errors():
        rows = await conn.fetch(_SQL["tools"], *zip(*asked, strict=True))
    return {row["tool_name"]: _facts_of(row) for row in rows}


async def automatic_rollbacks(
    conn: Connection, asked: Sequence[tuple[str, datetime, Rules]]
) -> Mapping[str, list[datetime]]:
    """Return when the applied automatic rollbacks of tools were issued, by tool.

    Each tool is asked for once, with a time and its rules. Only those rollbacks count whose
    distance to this time is less than ``rollback_budget_s``, earlier or later, and at most
    ``rollback_budget`` of them are returned, in no order.
    """
    if not asked:
        return {}
    spans = [
        (tool_name, at, timedelta(seconds=rules.rollback_budget_s), rules.rollback_budget)
        for tool_name, at, rules in asked
    ]
    with postgres_errors():
        rows = await conn.fetch(_SQL["automatic"], *zip(*spans, strict=True))
    found = defaultdict(list)
    for row in rows:
        found[row["tool_name"]].append(row["issued_at"])
    return found


async def codes(conn: Connection, versions: Sequence[tuple[str, int]]) -> dict[int, str]:
    """Return the code of these versions by id; each is named by its tool and its id.

    Versions that do not exist are missing.
    """
    if not versions:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["codes"], *zip(*versions, strict=True))
    return {row["version_id"]: row["code"] for row in rows}


def _facts_of(row: asyncpg.Record) -> ToolFacts:
    current = None
    if row["current_version_id"] is not None:
        current = CurrentVersion(*(row[f"current_{name}"] for name in CurrentVersion._fields))
    target = None if row["version_id"] is None else Target.of(row)
    known = row["source_version_id"], row["version_id"]
    return ToolFacts(
        current,
        frozenset(version_id for version_id in known if version_id is not None),
        target,
        row["is_pinned"],
        row["is_target_rejected"],
    )
