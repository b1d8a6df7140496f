"""Playing one of the four scenarios on a running system."""

import time
from datetime import datetime, timedelta
from uuid import uuid4

from rollguard.client import EngineClient
from rollguard.demo.results import DemoResult
from rollguard.demo.rollback_outcomes import RollbackOutcomes, deciding_execution
from rollguard.demo.scenarios import Attempt, Scenario
from rollguard.operations.versions import current_of
from schemas.execution import Execution
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings


async def play_scenario(
    scenario: Scenario,
    client: EngineClient,
    outcomes: RollbackOutcomes,
    settings: Settings,
    end: datetime,
) -> DemoResult:
    """Deploy the scenario's versions, publish its attempts, and say what happened.

    All times are moved so that the last attempt is before ``end``.
    """
    start = end - timedelta(minutes=max(attempt.minutes for attempt in scenario.attempts) + 1)
    tool = scenario.tool
    good = await _deploy_predecessors(scenario, client, start)
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
    await client.publish_executions(attempts[: scenario.decides - 1])
    sent = time.perf_counter()
    await client.publish_execution(attempts[scenario.decides - 1])
    answer = await outcomes.of(tool)
    await client.publish_executions(attempts[scenario.decides :])
    expected = _decision_text(scenario.tier, scenario.reason, attempts[: scenario.decides])
    expected += f", back to v{scenario.version - 1}"
    if answer is None:
        return DemoResult(scenario.title, expected, "no rollback", None)
    happened = await _happened(settings, answer.outcome, attempts)
    return DemoResult(scenario.title, expected, happened, answer.read_at - sent)


async def _deploy_predecessors(
    scenario: Scenario, client: EngineClient, start: datetime
) -> int | None:
    """Deploy the versions before the one that breaks; return the id of the last of them."""
    version_id = None
    for number in range(1, scenario.version):
        deployed = await client.deploy(
            scenario.tool,
            f"def execute(text):\n    return len(text) + {number}\n",
            deployed_at=start - timedelta(days=1) + timedelta(minutes=number),
        )
        version_id = deployed.version_id
    return version_id


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


async def _happened(settings: Settings, outcome: RollbackOutcome, attempts: list[Execution]) -> str:
    """Say what happened, from the rollback's row in Postgres."""
    if outcome.status != "applied":
        return f"{outcome.status}: {outcome.rejection}" if outcome.rejection else outcome.status
    deciding = await deciding_execution(settings, outcome)
    ids = [each.execution_id for each in attempts]
    until_decided = attempts[: ids.index(deciding) + 1]
    current = await current_of(settings, outcome.tool_name)
    decision = _decision_text(outcome.tier, outcome.reason, until_decided)
    return f"{decision}, back to v{current.record.version_number}"


def _decision_text(tier: str, reason: str, until_decided: list[Execution]) -> str:
    """Say which rule decided at the last of these attempts."""
    successes = sum(each.success for each in until_decided)
    count = len(until_decided)
    return f"{tier} {reason} at attempt {count} ({successes} of {count} succeeded)"
