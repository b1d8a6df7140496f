"""A worker that stood still for longer than its session must not send what it had in hand.

Stopped by SIGSTOP or with its machine, it has lost its partitions without noticing: its rows and
its versions are old. Kafka fences that only with transactions. So its producer asks here before
each request, and the process ends in place of sending.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

TICK_S: Final = 1.0
"""How often the loop says that it goes on."""


def limit_of(session_timeout_s: float) -> float:
    """How long a worker may stand still, in seconds: its last heartbeat is then a fifth of the
    session old at the most, its last tick ``TICK_S``.
    """
    return 0.8 * session_timeout_s - TICK_S


def since_boot() -> float:
    """Seconds that also pass while the machine is suspended, and that no one can set."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def end_process(text: str) -> NoReturn:
    """End without a farewell to anyone: what is buffered must not be sent."""
    print(text, file=sys.stderr, flush=True)
    os._exit(1)


class SuspendWatchdog:
    """Ends the process when :meth:`check` or :meth:`tick` comes too long after the last tick."""

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
        """The loop goes on."""
        self.check()
        self._seen = self._clock()

    def check(self) -> None:
        """Before anything is sent."""
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
