"""Attempts to apply changes: what came of them, tool by tool.

A tool that somebody else has locked, or whose code is still being compared, keeps no other tool
waiting: the attempt names it and goes on with the others.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

import structlog
from aiokafka.structs import ConsumerRecord

from agents.applier.comparisons import NotCompared
from db.postgres.blockers import naming_blockers
from db.postgres.locks import locked_among
from db.postgres.pool import Pool, acquire
from schemas.deployment import Deployment
from schemas.errors import Locked, Rejected, Retryable
from schemas.rollback import RollbackCommand
from streams.retries import retry_without_limit
from streams.waits import Waits

log = structlog.get_logger()

WATCHED_WAIT_MS: Final = 300
"""How long an attempt waits for a lock while it is watched who holds the lock."""
COMPARING: Final = "its code is being compared"

RequestMessage = TypeVar("RequestMessage", Deployment, RollbackCommand)


class Request(NamedTuple, Generic[RequestMessage]):
    """The message of a record, with the Kafka timestamp, position and headers of the record."""

    message: RequestMessage
    at_ms: int
    offset: int
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int = 0

    @property
    def tool_name(self) -> str:
        """The tool that is to be changed."""
        return self.message.tool_name


class Changes(Protocol[RequestMessage]):
    """The changes that the records of one topic ask for."""

    def read(self, record: ConsumerRecord) -> RequestMessage:
        """Read the message of a record. Raises Rejected."""

    async def apply(self, group: Sequence[Request[RequestMessage]]) -> None:
        """Make the changes, each of another tool, then publish and log their outcomes.

        All are made, or none. Applying a change again has the same result. Raises Retryable, Locked
        and NotCompared.
        """

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        """Publish the outcome, if there is one, of a record that became a dead letter."""


class NotNow(NamedTuple):
    """Why a tool cannot be changed now."""

    cause: str
    compared: "asyncio.Future[Any] | None" = None
    """Done when its code is compared; None if somebody else has locked the tool."""


class Attempts(Generic[RequestMessage]):
    """Tries to apply changes. Waits without limit while Postgres or Kafka does not answer."""

    def __init__(self, changes: Changes[RequestMessage], pool: Pool, waits: Waits) -> None:
        self._changes: Changes[RequestMessage] = changes
        self._pool = pool
        self._waits = waits

    async def together(self, members: Sequence[Request[RequestMessage]]) -> dict[str, NotNow]:
        """Apply the members, each of another tool; return the tools that have to wait.

        If a group fails for another reason, its members are applied one by one, so that an error of
        one of them does not stop those before it.
        """
        left = {member.tool_name: member for member in members}
        waiting: dict[str, NotNow] = {}
        while len(left) > 1:
            try:
                await self._changes.apply(list(left.values()))
                return waiting
            except NotCompared as error:
                found = {tool: NotNow(COMPARING, done) for tool, done in error.tools.items()}
            except Locked as error:
                locked = error.tools or await self._locked_among(left)
                found = {tool: NotNow("locked by somebody else") for tool in locked}
                if not found:
                    return waiting | await self._one_by_one(left, error)
            except Exception as error:
                return waiting | await self._one_by_one(left, error)
            waiting |= found
            left = {tool: member for tool, member in left.items() if tool not in found}
        for member in left.values():
            if (why := await self.alone(member)) is not None:
                waiting[member.tool_name] = why
        return waiting

    async def _locked_among(self, tools: Mapping[str, object]) -> Collection[str]:
        """Return the tools that are locked; none if Postgres does not answer."""
        try:
            return await locked_among(self._pool, list(tools))
        except Retryable:
            return ()

    async def _one_by_one(
        self, members: Mapping[str, Request[RequestMessage]], cause: Exception
    ) -> dict[str, NotNow]:
        log.warning("group_split", members=len(members), cause=str(cause))
        tried = {tool: await self.alone(member) for tool, member in members.items()}
        return {tool: why for tool, why in tried.items() if why is not None}

    async def alone(self, member: Request[RequestMessage]) -> NotNow | None:
        """Apply one change; return why it has to wait, if it has to."""
        return await retry_without_limit(partial(self._try, member), self._waits)

    async def watched(self, member: Request[RequestMessage]) -> NotNow | None:
        """Apply one change; if somebody else has locked its tool, say who."""
        return await retry_without_limit(partial(self._try, member, is_watched=True), self._waits)

    async def _try(
        self, member: Request[RequestMessage], is_watched: bool = False
    ) -> NotNow | None:
        look = partial(acquire, self._pool)
        watch = naming_blockers(look, WATCHED_WAIT_MS) if is_watched else nullcontext()
        try:
            async with watch:
                await self._changes.apply([member])
        except NotCompared as error:
            return NotNow(COMPARING, error.tools[member.tool_name])
        except Locked as error:
            return NotNow(error.cause)
        return None
