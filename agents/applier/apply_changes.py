"""The applier: deployments and rollback commands become versions in Postgres, then messages.

Each of the two topics has an agent of its own, for what is asked of different tools needs no order:
a deployment whose code takes long to compare holds up no rollback. Both work as is said here.

What is read of a partition is applied in groups of different tools, in order: a group shares its
transaction and its acknowledgements (``agents.applier.publish_changes``). A group that fails is
applied again, one member after the other: what is wrong with one must not be blamed on the others.
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
from streams.driver.batch import Batch
from streams.driver.outbox import Outbox, Outgoing
from streams.records import dead_letter_of
from streams.retries import patiently
from streams.waits import Waits

log = structlog.get_logger()

ROLE: Final = "applier"
AT_ONCE: Final = 64
"""So many members a group has at most, and a batch too: a crash repeats the batch in hand, and a
change takes milliseconds, where an execution takes none."""

RequestMessage = TypeVar("RequestMessage", Deployment, RollbackCommand)


class Request(NamedTuple, Generic[RequestMessage]):
    """What a record asks for, and when it was appended to its topic, in Kafka's milliseconds."""

    request: RequestMessage
    at_ms: int
    offset: int


class Changes(Protocol[RequestMessage]):
    """What the records of one topic ask for."""

    def read(self, record: ConsumerRecord) -> RequestMessage:
        """Raises Rejected."""

    async def apply(self, group: Sequence[Request[RequestMessage]]) -> int:
        """Make the changes, each of another tool, and publish and log what came of them. Again is
        the same. How many of them, the first ones: those that did not take too long together, but
        at least one. Raises Retryable.
        """

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """What else is said of a record that is a dead letter now."""


class ApplyChanges(Generic[RequestMessage]):
    """Applies what is asked for on one topic: in order for each tool, in groups of several."""

    def __init__(
        self, changes: Changes[RequestMessage], outbox: Outbox, dead_letters: str, waits: Waits
    ) -> None:
        self._changes: Changes[RequestMessage] = changes
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._waits = waits

    async def handle(self, batch: Batch) -> None:
        """Apply the records of one partition. A bad one stands between those around it."""
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
        """Apply a group, and empty it."""
        members = list(group.values())
        group.clear()
        while members:
            done = await self._apply_some(members)
            batch.done_to(members[done - 1].offset)
            del members[:done]

    async def _apply_some(self, members: list[Request[RequestMessage]]) -> int:
        """Apply the first of them, together or one by one; how many."""
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
