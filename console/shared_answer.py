"""An answer that is expensive: it is asked for once, for everybody who wants it meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedAnswer(Generic[T]):
    """The answer of ``ask``, at most ``fresh_s`` seconds old.

    With ``usable_s`` an older answer is given at once, while a new one is asked for. An error is
    raised to everybody who waits for it, and is not kept.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[T]], fresh_s: float, usable_s: float = 0.0
    ) -> None:
        self._ask = ask
        self._fresh_s = fresh_s
        self._usable_s = usable_s
        self._known: T | None = None
        self._known_at = float("-inf")
        self._asking: asyncio.Task[T] | None = None

    @property
    def last(self) -> T | None:
        """The newest answer, however old it is; None if there was none yet."""
        return self._known

    @property
    def last_at(self) -> datetime | None:
        """When it came."""
        if self._known is None:
            return None
        age_s = asyncio.get_running_loop().time() - self._known_at
        return datetime.now(UTC) - timedelta(seconds=age_s)

    async def get(self) -> T:
        """Return the answer. Raises what ``ask`` raises."""
        age_s = asyncio.get_running_loop().time() - self._known_at
        if self._known is not None and age_s < self._fresh_s:
            return self._known
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._new())
            self._asking.add_done_callback(_note_error)
        if self._known is not None and age_s < self._usable_s:
            return self._known
        return await asyncio.shield(self._asking)  # who goes away ends it for nobody else

    async def _new(self) -> T:
        try:
            self._known = await self._ask()
            self._known_at = asyncio.get_running_loop().time()
            return self._known
        finally:
            self._asking = None


def _note_error(asked: "asyncio.Task[T]") -> None:
    """Take the error of an answer that nobody waits for, so that asyncio does not log it."""
    if not asked.cancelled():
        asked.exception()
