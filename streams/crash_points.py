"""Crash points: named positions in the code at which a test kills or stops a worker.

Between two crash points a worker has stored or published something, so a crash there has another
effect. In production ``crash_point`` does nothing. A worker program of the tests
(``tests.support.systems.armed_worker``) sets what it does.
"""

from collections.abc import Callable
from typing import Final, Literal, get_args

CrashPoint = Literal[
    "detector.forwarded",
    "detector.folded",
    "detector.commanded",
    "detector.rows_written",
    "applier.committed",
    "applier.activation_published",
    "applier.version_published",
    "applier.outcome_published",
    "applier.dead_letter_published",
    "recorder.committed",
    "bridge.published",
    "notifier.delivered",
    "offsets.flushed",
    "offsets.committed",
]
CRASH_POINTS: Final[tuple[CrashPoint, ...]] = get_args(CrashPoint)

at_crash_point: Callable[[CrashPoint], None] | None = None
"""Called with the name of each crash point that the process reaches; only tests set it."""


def crash_point(name: CrashPoint) -> None:
    """Tell a test that the process has reached this crash point; in production, do nothing."""
    if at_crash_point is not None:
        at_crash_point(name)
