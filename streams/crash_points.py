"""Places between which a crash matters, by name; a test has a worker die, or stand still, there.

``ROLLGUARD_TEST_STEP=kill:applier.committed@3`` kills the process when it comes to this place for
the third time, ``stop:`` in place of ``kill:`` stops it until somebody continues it (a zombie).
"""

import os
import re
import signal
from typing import Final, Literal, get_args

from schemas.errors import Misconfigured

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

_VARIABLE: Final = "ROLLGUARD_TEST_STEP"
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class _Armed:
    """What is to happen, at which step, and how often the process comes there before it does."""

    def __init__(self, text: str) -> None:
        match = re.fullmatch(r"(kill|stop):([a-z_.]+)(?:@([1-9]\d*))?", text)
        if match is None or match[2] not in CRASH_POINTS:
            raise Misconfigured(f"{_VARIABLE}={text!r}: (kill|stop):STEP[@TIMES] is expected")
        self.signal = _SIGNALS[match[1]]
        self.step = match[2]
        self.left = int(match[3] or 1)


_armed: _Armed | None = None


def arm(environment: dict[str, str] | os._Environ[str]) -> None:
    """Read the variable. Raises Misconfigured where it names no step."""
    global _armed
    text = environment.get(_VARIABLE, "")
    _armed = _Armed(text) if text else None


def crash_point(step: CrashPoint) -> None:
    """The process has come to this step."""
    global _armed
    if _armed is None or _armed.step != step:
        return
    _armed.left -= 1
    if not _armed.left:
        number, _armed = _armed.signal, None
        os.kill(os.getpid(), number)
