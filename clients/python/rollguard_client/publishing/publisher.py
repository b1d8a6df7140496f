"""Publishing from any thread: nothing here waits, and nothing here raises."""

import atexit
import logging
import os
import sys
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from rollguard_client.kafka.topics import Topics
from rollguard_client.messages.execution import Execution, LaterVerdict
from rollguard_client.publishing.buffer import Buffer, Record, Waiting
from rollguard_client.publishing.engine_id import engine_id_of
from rollguard_client.publishing.ids import random_ids
from rollguard_client.publishing.spool import Spool
from rollguard_client.settings.settings import Settings
from rollguard_client.signals import is_of_a_signal_handler
from rollguard_client.traces.context import TraceContext, headers_of
from rollguard_client.traces.current import current_trace_headers

if TYPE_CHECKING:
    from rollguard_client.publishing.delivery import Delivery

log = logging.getLogger("rollguard_client")

_LOOK_S: Final = 0.01


class Publisher:
    """Takes executions from any thread, and sends them by a thread of its own.

    After a fork the child begins with an empty buffer: what the parent had, the parent sends.
    """

    def __init__(
        self, settings: Settings, beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    ) -> None:
        """``beside`` is other work of the background thread."""
        # These take a tenth of a second, and a thread must not be at it when a process forks.
        import rollguard_client.publishing.delivery  # noqa: F401
        from rollguard_client.publishing.background import Background

        self._settings = settings
        self._beside = beside
        self.on_published: list[Callable[[Execution], None]] = []
        self.on_fork: list[Callable[[], None]] = []
        self.on_close: list[Callable[[float], None]] = []
        """Functions to call before the thread ends, each with the seconds that it may take."""
        self.background = Background()
        self._begin()
        _PUBLISHERS.add(self)

    def _begin(self) -> None:
        settings = self._settings
        self._buffer = Buffer(settings.buffer_records, settings.buffer_bytes)
        folder = settings.spool_dir
        self._spool = None if folder is None else Spool(folder)
        self._new_id = random_ids()
        self.engine_id = engine_id_of(settings.engine_id)
        """The id of this process among the engines."""
        self._delivery: Delivery | None = None
        self.is_started = False
        self._is_closed = False
        self._lost = 0
        self._has_said = False

    @property
    def flush_s(self) -> float:
        """How long the end of the process may wait for the last records, in seconds."""
        return self._settings.flush_s

    @property
    def dropped(self) -> int:
        """How many records of this process will never be in Kafka."""
        delivery = self._delivery
        refused = 0 if delivery is None else delivery.refused
        return self._buffer.dropped + self._lost + refused

    @property
    def buffered(self) -> int:
        """How many records of this process are not in Kafka yet."""
        delivery = self._delivery
        with self._buffer.lock:
            return len(self._buffer) + (0 if delivery is None else delivery.held)

    @property
    def _may_find_more(self) -> bool:
        delivery = self._delivery
        return delivery is not None and delivery.may_find_more

    def publish(self, message: Execution | LaterVerdict, trace: TraceContext | None = None) -> None:
        """Publish an execution, or what a judge says of one.

        It belongs to the span ``trace``, by default to the one that is recorded here now.
        """
        try:
            if not isinstance(message, Execution | LaterVerdict):
                raise TypeError(f"an Execution or a LaterVerdict, not {type(message).__name__}")
            headers = current_trace_headers() if trace is None else headers_of(trace)
            self._put_record(Record(message.tool_name.encode(), message.to_bytes(), headers))
        except Exception as error:
            if is_of_a_signal_handler(error):
                raise
            self._lose()

    def put(self, waiting: Waiting) -> None:
        """Publish something that becomes a record later."""
        try:
            if self._spool is None:
                self._buffer.put(waiting)
                self._wake()
            else:
                with self._buffer.lock:  # the ids are made by one thread at a time
                    self._put_record(waiting.record(self._new_id))
        except Exception as error:
            if is_of_a_signal_handler(error):
                raise
            self._lose()

    def _put_record(self, record: Record) -> None:
        with self._buffer.lock:
            if self._spool is not None:
                record.place = self._spool.append(record.value)
            self._buffer.put(record)
        self._wake()

    def _lose(self) -> None:
        """Count a record that could not be taken, and log the first one."""
        self._lost += 1
        if self._lost == 1:
            log.exception("an execution could not be published")

    def _wake(self) -> None:
        delivery = self._delivery
        if delivery is None:
            self.start()
        elif delivery.is_idle:
            delivery.is_idle = False
            self.background.call(delivery.wake)

    def start(self) -> None:
        """Start the background thread unless it runs."""
        if self.is_started or self._is_closed:
            return
        self.is_started = True
        _end_with_the_process()
        try:
            self.background.start(self._deliver)
        except RuntimeError as error:  # there are too many threads, or the program is at its end
            self.is_started = False
            if not self._has_said:
                self._has_said = True
                log.warning("the thread that publishes executions cannot start: %s", error)

    async def _deliver(self) -> None:
        import asyncio

        from rollguard_client.publishing.delivery import Delivery

        topic = Topics(self._settings.topic_prefix).executions
        delivery = Delivery(self._settings, topic, self._buffer, self._spool, self.on_published)
        self._delivery = delivery
        beside = [asyncio.ensure_future(work()) for work in self._beside]
        while not await _is_done(delivery):
            await asyncio.sleep(1.0)
        for task in beside:
            task.cancel()

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was published before is in Kafka; return whether it is.

        It waits at most ``timeout_s`` seconds, by default as long as the setting ``flush_s`` says.
        What other threads publish meanwhile is not waited for.
        """
        wanted = self._buffer.accepted
        return self._waited(lambda: self._has_finished(wanted), timeout_s)

    def _has_finished(self, wanted: int) -> bool:
        delivery = self._delivery
        return not self.buffered or (delivery is not None and delivery.finished >= wanted)

    def _waited(self, is_done: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until this is so, and return whether it is; the background thread does not wait."""
        wait_s = self.flush_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + (0.0 if self.background.is_current_thread else wait_s)
        while not is_done():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        return True

    def close(self, timeout_s: float | None = None) -> None:
        """Send what waits within this time, and end the thread. What is left is logged."""
        if self._is_closed:
            return
        wait_s = self.flush_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + wait_s
        done = self._waited(lambda: not self.buffered and not self._may_find_more, wait_s)
        self._is_closed = True
        if done and not self.background.is_current_thread:
            for function in self.on_close:
                function(deadline - time.monotonic())
        if self.buffered:
            log.warning(
                "%d executions are not in Kafka%s",
                self.buffered,
                "" if self._spool is None else f", and are kept in {self._settings.spool_dir}",
            )
        self.background.stop(2.0)
        if self._spool is not None:
            self._spool.close()

    def after_fork(self) -> None:
        """Begin anew in the child."""
        _OF_PARENT.append((self._buffer, self._delivery))
        if self._spool is not None:
            self._spool.abandon()
        self.background.after_fork()
        for function in self.on_fork:
            function()
        self._begin()


async def _is_done(delivery: "Delivery") -> bool:
    """Send until the end; return False if a fault of our own stopped it."""
    try:
        await delivery.run()
    except Exception:
        log.exception("publishing failed; it goes on")
        return False
    return True


_PUBLISHERS: "weakref.WeakSet[Publisher]" = weakref.WeakSet()
_OF_PARENT: list[Any] = []


def _after_fork() -> None:
    for publisher in list(_PUBLISHERS):
        publisher.after_fork()


def _close_all() -> None:
    """Close all at the end of the process, together within the longest of their limits."""
    begin = time.monotonic()
    for publisher in list(_PUBLISHERS):
        passed_s = time.monotonic() - begin
        publisher.close(max(0.0, publisher.flush_s - passed_s))


def _end_with_the_process() -> None:
    """See to it that a process that multiprocessing has made flushes, too.

    It ends without ``atexit``.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        util = sys.modules["multiprocessing.util"]
        util.Finalize(None, _close_all, exitpriority=10)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
