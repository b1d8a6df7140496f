"""The telling of one receiver: each tool's news in their order, each at least once.

Each receiver has a consumer group of its own. Kafka's committed offsets are all that is kept of
what a receiver was told. A message that is not delivered yet is set aside, and at most its own
offset is committed; later messages of the same tool wait for it, and those of other tools go on.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from aiokafka.structs import ConsumerRecord

from agents.dead_letters.box import BadRecord, DeadLetterBox
from agents.notifier.pace import AT_ONCE, Pace
from agents.notifier.reading import NewsReader
from agents.notifier.receiver_report import ReceiverReport, Waiting
from agents.notifier.receivers import ROLE, Receiver
from policy.notifications.incidents import Incidents, Part
from policy.notifications.news import News
from policy.notifications.retrying import Answer, Schedule, is_given_up, why_given_up
from policy.notifications.routes import is_told
from schemas.errors import Rejected
from streams.crash_points import crash_point
from streams.driver.batch import Batch
from streams.driver.outbox import Outbox, Outgoing
from streams.records import dead_letter_of

log = structlog.get_logger()

MAX_WAITING: Final = 1_000
"""So many messages are read before they are delivered. If the receiver takes none, nothing more is
read for it."""
MAX_WAITING_BYTES: Final = 32 * 1024**2
SCHEDULE: Final = Schedule()
REPORT_EVERY_S: Final = 5.0
TOLD_FROM: Final = timedelta(hours=1)
"""A receiver that is new is told what happened in this time before its first start."""
_FINISH_S: Final = 3.0
"""How long requests that are under way may take when the worker is told to stop."""
Send = Callable[[News, Part], Awaitable[Answer]]


@dataclass(eq=False)
class _Message:
    """News that are to be told, and their record as a batch."""

    news: News
    batch: Batch
    record: ConsumerRecord
    tries: int = 0
    refused: int = 0
    answer: Answer | None = None
    """What the receiver said to the newest try, if it has not taken the message."""
    first_failed: float | None = None
    """When the first try failed, in seconds of the event loop."""

    @property
    def is_ours(self) -> bool:
        """Whether the partition did not go to another worker, which reads the record again."""
        return self.batch.is_ours(self.batch)

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.record.value or b"")

    @property
    def age_s(self) -> float:
        """The time since Kafka took the record."""
        taken_ms: int = self.record.timestamp
        return time.time() - taken_ms / 1_000


@dataclass
class _Lane:
    """The messages with one key (of one tool), which are told one after the other."""

    messages: deque[_Message] = field(default_factory=deque)
    task: "asyncio.Task[None] | None" = None


class NotifyReceiver:
    """Tells one receiver the news of rollbacks, refused deployments and outages."""

    def __init__(
        self,
        receiver: Receiver,
        reader: NewsReader,
        send: Send,
        outbox: Outbox,
        dead_letters_topic: str,
        report: ReceiverReport,
        *,
        bad_records: DeadLetterBox | None = None,
        schedule: Schedule = SCHEDULE,
        fatal: Callable[[BaseException], None],
    ) -> None:
        """``bad_records`` takes records that are no news; of several receivers, one has it."""
        self._receiver = receiver
        self._reader = reader
        self._send = send
        self._outbox = outbox
        self._dead_letters_topic = dead_letters_topic
        self._report = report
        self._bad_records = bad_records
        self._schedule = schedule
        self._fatal = fatal
        self._pace = Pace(schedule)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._lanes: dict[bytes, _Lane] = {}
        self._waiting = self._waiting_bytes = 0
        self._has_room = asyncio.Event()
        self._incidents = Incidents()
        self._epoch = -1
        self._is_closing = False

    async def handle(self, batch: Batch) -> None:
        """Take in the records of one partition: their messages are delivered meanwhile."""
        if batch.epoch != self._epoch:
            # Another worker may have told something meanwhile, so nothing is known of it any more.
            self._epoch, self._incidents = batch.epoch, Incidents()
        self._drop_lost()
        for portion in batch.portions():
            await asyncio.sleep(0)
            for record in portion:
                await self._take_in(record, batch)
                batch.done_to(record.offset)

    async def tell(self) -> int:
        """Report what waits, and forget what another worker delivers. Return how much waits."""
        self._drop_lost()
        now = asyncio.get_running_loop().time()
        failed = [each for each in self._heads() if each.first_failed is not None]
        first = min(failed, key=lambda each: each.first_failed or now, default=None)
        cause = None if first is None or first.answer is None else first.answer.text
        since_s = 0.0 if first is None else now - (first.first_failed or now)
        oldest_s = max((each.age_s for each in self._heads()), default=0.0)
        self._report.tell(Waiting(self._waiting, oldest_s, cause, since_s), now)
        return self._waiting

    async def finish(self) -> None:
        """Begin no other request, and wait a short time for those that are under way."""
        self._is_closing = True
        self._has_room.set()
        try:
            async with asyncio.timeout(_FINISH_S):
                for _ in range(AT_ONCE):
                    await self._slots.acquire()
        except TimeoutError:
            log.info("notifications_interrupted", receiver=self._receiver.name)
        self._end(self._lanes)

    async def _take_in(self, record: ConsumerRecord, batch: Batch) -> None:
        try:
            news = self._reader.news_of(record)
        except Rejected as error:
            await self._reject(record, error)
            return
        if news is None or not is_told(self._receiver.routes, news):
            return
        message = _Message(news, batch.only(record), record)
        await self._wait_for_room()
        if not message.is_ours:
            return
        batch.set_aside(batch, record.offset)
        if self._is_closing:
            return  # it is read again after the next start
        self._waiting += 1
        self._waiting_bytes += message.size
        key = record.key or b""
        lane = self._lanes.setdefault(key, _Lane())
        lane.messages.append(message)
        if lane.task is None:
            lane.task = asyncio.create_task(self._follow(key, lane))
            lane.task.add_done_callback(self._note_bug)

    async def _wait_for_room(self) -> None:
        """Return when not too much waits, or the worker ends."""
        while not self._is_closing and (
            self._waiting >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES
        ):
            self._has_room.clear()
            await self._has_room.wait()

    async def _follow(self, key: bytes, lane: _Lane) -> None:
        """Deliver the messages of a lane, one after the other, until there is none."""
        while lane.messages:
            message = lane.messages[0]
            if await self._deliver(message):
                message.batch.resume(message.batch, message.record.offset)
            self._left([lane.messages.popleft()])
        if self._lanes.get(key) is lane:
            del self._lanes[key]

    async def _deliver(self, message: _Message) -> bool:
        """Return True if the message is done; False if another worker delivers it."""
        own_failures = 0
        while message.is_ours:
            successes = self._pace.successes
            async with self._slots:
                if self._is_closing or self._pace.left_s > 0:
                    part: Part | None = None
                else:
                    part = self._part_of(message.news)
                    if part == "nothing new":
                        self._report.nothing_new()
                        return True
                    answer = await self._send(message.news, part)
            if self._is_closing and part is None:
                await asyncio.Event().wait()  # until ``finish`` ends this task
            if part is None:
                await self._pace.turn()
                continue
            if await self._is_done(message, answer):
                return True
            # If the receiver takes others, this message must not be tried as often as they are.
            own_failures += self._pace.successes > successes or answer.is_refused
            if own_failures:
                await asyncio.sleep(self._schedule.pause_s(own_failures, 0.5))
        return False

    def _part_of(self, news: News) -> Part:
        return "first" if self._receiver.kind != "slack" else self._incidents.part_of(news)

    async def _is_done(self, message: _Message, answer: Answer) -> bool:
        """Note an answer, and return whether the message is delivered or given up."""
        message.tries += 1
        if answer.is_delivered:
            crash_point("notifier.delivered")
            self._pace.succeeded()
            self._incidents.note(message.news)
            self._report.delivered(message.news, message.tries, message.age_s)
            return True
        message.refused += answer.is_refused
        message.answer = answer
        if message.first_failed is None:
            message.first_failed = asyncio.get_running_loop().time()
        self._report.failed(message.news, answer)
        if not answer.is_refused:
            self._pace.failed(answer.retry_after_s)
        if is_given_up(answer, message.refused, message.age_s):
            await self._give_up(message, answer)
            return True
        return False

    async def _give_up(self, message: _Message, answer: Answer) -> None:
        error = why_given_up(self._receiver.name, answer, message.tries, message.age_s)
        dead_letter = dead_letter_of(ROLE, message.record, error)
        await self._outbox.publish(
            [Outgoing.dead_letter(self._dead_letters_topic, message.record.key, dead_letter)]
        )
        self._report.given_up(message.news, error)

    async def _reject(self, record: ConsumerRecord, error: Rejected) -> None:
        if self._bad_records is None:
            return
        draft = self._bad_records.draft([BadRecord.of(record, error)])
        await self._outbox.publish(draft.outgoing)
        self._bad_records.settle(draft)

    def _heads(self) -> Iterable[_Message]:
        return (lane.messages[0] for lane in self._lanes.values() if lane.messages)

    def _drop_lost(self) -> None:
        """End the lanes of partitions that went to another worker, or came back from one."""
        lost = {
            key: lane
            for key, lane in self._lanes.items()
            if any(not message.is_ours for message in lane.messages)
        }
        self._end(lost)

    def _end(self, lanes: dict[bytes, _Lane]) -> None:
        for key, lane in list(lanes.items()):
            if lane.task is not None:
                lane.task.cancel()
            self._left(lane.messages)
            lane.messages.clear()
            self._lanes.pop(key, None)

    def _left(self, messages: Collection[_Message]) -> None:
        """Note that these do not wait any more."""
        self._waiting -= len(messages)
        self._waiting_bytes -= sum(each.size for each in messages)
        self._has_room.set()

    def _note_bug(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(error)
