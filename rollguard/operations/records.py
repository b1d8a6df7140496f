"""Publishing of executions by the command line: one, or a file of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from pydantic import ValidationError

from rollguard.client import EngineClient
from schemas.errors import Rejected
from schemas.execution import Execution
from schemas.message import explain
from schemas.settings import Settings


class BadLine(NamedTuple):
    """A line of a file that is no execution: its number from 1, and what is wrong with it."""

    number: int
    error: str


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


async def record(settings: Settings, execution: Execution) -> None:
    """Publish one execution."""
    async with EngineClient(settings) as client:
        await client.publish_execution(execution)


async def record_lines(
    settings: Settings, lines: Iterable[bytes]
) -> tuple[list[Execution], list[BadLine]]:
    """Publish an execution for each line that is one; skip empty lines.

    Returns what was published, and the lines that were not.
    """
    good: list[Execution] = []
    bad: list[BadLine] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            good.append(Execution.from_bytes(line))
        except Rejected as error:
            bad.append(BadLine(number, str(error)))
    async with EngineClient(settings) as client:
        await client.publish_executions(good)
    return good, bad
