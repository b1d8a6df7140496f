"""The fleet's brake: more automatic rollbacks of all tools in a short time than the budget allows.

If many tools are rolled back at once, a fault is likely that is none of their versions': a fault of
something that they share, or of Rollguard itself. So further rollbacks are held for a person.

Times are those at which the commands were issued, as in ``policy.rollbacks.rollback_limits``: they
are times of events, and only the distance counts, on either side.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.rules.fleet import FleetRules


class BrakedCommand(NamedTuple):
    """An automatic command that would be carried out, and what the brake must know of it."""

    issued_at: datetime
    rollbacks: Sequence[datetime]
    """When the automatic rollbacks of all tools were issued that are less than ``fleet_budget_s``
    away and that no person approved. ``fleet_budget`` of them are enough."""
    waits: bool = False
    """Whether the brake holds an earlier command about the same activation, and nobody has answered
    it."""


def held_by_brake(commands: Sequence[BrakedCommand], rules: FleetRules) -> list[bool]:
    """Return whether the brake holds each of these commands, which are decided in this order.

    A command that is carried out counts for those after it; one that is held does not. As long as
    a person has not answered an earlier command about the same activation, a later one is held
    too: otherwise all tools would be turned back in the end, some of them each time.
    """
    span = timedelta(seconds=rules.fleet_budget_s)
    carried_out: list[datetime] = []
    held = []
    for command in commands:
        times = (*command.rollbacks, *carried_out)
        near = sum(abs(command.issued_at - time) < span for time in times)
        is_held = command.waits or near >= rules.fleet_budget
        held.append(is_held)
        if not is_held:
            carried_out.append(command.issued_at)
    return held
