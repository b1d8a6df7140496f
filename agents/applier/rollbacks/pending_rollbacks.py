"""Rollback commands that are to be decided, with the facts about each."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from db.postgres.pool import Connection
from db.rollbacks.facts import (
    CurrentVersion,
    StoredCommand,
    ToolFacts,
    automatic_rollbacks,
    tool_facts,
)
from db.rollbacks.trust import Candidate, Target, WayBackFrom, ways_back
from policy.rollbacks.rejections import (
    CommandFacts,
    CurrentActivation,
    has_rollback_limits,
    is_planned,
    rejection_of,
)
from policy.rollbacks.targets import VersionCounts, choose_target, replaced_counts
from schemas.rollback import Rejection, RollbackCommand, TargetChoice
from schemas.rules.rules import Rules

CANDIDATES: Final = 16
"""Under policy `guarded`, the target is chosen from at most this many trusted versions, the nearest
ones."""


class PendingCommand(NamedTuple):
    """A command that is to be decided."""

    command: RollbackCommand
    rules: Rules
    facts: CommandFacts
    is_held: bool = False
    """Whether the command is stored already, with the status `held`."""
    current: CurrentVersion | None = None
    target: Target | None = None
    """The version that the command leads to: the one that it names, else the chosen one."""
    choice: TargetChoice | None = None
    """How the target was chosen under policy `guarded`."""

    @property
    def tool_name(self) -> str:
        """The tool of the command."""
        return self.command.tool_name

    @property
    def rejection(self) -> Rejection | None:
        """The first rejection that holds by the facts that are known so far."""
        return rejection_of(self.command, self.facts, self.rules)

    @property
    def is_compared(self) -> bool:
        """Whether the code of its target is compared with that of the current version.

        A held command is not compared again: what its target breaks was stored with it.
        """
        return is_planned(self.command, self.rules) and not self.is_held

    @property
    def version_ids(self) -> tuple[int, int] | None:
        """The ids of the current version and of the target; None if one of them is missing."""
        if self.current is None or self.target is None:
            return None
        return self.current.version_id, self.target.version_id


def pending_commands(
    commands: Sequence[RollbackCommand],
    stored: Mapping[str, StoredCommand],
    rules_of: Callable[[str], Rules],
) -> list[PendingCommand]:
    """Return the commands that are to be decided, without facts about their tools.

    These are commands that are not stored yet, held commands that this command answers, and held
    commands whose time is over. All others keep their stored outcome.
    """
    pending = []
    for command in commands:
        rules = rules_of(command.tool_name)
        row = stored.get(command.tool_name)
        if row is None:
            pending.append(PendingCommand(command, rules, CommandFacts()))
        elif row.is_expired:
            facts = CommandFacts(is_expired=True)
            pending.append(PendingCommand(row.as_held(command), rules, facts, is_held=True))
        elif (answered := row.answered_by(command)) is not None:
            pending.append(PendingCommand(answered, rules, CommandFacts(), is_held=True))
    return pending


async def with_targets(conn: Connection, pending: Sequence[PendingCommand]) -> list[PendingCommand]:
    """Return the commands with the facts about their tools, and with their targets.

    Earlier versions are read only for commands that are not rejected already. Raises Retryable.
    """
    facts = await tool_facts(conn, [each.command for each in pending if not each.facts.is_expired])
    known = [_with_tool(each, facts.get(each.tool_name)) for each in pending]
    starts = [
        _way_back_from(each, each.current)
        for each in known
        if each.rejection is None and each.current and each.command.to_version_id is None
    ]
    found = await ways_back(conn, starts)
    searched = {each.tool_name for each in starts}
    return [
        _with_way_back(each, found.get(each.tool_name, ())) if each.tool_name in searched else each
        for each in known
    ]


async def with_rollbacks(
    conn: Connection, pending: Sequence[PendingCommand]
) -> list[PendingCommand]:
    """Return the commands with the automatic rollbacks that count for their rollback limits.

    These are read only for commands that have limits and are not rejected already.
    """
    limited = [
        (each.tool_name, each.command.issued_at, each.rules)
        for each in pending
        if each.rejection is None and has_rollback_limits(each.command, each.rules)
    ]
    counted = await automatic_rollbacks(conn, limited)
    return [_with_rollbacks(each, counted.get(each.tool_name, ())) for each in pending]


def _with_tool(pending: PendingCommand, tool: ToolFacts | None) -> PendingCommand:
    if tool is None:
        return pending
    current = tool.current
    facts = pending.facts._replace(
        current=current and CurrentActivation(current.version_id, current.activation),
        known_version_ids=tool.known_version_ids,
        is_pinned=tool.is_pinned,
        has_target=not (tool.is_target_rejected and pending.command.tier != "manual"),
    )
    return pending._replace(facts=facts, current=current, target=tool.target)


def _way_back_from(pending: PendingCommand, current: CurrentVersion) -> WayBackFrom:
    command = pending.command
    return WayBackFrom(
        command.tool_name,
        current.version_id,
        losing=None if command.tier == "manual" else current.code_hash,
        most=CANDIDATES if is_planned(command, pending.rules) else 1,
    )


def _with_way_back(pending: PendingCommand, back: Sequence[Candidate]) -> PendingCommand:
    """Return the command with its target: the nearest candidate, or the best under `guarded`."""
    if not back:
        return pending._replace(facts=pending.facts._replace(has_target=False))
    if pending.current is None or not is_planned(pending.command, pending.rules):
        return pending._replace(target=back[0].target)
    recorded = VersionCounts(pending.current.executions, pending.current.successes)
    replaced = replaced_counts(pending.command.details, recorded)
    seen = [VersionCounts(each.executions, each.successes) for each in back]
    chosen = choose_target(seen, replaced, pending.rules)
    assert chosen is not None, "there are candidates"
    index, choice = chosen
    return pending._replace(target=back[index].target, choice=choice)


def _with_rollbacks(pending: PendingCommand, counted: Sequence[datetime]) -> PendingCommand:
    return pending._replace(facts=pending.facts._replace(automatic_rollbacks=counted))
