"""The commands that were issued before, and whether another one may follow."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.execution import Activation
from schemas.rollback import Mode, RollbackCommand
from schemas.rules.rules import Rules
from tests.support.policy.oracle.log import Entry
from tests.support.policy.oracle.rules import Decision


class Issued(NamedTuple):
    """A command, the 'now' at which it was decided, and how strong the evidence was."""

    command: RollbackCommand
    now: datetime
    strength: float
    length: int
    """How many records of the log there were."""


def is_known(
    log: Sequence[Entry],
    decision: Decision,
    mode: Mode | None,
    same: Sequence[Issued],
    now: datetime,
    strength: float,
    rules: Rules,
) -> bool:
    """Return whether the commands for the same activation say enough, so that none follows."""
    if mode == "observe":
        known = [each.command.reason for each in same if each.command.mode == mode]
        return decision.reason in known
    earlier = [each for each in same if each.command.mode != "observe"]
    if not earlier or _is_interval_over(log, earlier, now, rules):
        return False
    newest = earlier[-1]
    new = decision.tier == "immediate" and newest.command.tier != "immediate"
    waits = newest.command.mode == "hold" and mode is None
    grown = rules.policy == "guarded" and strength >= rules.dismissal_growth * newest.strength
    return not ((_is_dismissed(log, newest) and (new or grown)) or (new and waits))


def _is_dismissed(log: Sequence[Entry], issued: Issued) -> bool:
    """Return whether the log says after the command that a person has dismissed it."""
    current = issued.command.from_activation
    assert current is not None
    return any(
        isinstance(each.entry, Activation)
        and each.entry.activation <= current
        and each.entry.dismissed == issued.command.command_id
        for each in log[issued.length :]
    )


def _is_interval_over(
    log: Sequence[Entry], earlier: Sequence[Issued], now: datetime, rules: Rules
) -> bool:
    """Return whether the next command may follow; one that was withdrawn is as if it never was."""
    withdrawn = [withdrawn_at(log, earlier, number) is not None for number in range(len(earlier))]
    if withdrawn[-1]:
        return True
    return now - earlier[-1].now >= _interval(withdrawn.count(False), rules)


def withdrawn_at(log: Sequence[Entry], issued: Sequence[Issued], number: int) -> int | None:
    """Return the index of the record that withdraws a command because of an outage, if one does.

    It counts only while no newer command was issued. ``issued`` are those of one activation.
    """
    newer = issued[number + 1].length if number + 1 < len(issued) else len(log)
    for index in range(issued[number].length, newer):
        entry = log[index].entry
        if isinstance(entry, Activation) and entry.outage == issued[number].command.command_id:
            return index
    return None


def _interval(attempts: int, rules: Rules) -> timedelta:
    """Return how long after this many attempts the next one may follow."""
    doubled = rules.attempt_interval_s * 2 ** (attempts - 1)
    return timedelta(seconds=min(doubled, rules.attempt_interval_max_s))
