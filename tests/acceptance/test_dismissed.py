"""A dismissed rollback under policy `guarded`: what is new is decided at once, the rest waits."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.execution import Execution
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

BEGIN = datetime.now(UTC) - timedelta(hours=1)


def at(second: int, error: str | None) -> Execution:
    return execution("parser", error, executed_at=BEGIN + timedelta(seconds=second))


async def check(system: System) -> dict[str, Any]:
    answer = await rollguard("check", "parser", "--json", env=system.environment())
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


async def statuses(system: System, count: int) -> Sequence[tuple[str, str]]:
    """Return status and reason of the rollbacks, the oldest first, when there are so many."""
    sql = "SELECT status, reason FROM rollbacks ORDER BY issued_at"

    async def are_there() -> bool:
        return len(await system.query(sql)) == count

    await until(are_there)
    return [(row["status"], row["reason"]) for row in await system.query(sql)]


@pytest.mark.timeout(360)
async def test_a_dismissal_is_not_forgiveness(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Half of the executions fail, a person dismisses that, and then all of them fail."""
    async with System.started(
        *(kafka, database_dsn, topic_prefix, tmp_path, ("detector", "applier")),
        ROLLGUARD_POLICY="guarded",
        ROLLGUARD_HOLD="success_rate_drop,regression",
    ) as system:
        env = system.environment(ROLLGUARD_POLICY="guarded")
        await system.deploy("parser", "old", deployed_at=BEGIN)
        await system.run(*(at(second, None) for second in range(1, 41)))
        await system.deploy("parser", "new", deployed_at=BEGIN + timedelta(seconds=50))
        half = (None, "ValueError: no") * 3  # the sixth is the one that condemns
        await system.run(*(at(60 + second, error) for second, error in enumerate(half)))
        assert await statuses(system, 1) == [("held", "regression")]
        [held] = await system.query("SELECT command_id FROM rollbacks")
        await system.condemned("parser")
        assert (await check(system))["waits_for"].startswith("held: a person's answer to command")

        dismissed = await rollguard(
            "dismiss", str(held["command_id"]), "--reason", "a test", "--by", "ann", env=env
        )
        assert dismissed.code == 0, dismissed.err
        await system.run(at(90, None), at(91, "ValueError: no"))

        async def waits_for_something_new() -> bool:
            waits_for = (await check(system))["waits_for"]
            return bool(waits_for.startswith("dismissed by ann: a new command when"))

        await until(waits_for_something_new)
        assert await statuses(system, 1) == [("rejected", "regression")]

        await system.run(*(at(100 + second, "ValueError: no") for second in range(3)))
        assert (await statuses(system, 2))[1] == ("applied", "consecutive_failures")
        await system.activation_judged("parser", 3)
        assert (await check(system)).keys() == {"needs_rollback", "tier", "reason", "details"}
