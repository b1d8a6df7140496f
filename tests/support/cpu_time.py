"""CPU time in seconds of a reference machine, so that no test depends on the speed of a machine."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_LOOPS: Final = 2_000_000
_LOOPS_S: Final = 0.1
"""The CPU time of so many loops on the reference machine, by Python 3.11."""


def reference_seconds(work: Callable[[], T]) -> tuple[float, T]:
    """Do the work; return the CPU time that it takes on the reference machine, and its result.

    The machine is measured before and after the work, with a loop of additions.
    """
    before = _loops_s()
    started = time.process_time()
    result = work()
    took_s = time.process_time() - started
    return took_s * _LOOPS_S / max(before, _loops_s()), result


def _loops_s() -> float:
    started = time.process_time()
    total = 0
    for number in range(_LOOPS):
        total += number
    return time.process_time() - started
