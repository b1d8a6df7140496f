"""The applier: it stores deployments and rollback commands as versions, and publishes the results.

Each of the two topics has an agent of its own that works as described here, so that a deployment
whose code takes long to compare does not delay a rollback. The order of the two does not matter.

The records of a partition are applied in their order, in groups of different tools. A group shares
one transaction and its acknowledgements (``agents.applier.publish_changes``). If a group fails, its
members are applied again one by one, so that an error of one member does not stop the members
before it.

A tool that cannot be changed now is set aside, with all later records of it: somebody else has
locked it, or its code is still being compared. The records of other tools go on, and only the
offset of the oldest record that was set aside is committed. So each tool's records are applied in
their order, and after a crash the next worker reads every record that was not applied.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Generic, NamedTuple

from aiokafka.structs import ConsumerRecord

from agents.applier.waiting.attempts import Attempts, Changes, NotNow, Request, RequestMessage
from agents.applier.waiting.set_aside import SetAside
from agents.applier.waiting.set_aside_report import SetAsideReport
from agents.dead_letters.box import BadRecord, DeadLetterBox
from db.postgres.pool import Pool
from schemas.errors import Rejected
from streams.broker_topics.watch import TopicWatch
from streams.crash_points import crash_point
from streams.driver.batch import Batch
from streams.driver.outbox import Outbox
from streams.waits import Waits

MAX_GROUP: Final = 64
"""The largest number of members of a group, and of records in a batch. It is small because a crash
repeats the batch that is being applied, and each change takes milliseconds."""
RETRY_EVERY_S: Final = 0.02
_ROOM_CHECK_S: Final = 0.05


class _Member(NamedTuple, Generic[RequestMessage]):
    """A request of a group, and the record that asks for it."""

    request: Request[RequestMessage]
    record: ConsumerRecord


class _Aside(NamedTuple, Generic[RequestMessage]):
    """A request that was set aside, and its record as a batch."""

    request: Request[RequestMessage]
    batch: Batch

    @property
    def is_lost(self) -> bool:
        """Whether its partition went to another worker, which reads the record again."""
        return not self.batch.is_ours(self.batch)


class ApplyChanges(Generic[RequestMessage]):
    """Applies the records of one topic: each tool's in their order, several tools in one group."""

    def __init__(
        self,
        changes: Changes[RequestMessage],
        pool: Pool,
        outbox: Outbox,
        dead_letters: DeadLetterBox,
        waits: Waits,
        watch: TopicWatch,
        report: SetAsideReport,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._changes: Changes[RequestMessage] = changes
        self._attempts: Attempts[RequestMessage] = Attempts(changes, pool, waits)
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._clock = clock
        self._aside: SetAside[_Aside[RequestMessage]] = SetAside()
        self._is_any_aside = asyncio.Event()
        self._report = report

    async def handle(self, batch: Batch) -> None:
        """Apply the records of one partition, or set them aside.

        The records before a bad one are applied or set aside before it becomes a dead letter. If
        the partition goes to another worker, or comes back from one, nothing more is applied: the
        records are read again, and one that could not be applied comes before those after it.
        """
        self._drop_lost()
        group: dict[str, _Member[RequestMessage]] = {}
        for portion in batch.portions():
            await asyncio.sleep(0)
            for record in portion:
                if not batch.is_ours(batch):
                    return
                try:
                    message = self._changes.read(record)
                except Rejected as error:
                    await self._apply(group, batch)
                    await self._reject(record, error)
                else:
                    await self._take_in(message, record, group, batch)
        await self._apply(group, batch)

    async def _take_in(
        self,
        message: RequestMessage,
        record: ConsumerRecord,
        group: dict[str, _Member[RequestMessage]],
        batch: Batch,
    ) -> None:
        """Add a request to the group, or set it aside if one of its tool is; first make room."""
        tool = message.tool_name
        if tool in group or len(group) == MAX_GROUP:
            await self._apply(group, batch)
        if self._aside.is_full:
            await self._apply(group, batch)
            await self._wait_for_room()
        request = Request(
            message, record.timestamp, record.offset, record.headers, record.partition
        )
        member = _Member(request, record)
        if tool in self._aside:
            self._set_aside(member, batch)
        else:
            group[tool] = member

    async def retry(self) -> int:
        """Wait until something is set aside, try what is due, and return how many were applied."""
        await self._is_any_aside.wait()
        self._drop_lost()
        applied = 0
        if self._watch.held is None:
            for tool in self._aside.due(self._clock()):
                applied += await self._retry(tool)
        self._report.tell(self._aside, self._clock())
        if not self._aside:
            self._is_any_aside.clear()
        return applied

    @property
    def is_any_aside(self) -> bool:
        """Whether a record waits to be tried again."""
        return bool(self._aside)

    async def _retry(self, tool: str) -> bool:
        """Try the first request of a tool; return whether it was applied."""
        if tool not in self._aside:
            return False  # its partition went to another worker meanwhile
        first = self._aside.first(tool)
        why = await self._attempts.watched(first.request)
        if tool not in self._aside or self._aside.first(tool) is not first:
            return why is None
        if why is None:
            self._aside.done(tool, self._clock())
            first.batch.resume(first.batch, first.request.offset)
            return True
        self._postpone(tool, why)
        return False

    async def _apply(self, group: dict[str, _Member[RequestMessage]], batch: Batch) -> None:
        """Apply a group, empty it, and mark its records in the batch as done or set aside."""
        members = list(group.values())
        group.clear()
        if not members or not batch.is_ours(batch):
            return
        waiting = await self._attempts.together([member.request for member in members])
        for member in members:
            tool = member.request.tool_name
            if (why := waiting.get(tool)) is not None:
                self._set_aside(member, batch)
                self._postpone(tool, why)
        batch.done_to(members[-1].record.offset)

    def _set_aside(self, member: _Member[RequestMessage], batch: Batch) -> None:
        """Set a request aside, unless its partition went to another worker."""
        request, record = member
        aside = _Aside(request, batch.only(record))
        if not aside.is_lost:
            batch.set_aside(batch, record.offset)
            size = len(record.value or b"")
            self._aside.add(request.tool_name, aside, size, self._clock())
            self._is_any_aside.set()

    def _postpone(self, tool: str, why: NotNow) -> None:
        if tool not in self._aside:
            return
        if why.compared is None:
            self._aside.postpone(tool, self._clock(), why.cause)
        else:
            self._aside.suspend(tool, why.cause)
            why.compared.add_done_callback(lambda _: self._aside.release(tool, self._clock()))

    def _drop_lost(self) -> None:
        self._aside.drop(lambda each: each.is_lost)

    async def _wait_for_room(self) -> None:
        """Wait until fewer records are set aside: ``retry`` does it."""
        while self._aside.is_full:
            await asyncio.sleep(_ROOM_CHECK_S)

    async def _reject(self, record: ConsumerRecord, error: Rejected) -> None:
        """Publish the dead letter, and the outcome if there is one."""
        draft = self._dead_letters.draft([BadRecord.of(record, error)])
        await self._outbox.publish(draft.outgoing)
        self._dead_letters.settle(draft)
        crash_point("applier.dead_letter_published")
        await self._changes.rejected(record, error)
