"""Automatic rollbacks without a detector: the manager and the monitor find the same decisions.

The items that the seed lists as tested have its names.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from rollguard import DeploymentMonitor, ToolVersionManager
from rollguard.client import EngineClient
from rollguard.pins import pin
from schemas.errors import Rejected, Retryable
from schemas.rollback import Mode, RollbackCommand, RollbackOutcome, automatic_command_id
from tests.support.engines.managed_tools import ONE, TWO, record_each
from tests.support.systems.system import System


@pytest.fixture
def unwatched(shared_without_detector: System) -> System:
    """Return a system in which whoever polls decides, because it has no detector."""
    return shared_without_detector


@pytest_asyncio.fixture
async def alone(unwatched: System) -> AsyncIterator[ToolVersionManager]:
    async with ToolVersionManager(unwatched.settings) as made:
        yield made


async def test_immediate_rollback_consecutive_failures(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    await alone.create_version(tool, ONE)
    assert await alone.check_immediate_rollback_needed(tool) == (False, None, {})
    good = await record_each(unwatched, tool, None)
    failed = await record_each(unwatched, tool, "x", "x", "x")
    needed, reason, details = await alone.check_immediate_rollback_needed(tool)
    assert (needed, reason) == (True, "consecutive_failures")
    assert details["recent"] == failed + good
    assert (details["executions"], details["failures"]) == (4, 3)


async def test_immediate_rollback_signature_change(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    await alone.create_version(tool, ONE)
    await record_each(unwatched, tool, "TypeError: a", None, "KeyError: 'TypeErrorCount'")
    assert not (await alone.check_immediate_rollback_needed(tool))[0]
    await record_each(unwatched, tool, "AttributeError('x')")
    needed, reason, _ = await alone.check_immediate_rollback_needed(tool)
    assert (needed, reason) == (True, "signature_change")


async def test_immediate_rollback_complete_failure(
    unwatched: System,
    alone: ToolVersionManager,
    tool: str,
) -> None:
    patient = unwatched.settings.rules.model_copy(update={"consecutive_failures": 10})
    settings = unwatched.settings.model_copy(update={"rules": patient})
    async with ToolVersionManager(settings) as manager:
        await manager.create_version(tool, ONE)
        await record_each(unwatched, tool, *["x"] * 5)
        needed, reason, _ = await manager.check_immediate_rollback_needed(tool)
    assert (needed, reason) == (True, "complete_failure")


async def test_no_rollback_trigger_mixed_results(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    await alone.create_version(tool, ONE)
    await record_each(unwatched, tool, *["x", None, "x", "x", None] * 3)
    assert await alone.check_immediate_rollback_needed(tool) == (False, None, {})


async def test_at_is_another_time_than_the_newest(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    await alone.create_version(tool, ONE)
    now = datetime.now(UTC)
    for age, error in ((120, None), (60, "x"), (50, "x"), (40, "x"), (5, None)):
        await record_each(unwatched, tool, error, executed_at=now - timedelta(seconds=age))
    assert not (await alone.check_immediate_rollback_needed(tool))[0]
    for at in (now - timedelta(seconds=30), (now - timedelta(seconds=30)).isoformat()):
        assert (await alone.check_immediate_rollback_needed(tool, at))[0]
    later = now - timedelta(seconds=10) + timedelta(seconds=300)
    assert not (await alone.check_immediate_rollback_needed(tool, later))[0]
    with pytest.raises(Rejected, match="at: a time needs an offset"):
        await alone.check_immediate_rollback_needed(tool, datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(Rejected, match="'unknown' has no versions"):
        await alone.check_immediate_rollback_needed("unknown")


async def test_now_is_the_time_of_the_clock(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    """As the seed has it: executions of the last five minutes, and a tool may be idle for hours."""
    await alone.create_version(tool, ONE)
    long_ago = datetime.now(UTC) - timedelta(seconds=301)
    await record_each(unwatched, tool, "x", "x", "x", executed_at=long_ago)
    assert await alone.check_immediate_rollback_needed(tool) == (False, None, {})
    assert (await alone.check_immediate_rollback_needed(tool, long_ago))[0]
    await record_each(unwatched, tool, "x", "x", "x")
    assert (await alone.check_immediate_rollback_needed(tool))[0]


async def test_a_rollback_for_a_reason_that_holds_is_the_machines(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    ids = [await alone.create_version(tool, f"x = {number}\n") for number in range(3)]
    await record_each(unwatched, tool, "TypeError: a", "TypeError: b", "x")
    assert (await alone.check_immediate_rollback_needed(tool))[1] == "consecutive_failures"
    done = await alone.rollback_to_version(tool, ids[0], "signature_change", issued_by="my loop")
    assert (done["success"], done["to_version_id"]) == (True, ids[0]), "the version that was named"
    assert (done["tier"], done["reason"]) == ("immediate", "signature_change"), "another one holds"
    assert done["command_id"] == automatic_command_id(tool, ids[2], 3, 1)
    newest = (await alone.get_version_history(tool))[0]
    assert newest["trusted"] is False
    assert newest["rollbacks"][0]["issued_by"] == "my loop"


async def test_a_pin_stops_a_rollback_for_a_reason_that_holds(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    one = await alone.create_version(tool, ONE)
    await alone.create_version(tool, TWO)
    await record_each(unwatched, tool, "x", "x", "x")
    await pin(unwatched.settings, tool, by="me", reason="I look at it", until=None)
    done = await alone.rollback_to_version(tool, one, "consecutive_failures")
    assert (done["success"], done["rejection"]) == (False, "pinned")
    assert (await alone.rollback_to_version(tool, one, "it is broken"))["success"], "a person may"


async def test_the_monitor_issues_the_detectors_command(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    await alone.create_version(tool, ONE)
    broken = await alone.create_version(tool, TWO)
    failed = await record_each(unwatched, tool, "x", "x", "x", version_id=broken)
    monitor = DeploymentMonitor(version_manager=alone)
    done = await monitor.auto_rollback_if_needed(tool, "session-1")
    assert (done["rollback_performed"], done["type"]) == (True, "fast")
    assert (done["tier"], done["reason"]) == ("immediate", "consecutive_failures")
    assert done["details"]["recent"] == failed
    assert done["rolled_back_to_version"] == 1
    assert done["command_id"] == automatic_command_id(tool, broken, 2, 1)
    with pytest.raises(Retryable, match="detector"):
        await monitor.auto_rollback_if_needed(tool, "session-1")


async def test_the_monitor_is_not_stopped_by_whoever_used_its_id_first(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    await alone.create_version(tool, ONE)
    broken = await alone.create_version(tool, TWO)
    command_id = automatic_command_id(tool, broken, 2, 1)
    async with EngineClient(unwatched.settings) as attacker:
        for victim in (tool, f"not {tool}"):
            used = await attacker.rollback(victim, 2**31 - 1, "", command_id=command_id)
            assert used.rejection == "unknown_version"
    await record_each(unwatched, tool, "x", "x", "x", version_id=broken)
    done = await DeploymentMonitor(version_manager=alone).auto_rollback_if_needed(tool, "s")
    assert (done["rollback_performed"], done["command_id"]) == (True, command_id)


async def test_the_monitor_tells_of_a_command_that_was_rejected(
    unwatched: System, alone: ToolVersionManager, tool: str
) -> None:
    only = await alone.create_version(tool, ONE)
    await record_each(unwatched, tool, "x", "x", "x")
    monitor = DeploymentMonitor(version_manager=alone)
    for _ in range(2):
        done = await monitor.auto_rollback_if_needed(tool)
        assert (done["rollback_performed"], done["rejection"]) == (False, "no_previous_version")
        assert done["command_id"] == automatic_command_id(tool, only, 1, 1)


@pytest.mark.parametrize(
    ("mode", "status", "error"),
    [("hold", "held", "waits for a person"), ("observe", "observed", "only observed")],
)
async def test_the_monitor_tells_of_a_command_that_is_not_carried_out(
    unwatched: System,
    alone: ToolVersionManager,
    mode: Mode,
    status: str,
    error: str,
    tool: str,
) -> None:
    await alone.create_version(tool, ONE)
    broken = await alone.create_version(tool, TWO)
    await record_each(unwatched, tool, "x", "x", "x")
    order = RollbackCommand(
        command_id=automatic_command_id(tool, broken, 2, 1),
        tool_name=tool,
        from_version_id=broken,
        from_activation=2,
        tier="immediate",
        reason="consecutive_failures",
        mode=mode,
        issued_by="detector",
        issued_at=datetime.now(UTC),
    )
    await unwatched.send(unwatched.topics.commands, tool, order)
    await unwatched.first(
        unwatched.topics.outcomes,
        lambda value: RollbackOutcome.from_bytes(value).command_id == order.command_id,
    )
    done = await DeploymentMonitor(version_manager=alone).auto_rollback_if_needed(tool)
    assert (done["rollback_performed"], done["status"]) == (False, status)
    assert error in done["error"]
    assert (done["rolled_back_to_version"], done["rejection"]) == (None, None)
    assert done["command_id"] == order.command_id
