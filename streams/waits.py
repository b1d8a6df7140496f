"""The parts that a worker waits for now: they did not answer, and are asked again and again.

Whoever retries (``streams.retries``, ``streams.driver.outbox``, the health monitor) has a ticket
here; ``/healthz`` and ``/readyz`` read what the tickets say.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wait:
    """A wait for a part that is away. Times are seconds of the clock that ``Waits`` was given."""

    part: str
    """'Kafka' or 'Postgres'."""
    cause: str
    since: float
    """When the first try failed."""
    failed_at: float
    """When the newest try failed. If that is long ago, nobody retries: the newest try hangs."""


class Ticket:
    """The ticket of one retrying caller; to be used in the event loop's thread."""

    def __init__(self, waits: "Waits") -> None:
        self._waits = waits

    def failed(self, part: str, cause: str) -> None:
        """Note that a try failed and that another will follow."""
        self._waits.note(self, part, cause)

    def over(self) -> None:
        """Note that the wait is over, or that there was none."""
        self._waits.forget(self)


class Waits:
    """Everything that this process waits for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[Ticket, Wait] = {}

    def ticket(self) -> Ticket:
        """Return a ticket for one retrying caller; it waits for nothing until a try has failed."""
        return Ticket(self)

    def note(self, ticket: Ticket, part: str, cause: str) -> None:
        """Note a failed try; the wait began with the first one for the same part."""
        now, known = self._clock(), self._open.get(ticket)
        since = known.since if known is not None and known.part == part else now
        self._open[ticket] = Wait(part, cause, since, now)

    def forget(self, ticket: Ticket) -> None:
        """Note that this ticket waits for nothing."""
        self._open.pop(ticket, None)

    def now(self) -> tuple[Wait, ...]:
        """Return all waits, the longest first."""
        return tuple(sorted(self._open.values(), key=lambda wait: wait.since))
