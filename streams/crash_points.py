"""Crash points: the points, by name, between which it matters whether a worker dies.

Production code calls :func:`crash_point` and nothing happens. A test's own worker program
(``tests.support.armed_worker``) sets what happens there.
"""

from collections.abc import Callable
from typing import Final, Literal, get_args

CrashPoint = Literal[
    "detector.folded",
    "detector.commanded",
    "detector.rows_written",
    "applier.committed",
    "applier.activation_published",
    "applier.version_published",
    "applier.outcome_published",
    "applier.dead_letter_published",
    "applier.refusal_committed",
    "recorder.committed",
    "offsets.flushed",
    "offsets.committed",
]
CRASH_POINTS: Final[tuple[CrashPoint, ...]] = get_args(CrashPoint)

at_crash_point: Callable[[CrashPoint], None] | None = None
"""Called with the name of each crash point that the process comes to; set by tests alone."""


def crash_point(name: CrashPoint) -> None:
    """Note that the process has come to this crash point."""
    if at_crash_point is not None:
        at_crash_point(name)
