"""The work of the background thread: what is in the buffer is sent, in order, without loss."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from aiokafka.errors import KafkaError

from rollguard_client.errors import Rejected, RollguardError
from rollguard_client.kafka.errors import connecting
from rollguard_client.messages.execution import Execution
from rollguard_client.publishing.batches import REFUSED
from rollguard_client.publishing.buffer import Buffer, Record, Waiting
from rollguard_client.publishing.ids import random_ids
from rollguard_client.publishing.senders import Sender, receiver_of, sender_of
from rollguard_client.publishing.spool import Spool
from rollguard_client.settings.settings import Settings

log = logging.getLogger("rollguard_client")

_AT_ONCE: Final = 2_000
_GATHER_S: Final = 0.02
"""How long records are gathered before they are sent."""
_PAUSES_S: Final = (0.25, 0.5, 1.0, 2.0)
_SLOW_S: Final = 10.0
"""After how long without an answer Kafka is said to be away."""
_SAY_EVERY_S: Final = 60.0
_STOP_S: Final = 1.0


class Delivery:
    """Takes records out of a buffer and sends them until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        topic: str,
        buffer: Buffer,
        spool: Spool | None,
        on_published: Sequence[Callable[[Execution], None]] = (),
    ) -> None:
        self._on_published = on_published
        self._settings = settings
        self._topic = topic
        self._receiver = receiver_of(settings)
        self._buffer = buffer
        self._spool = spool
        self.may_find_more = spool is not None
        """Whether the spool may have more of processes that are gone."""
        self._records: list[Record] = []
        self._taken = 0
        self._taken_ever = 0
        self._most = _AT_ONCE
        self._new_id = random_ids()
        self._sender: Sender | None = None
        self._wake = asyncio.Event()
        self._is_ending = False
        self._trouble = ""
        self._since = 0.0
        self._said_at = -_SAY_EVERY_S
        self._dropped_said = 0
        self.is_idle = False
        """Whether it must be woken when a record comes."""
        self.refused = 0
        """How many records Kafka has refused for good."""
        self.finished = 0
        """So many records of this process, the first ones, are in Kafka, refused or dropped."""

    @property
    def held(self) -> int:
        """How many records were taken out of the buffer and are not in Kafka yet."""
        return len(self._records) + self._taken

    def wake(self) -> None:
        """Look into the buffer. Call it in the loop."""
        self._wake.set()

    async def run(self) -> None:
        """Send until ``end`` was called and nothing waits."""
        self._adopt()
        saying = asyncio.ensure_future(self._say_now_and_then())
        failures = 0
        try:
            while await self._something_waits():
                error = await self._sent_or_error()
                failures = 0 if error is None else failures + 1
                if error is not None:
                    self._in_trouble(_text(error))
                    await self._disconnect()
                    await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])
        finally:
            saying.cancel()
            await self._disconnect()

    def end(self) -> None:
        """Make ``run`` return as soon as nothing waits."""
        self._is_ending = True
        self._wake.set()

    async def _something_waits(self) -> bool:
        """Wait for records; return False if it is to end and there are none."""
        while not self._is_anything_there:
            if self._is_ending:
                return False
            self._wake.clear()
            self.is_idle = True
            if not len(self._buffer):  # one may have come before it was said that we are idle
                await self._wake.wait()
            self.is_idle = False
            if not self._is_ending:
                await asyncio.sleep(_GATHER_S)
        return True

    async def _sent_or_error(self) -> Exception | None:
        """Send what waits; return the error after which it must be tried again."""
        try:
            await self._send_all()
        except (KafkaError, OSError, RollguardError, asyncio.TimeoutError) as error:
            return error
        except Exception as error:  # a fault of ours or of aiokafka: what waits must not be lost
            if not self._trouble:
                log.exception("publishing failed; it is tried again")
            return error
        return None

    async def _send_all(self) -> None:
        """Send what waits. Raises an error after which a new connection is needed."""
        sender = await self._connected()
        while self._is_anything_there:
            self._take()
            if not self._records:
                self.finished = self._taken_ever
                continue
            self._since = asyncio.get_running_loop().time()
            some, later = self._records[: self._most], self._records[self._most :]
            sent = await sender.send(some)
            self._since = 0.0
            if sent.error is not None and sent.refused:
                self._refuse(sent.refused, sent.error)  # before they no longer wait
            self._records = sent.left + later
            own = [each.number for each in self._records if each.number >= 0]
            self.finished = min(own, default=self._taken_ever)
            self._most = min(self._most * 2, _AT_ONCE)
            self._forget_in_spool()
            if self._on_published and not sent.refused:
                self._tell(some, sent.left)
            if sent.error is not None:
                if isinstance(sent.error, REFUSED):
                    self._most = 1  # find the record that is too large
                if not (sent.refused and isinstance(sent.error, Rejected)):
                    raise sent.error
            self._out_of_trouble()
            if len(self._buffer) < self._most // 4:
                await asyncio.sleep(_GATHER_S)

    def _tell(self, some: Sequence[Record], left: Sequence[Record]) -> None:
        """Tell the executions among the records that Kafka has now."""
        waiting = {id(each) for each in left}
        for each in some:
            if id(each) not in waiting:
                with suppress(Rejected):  # a verdict is no execution
                    execution = Execution.from_bytes(each.value)
                    for function in self._on_published:
                        _contained(function, execution)

    @property
    def _is_anything_there(self) -> bool:
        return bool(self._records) or len(self._buffer) > 0 or self.may_find_more

    def _take(self) -> None:
        with self._buffer.lock:
            first = self._buffer.accepted - len(self._buffer)
            taken = self._buffer.take(_AT_ONCE - len(self._records))
            self._taken = len(taken)
        for number, waiting in enumerate(taken, first):
            self._encode(waiting, number)
        self._taken, self._taken_ever = 0, first + len(taken)
        if len(self._records) < _AT_ONCE:
            self._adopt()

    def _adopt(self) -> None:
        """Take over one file of a process that is gone: all of them together may be very large."""
        if self._spool is None or not self.may_find_more:
            return
        found = self._spool.adopt()
        self.may_find_more = bool(found)
        self._records += [Record(key, value, [], place, -1) for key, value, place in found]

    def _encode(self, waiting: Waiting, number: int) -> None:
        try:
            record = waiting.record(self._new_id)
            record.number = number
            self._records.append(record)
        except Exception as error:  # the rest must be sent all the same
            self._refuse(1, error)

    def _refuse(self, count: int, error: BaseException) -> None:
        if not self.refused:  # said first: who sees the count finds the reason in the log
            log.error("an execution cannot be published: %s", _text(error))
        self.refused += count

    def _forget_in_spool(self) -> None:
        if self._spool is None:
            return
        held = {each.place for each in self._records if each.place is not None}
        with self._buffer.lock:
            oldest = self._buffer.oldest()
            self._spool.forget(held, None if oldest is None else oldest.place)

    async def _connected(self) -> Sender:
        if self._sender is None:
            sender = sender_of(self._settings, self._topic)
            async with connecting(self._settings):
                await sender.start()
            self._sender = sender
        return self._sender

    async def _disconnect(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.stop(_STOP_S)

    def _in_trouble(self, text: str) -> None:
        self._trouble = text
        self._say()

    def _out_of_trouble(self) -> None:
        if self._trouble:
            self._trouble = ""
            self._said_at = -_SAY_EVERY_S
            waiting = len(self._buffer) + self.held
            log.info("%s takes executions again; %d wait", self._receiver, waiting)

    async def _say_now_and_then(self) -> None:
        clock, dropped = asyncio.get_running_loop().time, self._buffer.dropped
        while True:
            await asyncio.sleep(1.0)
            if self._since and clock() - self._since > _SLOW_S:
                self._trouble = self._trouble or "no answer"
            if self._buffer.dropped != dropped:
                dropped = self._buffer.dropped
                self._forget_in_spool()
            self._say()

    def _say(self) -> None:
        """Log once a minute that Kafka takes nothing, or that records were dropped."""
        now = asyncio.get_running_loop().time()
        dropped = self._buffer.dropped
        if not self._trouble and dropped == self._dropped_said:
            return
        if now - self._said_at < _SAY_EVERY_S:
            return
        self._said_at, self._dropped_said = now, dropped
        log.warning(
            "executions wait for %s (%s): %d wait, %d were dropped",
            self._receiver,
            self._trouble or "more come than it takes",
            len(self._buffer) + self.held,
            dropped,
        )


def _contained(function: Callable[[Execution], None], execution: Execution) -> None:
    try:
        function(execution)
    except BaseException:  # SystemExit would end the thread, and no signal comes here
        log.exception("a function of the engine has failed")


def _text(error: BaseException) -> str:
    return str(error) if isinstance(error, RollguardError) else repr(error)
