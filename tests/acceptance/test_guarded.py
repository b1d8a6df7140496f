"""Policy `guarded` with real workers: chance failures roll nothing back, a broken version does."""

import json
from pathlib import Path

import pytest

from rollguard import ToolVersionManager
from rollguard.client import DeploymentRefused
from rollguard.pins import pin
from schemas.errors import Rejected
from schemas.rollback import RollbackCommand, RollbackOutcome
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

ERROR = "ValueError: no"


async def test_a_rollback_needs_evidence(guarded: System, tool: str) -> None:
    await guarded.deploy(tool, "good = 1")
    lifetime = [ERROR if number % 10 == 9 else None for number in range(100)]
    await guarded.run(*(execution(tool, error) for error in lifetime))
    await guarded.deploy(tool, "good = 2", created_by="autonomous")

    three_in_a_row = [*lifetime[:57], ERROR, ERROR, ERROR, None]
    await guarded.run(*(execution(tool, error) for error in three_in_a_row))
    broken = [execution(tool, ERROR) for _ in range(12)]
    await guarded.run(*broken)

    [record] = await guarded.records(guarded.topics.commands, 1, tool)
    command = RollbackCommand.from_bytes(record.value)
    evidence = command.details["evidence"]
    seen = evidence["seen"]
    assert command.details["recent"][0] in [str(run.execution_id) for run in broken]
    assert seen["failures"] > sum(error is not None for error in three_in_a_row)
    assert (evidence["baseline"]["executions"], evidence["baseline"]["failures"]) == (100, 10)
    assert evidence["odds"] >= evidence["limit"]

    async def rolled_back() -> bool:
        sql = "SELECT FROM rollbacks WHERE tool_name = $1 AND status = 'applied'"
        return bool(await guarded.query(sql, tool))

    await until(rolled_back)
    await _check_says_what_the_policy_says(guarded, f"{tool}-pinned")
    words = ("explain", str(command.command_id), "--json")
    result = json.loads((await rollguard(*words, env=guarded.environment())).out)["evidence"]
    assert "(90 of 100" in result
    assert result.endswith(" to 1 against") or result.endswith(" is a break")


async def _check_says_what_the_policy_says(guarded: System, tool: str) -> None:
    """Ask about a tool with a pin, whose broken version stays, so that its evidence stays too."""
    await guarded.deploy(tool, "good = 1")
    await pin(guarded.settings, tool, by="me", reason="I look at it", until=None)
    await guarded.activation_judged(tool, 1)
    settings = guarded.settings
    rules = settings.rules.model_copy(update={"policy": "guarded"})
    async with ToolVersionManager(settings.model_copy(update={"rules": rules})) as manager:
        assert await manager.check_immediate_rollback_needed(tool) == (False, None, {})
        await guarded.run(*(execution(tool, ERROR) for _ in range(20)))

        async def is_needed() -> bool:
            return (await manager.check_immediate_rollback_needed(tool))[0]

        await until(is_needed)
        _, reason, details = await manager.check_immediate_rollback_needed(tool)
        assert reason == "consecutive_failures"
        assert details["evidence"]["odds"] > details["evidence"]["limit"]
        with pytest.raises(Rejected, match="at: policy guarded"):
            await manager.check_immediate_rollback_needed(tool, "2026-01-01T00:00:00Z")


ONE = "def execute(text):\n    return text\n"
TWO = "def execute(text, limit):\n    return text[:limit]\n"


async def test_the_reasons_of_a_target_and_of_a_refusal_are_shown(
    guarded: System, tool: str, tmp_path: Path
) -> None:
    """Roll version 3 back, then deploy its code again, by a machine and by a person.

    Version 1 has enough successes to be the target, version 2 was never run.
    """
    await guarded.deploy(tool, ONE)
    await guarded.run(*(execution(tool) for _ in range(40)))
    await guarded.deploy(tool, ONE + "# 2\n", created_by="autonomous")
    await guarded.deploy(tool, TWO, created_by="autonomous")
    await guarded.executions_recorded(tool, 40)
    await guarded.run(*(execution(tool, ERROR) for _ in range(12)))
    [record] = await guarded.records(guarded.topics.outcomes, 1, tool)
    outcome = RollbackOutcome.from_bytes(record.value)
    assert (outcome.status, outcome.to_version_number, outcome.target) == (
        *("applied", 1),
        "earned",
    )
    assert outcome.is_breaking_change
    assert outcome.breaking_changes
    assert "limit" in outcome.breaking_changes[0]

    env = guarded.environment(ROLLGUARD_POLICY="guarded")
    result = (await rollguard("explain", str(outcome.command_id), env=env)).out
    assert "the nearest that was surely better than what it replaces" in result
    assert outcome.breaking_changes[0] in result
    assert "breaks calls" in (await rollguard("rollbacks", "--tool", tool, env=env)).out

    await guarded.executions_recorded(tool, 52)
    file = tmp_path / "again.py"
    file.write_text(TWO)
    by_machine = await rollguard("deploy", tool, str(file), "--by", "autonomous", env=env)
    assert (by_machine.code, by_machine.out) == (1, "")
    assert "refused: identical_to_rolled_back" in by_machine.err
    assert outcome.reason in by_machine.err
    assert f"it failed with {ERROR};" in by_machine.err
    assert f"rollguard explain {outcome.command_id}" in by_machine.err
    with pytest.raises(DeploymentRefused, match=ERROR) as refused:
        async with ToolVersionManager(settings=guarded.settings) as manager:
            await manager.create_version(tool, TWO, created_by="autonomous")
    told = refused.value.outcome.rolled_back
    assert told is not None
    assert (told.command_id, told.errors) == (outcome.command_id, [ERROR])
    assert (await rollguard("deploy", tool, str(file), env=env)).code == 0
