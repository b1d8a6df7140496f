"""Plays a scenario of the seed on a running system: what was expected, and what happened."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from rollguard.client import EngineClient
from rollguard.demo.scenarios import Attempt, Scenario
from rollguard.operations.connection import connection
from rollguard.operations.versions import history_of
from schemas.execution import Execution
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings

WAIT_S = 20.0


@dataclass(frozen=True)
class Played:
    """What was expected and what happened, in the words of a table's row.

    ``latency_s`` is from the send of the deciding execution to the outcome read back; None where
    there was none.
    """

    title: str
    expected: str
    happened: str
    latency_s: float | None
    decided_by: str = ""
    """The rule, where any may decide."""

    @property
    def as_expected(self) -> bool:
        return self.expected == self.happened


class Outcomes:
    """The rollback outcomes since the start, by tool, each with the moment it was read."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[RollbackOutcome, float]] = {}
        self._news = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def followed(cls, client: EngineClient) -> AsyncIterator["Outcomes"]:
        """Outcomes from now on, read until the end of the block."""
        outcomes, ready = cls(), asyncio.Event()
        task = asyncio.create_task(outcomes._follow(client, ready))
        try:
            await asyncio.wait_for(ready.wait(), WAIT_S)
            yield outcomes
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self, client: EngineClient, ready: asyncio.Event) -> None:
        async for outcome in client.follow_outcomes(ready):
            async with self._news:
                self._first.setdefault(outcome.tool_name, (outcome, time.perf_counter()))
                self._news.notify_all()

    async def of(self, tool: str) -> tuple[RollbackOutcome, float] | None:
        """The tool's first outcome and when it was read; None where none comes in time."""
        try:
            async with asyncio.timeout(WAIT_S), self._news:
                while tool not in self._first:
                    await self._news.wait()
                return self._first.pop(tool)
        except TimeoutError:
            return None


async def play(
    scenario: Scenario, client: EngineClient, outcomes: Outcomes, settings: Settings, end: datetime
) -> Played:
    """Play one scenario so that its last attempt is before ``end``."""
    start = end - timedelta(minutes=max(attempt.minutes for attempt in scenario.attempts) + 1)
    tool = scenario.tool
    good = None
    for number in range(1, scenario.version):
        code = f"def execute(text):\n    return len(text) + {number}\n"
        before = start - timedelta(days=1) + timedelta(minutes=number)
        deployed = await client.deploy(tool, code, deployed_at=before)
        good = deployed.version_id
    await client.publish_executions(
        [_execution(tool, attempt, start, good) for attempt in scenario.predecessor]
    )
    broken = await client.deploy(
        tool,
        "def execute(text):\n    return text[0]\n",
        created_by="autonomous",
        improvement_type="autonomous_improvement",
        deployed_at=start,
    )
    attempts = [
        _execution(tool, attempt, start, broken.version_id) for attempt in scenario.attempts
    ]
    deciding = attempts[scenario.decides - 1]
    await client.publish_executions(attempts[: scenario.decides - 1])
    sent = time.perf_counter()
    await client.publish_execution(deciding)
    answer = await outcomes.of(tool)
    await client.publish_executions(attempts[scenario.decides :])
    successes = sum(each.success for each in attempts[: scenario.decides])
    expected = (
        f"{scenario.tier} {scenario.reason} at attempt {scenario.decides} "
        f"({successes} of {scenario.decides} succeeded), back to version {scenario.version - 1}"
    )
    if answer is None:
        return Played(scenario.title, expected, "no rollback", None)
    outcome, read = answer
    happened = await _told(settings, outcome, attempts)
    return Played(scenario.title, expected, happened, read - sent)


def _execution(tool: str, attempt: Attempt, start: datetime, version_id: int | None) -> Execution:
    return Execution(
        execution_id=uuid4(),
        tool_name=tool,
        version_id=version_id,
        success=attempt.error is None,
        error=attempt.error,
        executed_at=start + timedelta(minutes=attempt.minutes),
        session_id="demo",
    )


async def deciding_execution(settings: Settings, outcome: RollbackOutcome) -> UUID:
    """The execution at which the rollback was decided, from its record in Postgres: the newest of
    `recent`, where executions come in the order of their time.
    """
    async with connection(settings) as conn:
        details = await conn.fetchval(
            "SELECT details FROM rollbacks WHERE command_id = $1", outcome.command_id
        )
    return UUID(details["recent"][0])


async def _told(settings: Settings, outcome: RollbackOutcome, attempts: list[Execution]) -> str:
    """What happened, from the record of the rollback in Postgres."""
    deciding = await deciding_execution(settings, outcome)
    if outcome.status != "applied":
        return f"{outcome.status}: {outcome.rejection}" if outcome.rejection else outcome.status
    ids = [each.execution_id for each in attempts]
    at = ids.index(deciding) + 1
    successes = sum(each.success for each in attempts[:at])
    current = next(v for v in await history_of(settings, outcome.tool_name, 50) if v.is_current)
    return (
        f"{outcome.tier} {outcome.reason} at attempt {at} "
        f"({successes} of {at} succeeded), back to version {current.version_number}"
    )
