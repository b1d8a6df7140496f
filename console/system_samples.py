"""How the system has developed while somebody looked at it: the newest states, in memory."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from rollguard.operations.overview.status import SystemStatus

KEPT_FOR: Final = timedelta(minutes=15)
MOST: Final = 300
"""A state is asked for every three seconds at most."""
LONGEST_GAP: Final = timedelta(seconds=60)
"""If nobody looked for longer, it is not known what was meanwhile."""
TREND_OVER: Final = timedelta(seconds=60)

Direction = Literal["grows", "shrinks", "stays"]


class RoleSample(NamedTuple):
    """What one state says of a role."""

    at: datetime
    handled: int
    written: int

    @property
    def lag(self) -> int:
        """The number of records that are not handled."""
        return max(self.written - self.handled, 0)


class RoleTrend(NamedTuple):
    """How a role has developed."""

    since: datetime
    """The first state that it is known of."""
    handled_per_s: float
    written_per_s: float
    direction: Direction
    """Whether its lag grows."""
    unread_for_s: float
    """For how long at least the oldest record waits that is not handled; 0 if none waits."""


class SystemSamples:
    """The newest states. It is bounded, and empty after a start."""

    def __init__(self) -> None:
        self._of_roles: dict[str, deque[RoleSample]] = {}
        self._stuck: dict[str, datetime] = {}
        self._last: datetime | None = None

    def add(self, status: SystemStatus) -> None:
        """Add a state. After a long time without one everything begins anew."""
        at = status.as_of
        if self._last is not None and at - self._last > LONGEST_GAP:
            self._of_roles, self._stuck = {}, {}
        self._last = at
        self._stuck = {text: self._stuck.get(text, at) for text in status.stuck}
        if status.kafka is None:
            return  # nothing is known of roles now
        known = self._of_roles
        self._of_roles = {}
        for role in status.roles:
            samples = known.get(role.role) or deque(maxlen=MOST)
            samples.append(RoleSample(at, role.handled, role.written))
            while at - samples[0].at > KEPT_FOR:
                samples.popleft()
            self._of_roles[role.role] = samples

    def trend(self, role: str) -> RoleTrend | None:
        """Return how a role has developed; None if only one state is known."""
        return trend_of(list(self._of_roles.get(role, ())))

    def stuck_since(self, text: str) -> datetime | None:
        """Return since when something is known to be stuck."""
        return self._stuck.get(text)


def trend_of(samples: Sequence[RoleSample]) -> RoleTrend | None:
    """Return how a role has developed in these states, the oldest first; None for fewer than two.

    If the sum of the ends at some time was greater than what is handled now, a record that was
    there then is not handled yet.
    """
    if len(samples) < 2:
        return None
    now = samples[-1]
    first = next(each for each in samples if now.at - each.at <= TREND_OVER)
    if first is now:
        first = samples[-2]
    seconds = max((now.at - first.at).total_seconds(), 0.001)
    waiting = [each.at for each in samples if each.written > now.handled]
    return RoleTrend(
        since=samples[0].at,
        handled_per_s=max(now.handled - first.handled, 0) / seconds,
        written_per_s=max(now.written - first.written, 0) / seconds,
        direction=_direction(first.lag, now.lag),
        unread_for_s=(now.at - waiting[0]).total_seconds() if waiting else 0.0,
    )


def _direction(before: int, now: int) -> Direction:
    if now > before:
        return "grows"
    return "shrinks" if now < before else "stays"
