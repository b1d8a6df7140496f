"""What the command line writes: deployments, executions and rollbacks, through Kafka."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from pydantic import ValidationError

from db.versions.reading import VersionRecord
from rollguard.client import EngineClient
from rollguard.operations.reads import version_of
from rollguard.refusal import DeploymentRefused
from schemas.deployment import AcceptedBreak, Author
from schemas.errors import Rejected
from schemas.execution import Execution
from schemas.message import explain
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings


class BadLine(NamedTuple):
    """A line of a file that is no execution: its number from 1, and what is wrong with it."""

    number: int
    error: str


async def deploy(
    settings: Settings,
    tool: str,
    code: str,
    by: Author,
    kind: str,
    reason: str | None,
    accepted: Iterable[AcceptedBreak] = (),
) -> VersionRecord:
    """Deploy and wait; the version that is current then. DeploymentRefused where it was."""
    async with EngineClient(settings) as client:
        outcome = await client.deploy(
            tool,
            code,
            created_by=by,
            improvement_type=kind,
            improvement_reason=reason,
            accepted_breaks=accepted,
        )
    if outcome.version_id is None:
        raise DeploymentRefused(outcome)
    return await version_of(settings, tool, outcome.version_id)


async def roll_back(settings: Settings, tool: str, version_id: int, reason: str) -> RollbackOutcome:
    """Order a rollback and wait for its outcome."""
    async with EngineClient(settings) as client:
        return await client.rollback(tool, version_id, reason)


def execution_of(tool: str, error: str | None, **more: Any) -> Execution:
    """One execution, now, with the fields of ``Execution`` that are known besides. Rejected that
    names the field that is wrong.
    """
    try:
        return Execution(
            execution_id=uuid4(),
            tool_name=tool,
            success=error is None,
            error=error,
            executed_at=datetime.now(UTC),
            **more,
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
    """Publish an execution for each line that is one; empty lines are passed over."""
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
