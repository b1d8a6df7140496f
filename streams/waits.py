"""The list of the parts (Kafka, Postgres) that a worker waits for at present.

Each task that retries (in ``streams.retries``, ``streams.driver.outbox`` and the health monitor)
has a ticket, in which it notes its waits; ``/healthz`` and ``/readyz`` show them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wait:
    """A wait for a part that does not answer. Times are in seconds of the clock of ``Waits``."""

    part: str
    """'Kafka', 'Postgres', 'an operator' or 'a comparison'."""
    cause: str
    since: float
    """When the first try failed."""
    failed_at: float
    """When the newest try failed. If that is long ago, the try after it hangs."""


class Ticket:
    """The ticket of one task that retries; to be used in the event loop's thread."""

    def __init__(self, waits: "Waits") -> None:
        self._waits = waits

    def failed(self, part: str, cause: str) -> None:
        """Note that a try failed and that another will follow."""
        self._waits.note(self, part, cause)

    def over(self) -> None:
        """Note that the wait is over, or that there was none."""
        self._waits.forget(self)


class Waits:
    """Everything that this process, or a part of it, waits for.

    ``common`` is what the whole process waits for, if this is a part.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, common: "Waits | None" = None
    ) -> None:
        self._clock = clock
        self._common = common
        self._open: dict[Ticket, Wait] = {}

    def ticket(self) -> Ticket:
        """Return a ticket for one task that retries; until a try fails, it waits for nothing."""
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
        common = () if self._common is None else self._common.now()
        return tuple(sorted((*self._open.values(), *common), key=lambda wait: wait.since))
