"""The limits of policy `guarded` on how often a tool is rolled back by a machine.

Times are those at which the commands were issued, so they are times of events: the same log leads
to the same rollbacks, however late or fast it is read. If a clock went back, a rollback may lie
after the command that is judged; only the distance counts, on either side.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from schemas.rollback import RollbackLimit
from schemas.rules.rules import Rules


def rollback_limit(
    rollbacks: Iterable[datetime], at: datetime, rules: Rules
) -> RollbackLimit | None:
    """Return the limit that stops an automatic rollback of a tool at ``at``; None if none does.

    ``rollbacks`` are the times of the automatic rollbacks that were applied, in any order. Those
    that are ``rollback_budget_s`` or more away do not count. `budget`: there are
    ``rollback_budget`` of them. `cooldown`: the nearest is nearer than ``cooldown`` allows.
    """
    distances = [abs(at - time) for time in _near(rollbacks, at, rules)]
    if len(distances) >= rules.rollback_budget:
        return "budget"
    if distances and distances[-1] < cooldown(distances, rules):
        return "cooldown"
    return None


def cooldown_end(rollbacks: Iterable[datetime], at: datetime, rules: Rules) -> datetime | None:
    """Return when the cooldown that lasts at ``at`` is over; None if none lasts."""
    if rollback_limit(rollbacks := list(rollbacks), at, rules) != "cooldown":
        return None
    near = _near(rollbacks, at, rules)
    return near[-1] + cooldown([abs(at - time) for time in near], rules)


def _near(rollbacks: Iterable[datetime], at: datetime, rules: Rules) -> list[datetime]:
    """Return the rollbacks that count at ``at``, the farthest first."""
    span = timedelta(seconds=rules.rollback_budget_s)
    near = (time for time in rollbacks if abs(at - time) < span)
    return sorted(near, key=lambda time: abs(at - time), reverse=True)


def cooldown(distances: list[timedelta], rules: Rules) -> timedelta:
    """Return how far away the nearest rollback must be.

    ``distances`` are those of all rollbacks that count, the farthest first. Each rollback
    counts one. For each whole ``cooldown_decay_s`` until the next rollback, or until now, the
    count falls by one, to zero at the least. The first one is free, because the version that is
    deployed to replace a broken one may be broken too. The second makes the cooldown
    ``cooldown_s`` long, and each further one doubles it, up to ``cooldown_max_s``.
    """
    decay = timedelta(seconds=rules.cooldown_decay_s)
    count = 0
    for away, nearer in pairwise([*distances, timedelta()]):
        count = max(0, count + 1 - (away - nearer) // decay)
    if count < 2:
        return timedelta()
    doubled = rules.cooldown_s << min(count - 2, 64)
    return timedelta(seconds=min(doubled, rules.cooldown_max_s))
