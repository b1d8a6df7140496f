"""The applier: it stores deployments and rollback commands as versions, and publishes the results.

Each of the two topics has an agent of its own that works as described here, so that a deployment
whose code takes long to compare does not delay a rollback. The order of the two does not matter.

The records of a partition are applied in their order, in groups of different tools. A group shares
one transaction and its acknowledgements (``agents.applier.publish_changes``). If a group fails, its
members are applied again one by one, so that an error of one member does not stop the members
before it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

import structlog
from aiokafka.structs import ConsumerRecord

from schemas.deployment import Deployment
from schemas.errors import Rejected
from schemas.rollback import RollbackCommand
from streams.broker_topics.watch import TopicWatch
from streams.crash_points import crash_point
from streams.driver.batch import Batch
from streams.driver.outbox import Outbox, Outgoing
from streams.records import WrongPartition, dead_letter_of
from streams.retries import retry_without_limit
from streams.waits import Waits

log = structlog.get_logger()

ROLE: Final = "applier"
MAX_GROUP: Final = 64
"""The largest number of members of a group, and of records in a batch. It is small because a crash
repeats the batch that is being applied, and each change takes milliseconds."""

RequestMessage = TypeVar("RequestMessage", Deployment, RollbackCommand)


class Request(NamedTuple, Generic[RequestMessage]):
    """The message of a record, with the Kafka timestamp and the offset of the record."""

    message: RequestMessage
    at_ms: int
    offset: int


class Changes(Protocol[RequestMessage]):
    """The changes that the records of one topic ask for."""

    def read(self, record: ConsumerRecord) -> RequestMessage:
        """Read the message of a record. Raises Rejected."""

    async def apply(self, group: Sequence[Request[RequestMessage]]) -> int:
        """Make the changes, each of another tool, then publish and log their outcomes.

        Return how many were made, counted from the first: as many as can be made in time, but at
        least one. Applying a change again has the same result. Raises Retryable.
        """

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Publish the outcome, if there is one, of a record that became a dead letter."""


class ApplyChanges(Generic[RequestMessage]):
    """Applies the records of one topic: each tool's in their order, several tools in one group."""

    def __init__(
        self,
        changes: Changes[RequestMessage],
        outbox: Outbox,
        dead_letters: str,
        waits: Waits,
        watch: TopicWatch,
    ) -> None:
        self._watch = watch
        self._changes: Changes[RequestMessage] = changes
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._waits = waits

    async def handle(self, batch: Batch) -> None:
        """Apply the records of one partition.

        The records before a bad one are applied before it becomes a dead letter.
        """
        group: dict[str, Request[RequestMessage]] = {}
        for record in batch.records:
            try:
                message = self._changes.read(record)
            except Rejected as error:
                await self._apply(group, batch)
                await self._reject(record, error)
                continue
            if message.tool_name in group or len(group) == MAX_GROUP:
                await self._apply(group, batch)
            group[message.tool_name] = Request(message, record.timestamp, record.offset)
        await self._apply(group, batch)

    async def _apply(self, group: dict[str, Request[RequestMessage]], batch: Batch) -> None:
        """Apply a group, empty it, and mark its records in the batch as done."""
        members = list(group.values())
        group.clear()
        while members:
            done = await self._apply_some(members)
            batch.done_to(members[done - 1].offset)
            del members[:done]

    async def _apply_some(self, members: list[Request[RequestMessage]]) -> int:
        """Apply the first members, together or one by one; return how many were applied."""
        if len(members) > 1:
            try:
                return await self._changes.apply(members)
            except Exception as error:
                log.warning("group_split", members=len(members), cause=str(error))
        for member in members:
            await retry_without_limit(partial(self._changes.apply, [member]), self._waits)
        return len(members)

    async def _reject(self, record: ConsumerRecord, error: Rejected) -> None:
        """Publish the dead letter, and the outcome if there is one. Raises TopicsChanged."""
        if isinstance(error, WrongPartition):
            await self._watch.require_unchanged()
        dead_letter = dead_letter_of(ROLE, record, error)
        log.warning(
            "dead_letter", topic=record.topic, offset=record.offset, error=dead_letter.error[:300]
        )
        await self._outbox.publish(
            [Outgoing.dead_letter(self._dead_letters, record.key, dead_letter)]
        )
        crash_point("applier.dead_letter_published")
        await self._changes.rejected(record, error)
