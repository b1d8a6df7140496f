"""Publishing of executions by the command line: one, or the lines of a file as they come."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from pydantic import ValidationError

from schemas.errors import Rejected
from schemas.execution import Execution
from schemas.message import explain


class BadLine(NamedTuple):
    """A line of a file that is no execution: its number from 1, and what is wrong with it."""

    number: int
    error: str


@dataclass
class Recorded:
    """The executions that were published, by their ids, and the lines that were not.

    It grows while ``record_lines`` runs, so that it says after an interruption what was done.
    """

    published: list[UUID] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)


def execution_of(tool: str, error: str | None, **fields: Any) -> Execution:
    """Return a new execution that happened now; it succeeded if ``error`` is None.

    ``fields`` are further fields of ``Execution``. Rejected names the field that is wrong.
    """
    try:
        return Execution(
            execution_id=uuid4(),
            tool_name=tool,
            success=error is None,
            error=error,
            executed_at=datetime.now(UTC),
            **fields,
        )
    except ValidationError as wrong:
        raise Rejected(explain(wrong)) from wrong


class NotPublished(NamedTuple):
    """An execution that was not taken: its position among those that were sent, and why."""

    position: int
    error: str


Publish = Callable[[Sequence[Execution]], Awaitable[Sequence[NotPublished]]]
"""Publishes executions, and returns those that were not taken."""


async def record_lines(
    publish: Publish, parts: AsyncIterator[Iterable[bytes]], done: Recorded
) -> AsyncIterator[Sequence[BadLine]]:
    """Publish an execution for each line that is one, part by part; skip empty lines.

    What was published is added to ``done``. Yields the bad lines of each part.
    """
    number = 0
    async for lines in parts:
        good: list[tuple[int, Execution]] = []
        bad: list[BadLine] = []
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                good.append((number, Execution.from_bytes(line)))
            except Rejected as error:
                bad.append(BadLine(number, str(error)))
        refused = dict(await publish([execution for _, execution in good]))
        for index, (place, execution) in enumerate(good):
            if index in refused:
                bad.append(BadLine(place, refused[index]))
            else:
                done.published.append(execution.execution_id)
        bad.sort()
        done.bad += bad
        yield bad
