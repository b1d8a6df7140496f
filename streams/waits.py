"""What this worker waits for now: other parts that did not answer, asked again and again.

Whoever retries (``streams.retries``, ``streams.driver.outbox``, the health monitor) keeps a ticket
here; ``/healthz`` and ``/readyz`` read it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wait:
    """Another part is away. Times are seconds of the clock that ``Waits`` was given."""

    part: str
    """'Kafka' or 'Postgres'."""
    cause: str
    since: float
    """When the first try failed."""
    failed_at: float
    """When the newest one did: who only hangs since then does not retry any more."""


class Ticket:
    """One who may have to wait; use it from the event loop's thread."""

    def __init__(self, waits: "Waits") -> None:
        self._waits = waits

    def failed(self, part: str, cause: str) -> None:
        """A try failed, and there will be another."""
        self._waits.note(self, part, cause)

    def over(self) -> None:
        """Nothing is waited for (any more)."""
        self._waits.forget(self)


class Waits:
    """All that is waited for in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[Ticket, Wait] = {}

    def ticket(self) -> Ticket:
        """For one place that retries; it waits for nothing until a try has failed."""
        return Ticket(self)

    def note(self, ticket: Ticket, part: str, cause: str) -> None:
        now, known = self._clock(), self._open.get(ticket)
        since = known.since if known is not None and known.part == part else now
        self._open[ticket] = Wait(part, cause, since, now)

    def forget(self, ticket: Ticket) -> None:
        self._open.pop(ticket, None)

    def now(self) -> tuple[Wait, ...]:
        """The longest first."""
        return tuple(sorted(self._open.values(), key=lambda wait: wait.since))
