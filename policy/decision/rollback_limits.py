"""The brakes of policy `guarded`: how often a tool is rolled back by machine. Pure.

Times are those at which the commands were issued, and so times of events: the same log has the same
rollbacks, however late or quickly it is read. Where clocks went back, a rollback may lie ahead of
the command that is judged; what counts is how far away it is, on either side.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from schemas.rollback import RollbackLimit
from schemas.rules import Rules


def rollback_limit(
    rollbacks: Iterable[datetime], at: datetime, rules: Rules
) -> RollbackLimit | None:
    """What stops an automatic rollback of a tool at ``at``; None: nothing.

    ``rollbacks`` are the times of those that were applied, in any order; what is
    ``rollback_budget_s`` or farther away does not count.

    `budget`: there are ``rollback_budget`` of them. `cooldown`: the nearest one is nearer than
    :func:`cooldown`.
    """
    span = timedelta(seconds=rules.rollback_budget_s)
    distances = sorted(
        (away for time in rollbacks if (away := abs(at - time)) < span), reverse=True
    )
    if len(distances) >= rules.rollback_budget:
        return "budget"
    if distances and distances[-1] < cooldown(distances, rules):
        return "cooldown"
    return None


def cooldown(distances: list[timedelta], rules: Rules) -> timedelta:
    """How near an applied rollback may not be, by how far away each of them is, the farthest first.

    Each one counts, and for each whole ``cooldown_decay_s`` until the next one, or until now, one
    is forgotten, as far as there are any. The first that counts is free: what is deployed in the
    place of a broken version may be broken, too. The second makes it ``cooldown_s``, each further
    one doubles it, up to ``cooldown_max_s``.
    """
    decay = timedelta(seconds=rules.cooldown_decay_s)
    count = 0
    for away, nearer in pairwise([*distances, timedelta()]):
        count = max(0, count + 1 - (away - nearer) // decay)
    if count < 2:
        return timedelta()
    doubled = rules.cooldown_s << min(count - 2, 64)
    return timedelta(seconds=min(doubled, rules.cooldown_max_s))
