"""The suspend watchdog: a worker that stood still for longer than its session sends nothing more.

A worker that was stopped by SIGSTOP, or with its machine, may have lost its partitions without
noticing: then its rows and its versions are old. Kafka prevents it from sending only if it uses
transactions. Therefore the producer calls the watchdog before each request, and the process ends
instead of sending.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

TICK_S: Final = 1.0
"""The interval at which the event loop calls ``SuspendWatchdog.tick``."""


def limit_of(session_timeout_s: float) -> float:
    """Return how long a worker may stand still, in seconds.

    When a worker stops, its last heartbeat is at most a fifth of the session old, and its last tick
    at most ``TICK_S`` old. Both are subtracted, so that the limit ends before the session.
    """
    return 0.8 * session_timeout_s - TICK_S


def since_boot() -> float:
    """Return seconds of a clock that also runs while the machine is suspended and cannot be set."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def end_process(text: str) -> NoReturn:
    """End the process at once: what is buffered must not be sent."""
    print(text, file=sys.stderr, flush=True)
    os._exit(1)


class SuspendWatchdog:
    """Ends the process if ``check`` or ``tick`` comes too long after the last tick."""

    def __init__(
        self,
        limit_s: float,
        clock: Callable[[], float] = since_boot,
        end: Callable[[str], None] = end_process,
    ) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._end = end
        self._seen = clock()

    def tick(self) -> None:
        """Note that the event loop still runs."""
        self.check()
        self._seen = self._clock()

    def check(self) -> None:
        """End the process if it stood still for too long. To be called before anything is sent."""
        stood_s = self._clock() - self._seen
        if stood_s > self._limit_s:
            self._end(f"stood still for {stood_s:.1f} s: the session may be over")

    def before_requests_of(self, client: Any) -> None:
        """Check before each request of this aiokafka client."""
        send = client.send

        async def checked(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return await send(*args, **kwargs)

        client.send = checked
