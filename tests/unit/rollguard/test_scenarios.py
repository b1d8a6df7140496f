"""The demo's scenarios, folded without a broker: each is decided by the attempt that it names."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from policy.decision.fold import commands_of_log
from rollguard.demo.scenarios import SCENARIOS, Attempt, Scenario
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.rules.rules import Rules

DEPLOYED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def activation(number: int, at: datetime) -> Activation:
    return Activation(
        tool_name="t",
        version_id=number,
        version_number=number,
        code_hash="0" * 64,
        activation=number,
        activated_at=at,
        activated_by=ActivatedBy(kind="deployment", id=uuid4()),
    )


def execution(attempt: Attempt) -> Execution:
    return Execution(
        execution_id=uuid4(),
        tool_name="t",
        success=attempt.error is None,
        error=attempt.error,
        executed_at=DEPLOYED_AT + timedelta(minutes=attempt.minutes),
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_is_decided_by_the_attempt_that_it_names(scenario: Scenario) -> None:
    attempts = [execution(attempt) for attempt in scenario.attempts]
    log: list[Activation | Execution] = [
        activation(1, DEPLOYED_AT - timedelta(days=1)),
        *map(execution, scenario.predecessor),
        activation(2, DEPLOYED_AT),
        *attempts,
    ]
    arrival = int((DEPLOYED_AT + timedelta(days=1)).timestamp() * 1000)
    commands = commands_of_log(
        [(offset, arrival, entry) for offset, entry in enumerate(log)], Rules()
    )
    assert len(commands) == 1
    assert (commands[0].tier, commands[0].reason) == (scenario.tier, scenario.reason)
    assert commands[0].details["recent"][0] == str(attempts[scenario.decides - 1].execution_id)


def test_scenario_4_is_decided_at_18_of_30() -> None:
    attempts = SCENARIOS[-1].attempts
    assert (len(attempts), sum(attempt.error is None for attempt in attempts)) == (30, 18)
