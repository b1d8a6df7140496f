"""A worker that dies or stands still at a crash point, as a program.

``python -m tests.support.systems.armed_worker`` runs it, with the arguments of
``python -m rollguard``: ``worker ROLE``. A variable names the crash point:
``ROLLGUARD_TEST_CRASH_POINT=kill:applier.committed@3`` kills the process when it reaches this crash
point for the third time. ``stop:`` instead of ``kill:`` stops it until it gets SIGCONT.
"""

import os
import re
import signal
from collections.abc import Mapping
from typing import Final

from streams import crash_points
from streams.crash_points import CRASH_POINTS, CrashPoint

VARIABLE: Final = "ROLLGUARD_TEST_CRASH_POINT"
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Armed:
    """A signal that the process sends to itself once, at a crash point."""

    def __init__(self, text: str) -> None:
        match = re.fullmatch(r"(kill|stop):([a-z_.]+)(?:@([1-9]\d*))?", text)
        if match is None or match[2] not in CRASH_POINTS:
            raise ValueError(f"{VARIABLE}={text!r}: (kill|stop):CRASH_POINT[@TIMES] is expected")
        self._signal = _SIGNALS[match[1]]
        self._name = match[2]
        self._times_left = int(match[3] or 1)

    def __call__(self, name: CrashPoint) -> None:
        """Count a visit to the crash point, and send the signal at the visit that was chosen."""
        if name != self._name:
            return
        self._times_left -= 1
        if not self._times_left:
            crash_points.at_crash_point = None
            os.kill(os.getpid(), self._signal)


def arm(environment: Mapping[str, str]) -> None:
    """Arm this process by the variable, if it is set. Raises ValueError if its text is wrong."""
    text = environment.get(VARIABLE, "")
    crash_points.at_crash_point = Armed(text) if text else None


if __name__ == "__main__":
    from rollguard.cli.app import main

    arm(os.environ)
    main()
