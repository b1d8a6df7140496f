"""The pace at which one receiver is asked: after a failure everybody waits."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from policy.notifications.retrying import Schedule

AT_ONCE: Final = 4
"""So many requests are under way to one receiver at most."""


class Pace:
    """The pauses of one receiver. Times are those of the event loop."""

    def __init__(self, schedule: Schedule, chance: Callable[[], float] = random.random) -> None:
        self._schedule = schedule
        self._chance = chance
        self._until = 0.0
        self._failures = 0
        self.successes = 0
        """How often the receiver has taken something."""

    async def turn(self) -> None:
        """Return when the receiver may be asked."""
        while (left_s := self.left_s) > 0:
            await asyncio.sleep(left_s)

    @property
    def left_s(self) -> float:
        """For how long the receiver is left alone."""
        return self._until - asyncio.get_running_loop().time()

    def succeeded(self) -> None:
        """Note that the receiver has taken a message."""
        self._failures, self._until = 0, 0.0
        self.successes += 1

    def failed(self, retry_after_s: float | None) -> None:
        """Note that the receiver has not taken a message, and begin a pause.

        Failures of requests that were under way together count once.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._failures += 1
            self._until = now + self._schedule.pause_s(self._failures, self._chance())
        if retry_after_s is not None:
            self._until = max(self._until, now + retry_after_s)
