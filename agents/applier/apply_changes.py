"""The applier: it turns deployments and rollback commands into versions in Postgres, then messages.

Each of the two topics has a separate agent that works as described here: a deployment whose code
takes long to compare must not delay a rollback, and the order of the two does not matter.

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
from streams.crash_points import crash_point
from streams.driver.batches import Batch
from streams.driver.outbox import Outbox, Outgoing
from streams.records import dead_letter_of
from streams.retries import patiently
from streams.waits import Waits

log = structlog.get_logger()

ROLE: Final = "applier"
AT_ONCE: Final = 64
"""The largest number of members of a group, and of records in a batch. A crash repeats the batch
that is being applied, and a change takes milliseconds, much longer than an execution."""

RequestMessage = TypeVar("RequestMessage", Deployment, RollbackCommand)


class Request(NamedTuple, Generic[RequestMessage]):
    """The change that a record asks for, with the Kafka timestamp and the offset of the record."""

    request: RequestMessage
    at_ms: int
    offset: int


class Changes(Protocol[RequestMessage]):
    """The changes that the records of one topic ask for."""

    def read(self, record: ConsumerRecord) -> RequestMessage:
        """Read the message of a record. Raises Rejected."""

    async def apply(self, group: Sequence[Request[RequestMessage]]) -> int:
        """Make the changes, each of another tool, then publish and log their outcomes.

        Return how many of them were made: the first ones, as many as did not take too long
        together, but at least one. Applying a change again has the same result. Raises Retryable.
        """

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Publish what else there is to say about a record that became a dead letter."""


class ApplyChanges(Generic[RequestMessage]):
    """Applies the records of one topic: in order for each tool, several tools in one group."""

    def __init__(
        self, changes: Changes[RequestMessage], outbox: Outbox, dead_letters: str, waits: Waits
    ) -> None:
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
                request = self._changes.read(record)
            except Rejected as error:
                await self._apply(group, batch)
                await self._reject(record, error)
                continue
            if request.tool_name in group or len(group) == AT_ONCE:
                await self._apply(group, batch)
            group[request.tool_name] = Request(request, record.timestamp, record.offset)
        await self._apply(group, batch)

    async def _apply(self, group: dict[str, Request[RequestMessage]], batch: Batch) -> None:
        """Apply a group and empty it; mark in the batch what is done."""
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
            await patiently(partial(self._changes.apply, [member]), self._waits)
        return len(members)

    async def _reject(self, record: ConsumerRecord, error: Rejected) -> None:
        dead_letter = dead_letter_of(ROLE, record, error)
        log.warning(
            "dead_letter", topic=record.topic, offset=record.offset, error=dead_letter.error[:300]
        )
        await self._outbox.publish(
            [Outgoing.dead_letter(self._dead_letters, record.key, dead_letter)]
        )
        crash_point("applier.dead_letter_published")
        await self._changes.rejected(record, error)
