"""What the applier says to all, from now on: for a loop with ``async for``, and for a thread."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any, Final, Generic, Protocol, TypeVar

from rollguard_client.errors import Misconfigured, Rejected
from rollguard_client.kafka.reader import TopicReader, open_reader
from rollguard_client.kafka.topics import Topics
from rollguard_client.messages.deployment import DeploymentOutcome, ToolVersion
from rollguard_client.messages.message import Message
from rollguard_client.messages.rollback import RollbackOutcome
from rollguard_client.settings.settings import Settings

M = TypeVar("M", bound=Message)
T = TypeVar("T")
S = TypeVar("S", bound="_Followed[Any]")
_TOPICS: Final[dict[type[Message], str]] = {
    DeploymentOutcome: "deployment_outcomes",
    RollbackOutcome: "outcomes",
    ToolVersion: "versions",
}


class Runs(Protocol):
    """The background loop, as far as it is needed here."""

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin the work, and return its future."""


class _Followed(Generic[M]):
    """A reader in the background loop. ``kinds`` are the messages that are wanted.

    Raises Misconfigured if one of them is none that can be followed.
    """

    def __init__(self, settings: Settings, runs: Runs, kinds: Sequence[type[M]]) -> None:
        names = Topics(settings.topic_prefix)
        wanted = tuple(kinds)
        if not wanted or not set(wanted) <= _TOPICS.keys():
            known = ", ".join(kind.__name__ for kind in _TOPICS)
            raise Misconfigured(f"follow: {wanted!r:.100} is not among {known}")
        self._runs = runs
        self._settings = settings
        self._kinds = {str(getattr(names, _TOPICS[kind])): kind for kind in wanted}
        self._stack = AsyncExitStack()
        self._reader: TopicReader | None = None
        self._read: deque[M] = deque()

    async def _open(self) -> None:
        if self._reader is None:
            opened = open_reader(self._settings, *self._kinds)
            self._reader = await self._stack.enter_async_context(opened)

    async def _close(self) -> None:
        self._reader = None
        await self._stack.aclose()

    async def _next(self) -> list[M]:
        """Return the next messages, at least one."""
        await self._open()
        assert self._reader is not None
        while True:
            found = [self._message(record) for record in await self._reader.poll()]
            messages = [each for each in found if each is not None]
            if messages:
                return messages

    async def within_loop(self) -> AsyncIterator[M]:
        """Yield the messages to a coroutine that runs in the background loop itself."""
        try:
            while True:
                for message in await self._next():
                    yield message
        finally:
            await self._close()

    def _message(self, record: Any) -> M | None:
        try:
            return self._kinds[record.topic].from_bytes(record.value)
        except Rejected:
            return None  # a record that cannot be read says nothing


class Following(_Followed[M]):
    """Messages from now on, without end: ``async for message in guard.follow(…)``.

    'Now' is when the iteration begins, or when the block ``async with`` is entered: every message
    that is published after that comes, at least once. Some older ones may come first. Raises
    Retryable if Kafka does not answer at the beginning; later, it waits for Kafka.
    """

    async def __aenter__(self: S) -> S:
        await asyncio.wrap_future(self._runs.submit(self._open()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.wrap_future(self._runs.submit(self._close()))

    def __aiter__(self: S) -> S:
        return self

    async def __anext__(self) -> M:
        if not self._read:
            self._read += await asyncio.wrap_future(self._runs.submit(self._next()))
        return self._read.popleft()


class BlockingFollowing(_Followed[M]):
    """The same for a thread without an event loop: ``for message in guard.blocking.follow(…)``."""

    def __enter__(self: S) -> S:
        result_of(self._runs.submit(self._open()))
        return self

    def __exit__(self, *_: object) -> None:
        result_of(self._runs.submit(self._close()))

    def __iter__(self: S) -> S:
        return self

    def __next__(self) -> M:
        if not self._read:
            self._read += result_of(self._runs.submit(self._next()))
        return self._read.popleft()


def result_of(future: "Future[T]", timeout_s: float | None = None) -> T:
    """Return the result; if the wait is interrupted, the work is cancelled."""
    try:
        return future.result(timeout_s)
    except BaseException:
        future.cancel()
        raise
