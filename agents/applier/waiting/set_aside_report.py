"""The report on tools that are set aside for long: in the log, on ``/readyz`` and ``/metrics``."""

from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Gauge

from agents.applier.waiting.attempts import COMPARING
from agents.applier.waiting.set_aside import SetAside, report_of
from streams.waits import Ticket

log = structlog.get_logger()

TOLD_AFTER_S: Final = 1.0
"""Most locks are held for some milliseconds, and are not worth a word."""
COMPARING_TOLD_AFTER_S: Final = 10.0
AGAIN_AFTER_S: Final = 60.0
"""While the same tools wait, the log says so this often."""


def numbers_set_aside(registry: CollectorRegistry) -> Gauge:
    """Return the metric with the number of tools that are reported, by the kind of change."""
    return Gauge(
        "rollguard_tools_set_aside",
        "tools that cannot be changed now: they are locked (for more than a second) or their "
        "code is being compared (for more than ten seconds); `/readyz` names them",
        labelnames=["change"],
        registry=registry,
    )


class SetAsideReport:
    """Reports the tools that are set aside. A worker with such tools is alive, but not ready."""

    def __init__(self, ticket: Ticket, number: Gauge) -> None:
        self._ticket = ticket
        self._number = number
        self._told: frozenset[tuple[str, str]] = frozenset()
        self._told_at = 0.0

    def tell(self, aside: SetAside[Any], now: float) -> None:
        """Report what is set aside at this time, if anything is, or that nothing is any more."""
        waiting = [
            each
            for each in aside.waiting(now - TOLD_AFTER_S)
            if each.cause != COMPARING or each.since <= now - COMPARING_TOLD_AFTER_S
        ]
        self._number.set(len(waiting))
        if not waiting:
            self._ticket.over()
            if self._told:
                log.info("tools_resumed")
            self._told = frozenset()
            return
        text = report_of(waiting, now)
        only_compares = all(each.cause == COMPARING for each in waiting)
        self._ticket.failed("a comparison" if only_compares else "Postgres", text)
        told = frozenset((each.name, each.cause) for each in waiting)
        if not told <= self._told or now - self._told_at >= AGAIN_AFTER_S:
            log.warning("tools_set_aside", tools=len(waiting), cause=text)
            self._told_at = now
        self._told = told
