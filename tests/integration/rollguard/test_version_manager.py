"""Version management against real workers: what each method does, and what it says where it fails.

The items that the seed lists as tested have its names. Those about automatic rollbacks are in
``test_whoever_polls_decides``.
"""

import asyncio
from collections.abc import AsyncIterator
from math import isnan
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from rollguard import DeploymentMonitor, ToolVersionManager
from rollguard.operations.overview.health import health_of
from rollguard.pins import pin
from schemas.deployment import AcceptedBreak, ToolVersion
from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.settings import load_settings
from tests.support.engines.managed_tools import ONE, TWO, record_each
from tests.support.servers.postgres import execute
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until


@pytest.fixture
def system(shared_system: System) -> System:
    """Return a running system; the pipeline and the seed's examples are tested on Apache Kafka."""
    return shared_system


@pytest_asyncio.fixture
async def manager(system: System) -> AsyncIterator[ToolVersionManager]:
    async with ToolVersionManager(settings=system.settings) as made:
        yield made


async def test_create_version(manager: ToolVersionManager, tool: str) -> None:
    first = await manager.create_version(tool, ONE)
    second = await manager.create_version(
        tool, TWO, "autonomous", "bug_fix", "slow", previous_version_id=first
    )
    current = await manager.get_current_version(tool)
    assert current is not None
    assert (current["version_id"], current["version_number"]) == (second, 2)
    assert (current["previous_version_id"], current["created_by"]) == (first, "autonomous")
    assert (current["improvement_type"], current["improvement_reason"]) == ("bug_fix", "slow")
    assert isnan(current["success_rate"])
    assert current["total_executions"] == 0
    assert await manager.create_version(tool, TWO) == second, "the same code: no new version"


async def test_get_current_version(manager: ToolVersionManager, tool: str) -> None:
    assert await manager.get_current_version(tool) is None
    created = await manager.create_version(tool, ONE)
    current = await manager.get_current_version(tool)
    assert current is not None
    assert (current["version_id"], current["code"], current["is_current"]) == (created, ONE, True)


async def test_get_version_history(manager: ToolVersionManager, tool: str) -> None:
    assert await manager.get_version_history(tool) == []
    ids = [await manager.create_version(tool, f"x = {number}\n") for number in range(5)]
    history = await manager.get_version_history(tool)
    assert [version["version_number"] for version in history] == [5, 4, 3, 2, 1]
    assert [version["version_id"] for version in history] == ids[::-1]
    assert len(await manager.get_version_history(tool, limit=2)) == 2


async def test_rollback_to_version(manager: ToolVersionManager, tool: str) -> None:
    ids = [await manager.create_version(tool, f"x = {number}\n") for number in range(3)]
    back = await manager.rollback_to_version(tool, ids[0], "Regression detected")
    assert back["success"]
    assert back["rolled_back_to_version"] == 1
    forward = await manager.rollback_to_version(tool, ids[2], "it was not that")
    assert forward["rolled_back_to_version"] == 3
    again = await manager.rollback_to_version(tool, ids[2], "twice")
    assert (again["success"], again["rejection"]) == (False, "already_current")
    assert str(ids[2]) in again["error"]
    unknown = await manager.rollback_to_version(tool, 999_999, "no such")
    assert unknown["error"] == f"{tool!r} has no version with the id 999999"


async def test_compare_versions(system: System, manager: ToolVersionManager, tool: str) -> None:
    one = await manager.create_version(tool, ONE)
    await record_each(system, tool, *[None] * 9, "ValueError: x", version_id=one)
    two = await manager.create_version(tool, TWO)
    await record_each(system, tool, None, version_id=two)
    found = await manager.compare_versions(tool, one, two)
    assert "-    return text\n+def execute(text, limit):\n" in found["code_diff"]
    assert found["is_breaking_change"]
    assert any("limit" in sentence for sentence in found["breaking_changes"])
    assert found["from_metrics"]["success_rate"] == 0.9
    assert found["to_metrics"]["total_executions"] == 1
    change = found["metrics_comparison"]
    assert change["success_rate_change"] == pytest.approx(0.1)
    low, high = change["confidence_interval"]
    assert low < 0.1 < high
    assert (change["from_executions"], change["to_executions"]) == (10, 1)
    back = await manager.compare_versions(tool, two, one)
    assert back["metrics_comparison"]["success_rate_change"] == pytest.approx(-0.1)
    assert back["metrics_comparison"]["confidence_interval"] == pytest.approx([-high, -low])
    for version in (one, two):
        same = await manager.compare_versions(tool, version, version)
        assert same["code_diff"] == ""
        assert same["findings"] == []
        assert same["metrics_comparison"]["success_rate_change"] == 0
    await manager.create_version(f"{tool} of somebody else", ONE)
    with pytest.raises(Rejected, match="somebody else' has no version with the id"):
        await manager.compare_versions(f"{tool} of somebody else", one, two)


async def test_breaking_change_detection(
    system: System, manager: ToolVersionManager, tool: str
) -> None:
    await manager.create_version(tool, ONE)
    await manager.create_version(tool, TWO)
    current = await manager.get_current_version(tool)
    assert current is not None
    assert current["is_breaking_change"]
    assert current["breaking_changes"]
    published = await system.first(
        system.topics.versions,
        lambda value: ToolVersion.from_bytes(value).version_id == current["version_id"],
    )
    version = ToolVersion.from_bytes(published.value)
    assert version.is_breaking_change
    assert version.breaking_changes == current["breaking_changes"]


async def test_no_breaking_change_same_signature(manager: ToolVersionManager, tool: str) -> None:
    await manager.create_version(tool, ONE)
    await manager.create_version(tool, "def execute(text):\n    return text + text\n")
    current = await manager.get_current_version(tool)
    assert current is not None
    assert not current["is_breaking_change"]
    assert current["breaking_changes"] == []


async def test_update_version_metrics(
    system: System, manager: ToolVersionManager, tool: str
) -> None:
    created = await manager.create_version(tool, ONE)
    await record_each(system, tool, None, None, "x", None)
    healthy = await manager.update_version_metrics(tool)
    assert not healthy["changed"]
    assert healthy["before"] == healthy["after"]
    assert healthy["after"]["success_rate"] == 0.75
    await system.query(
        "UPDATE tool_versions SET total_executions = 9, success_rate = 0.1 WHERE tool_name = $1",
        tool,
    )
    mended = await manager.update_version_metrics(tool, created)
    assert mended["changed"]
    assert mended["before"]["total_executions"] == 9
    assert mended["after"] == healthy["after"]
    with pytest.raises(Rejected, match="no version with the id 999999"):
        await manager.update_version_metrics(tool, 999_999)


async def test_code_that_does_not_parse_is_a_version(
    manager: ToolVersionManager, tool: str
) -> None:
    await manager.create_version(tool, ONE)
    await manager.create_version(tool, "def execute(text)\n    return text\n")
    current = await manager.get_current_version(tool)
    assert current is not None
    assert current["is_breaking_change"]
    assert "line 1" in current["breaking_changes"][0]
    assert "column" in current["breaking_changes"][0]


async def test_a_version_that_breaks_thousands_of_things(
    manager: ToolVersionManager, tool: str
) -> None:
    many = "".join(f"def function_{number}(text): ...\n" for number in range(10_000))
    await manager.create_version(tool, many)
    await manager.create_version(tool, many.replace("(text)", "(text, limit)"))
    current = await manager.get_current_version(tool)
    assert current is not None
    assert current["breaking_changes"][-1] == "There are 9800 more."


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tool_name": ""}, "tool_name"),
        ({"tool_name": "a\0b"}, "tool_name"),
        ({"tool_name": "a" * 256}, "tool_name"),
        ({"code": "x\0"}, "code"),
        ({"code": "#" * 524_289}, "code"),
        ({"created_by": "a robot"}, "created_by"),
        ({"improvement_type": "b" * 51}, "improvement_type"),
    ],
)
async def test_what_is_wrong_is_refused_at_once(
    manager: ToolVersionManager, fields: dict[str, Any], named: str, tool: str
) -> None:
    with pytest.raises(ValueError, match=named) as refused:
        await manager.create_version(**({"tool_name": tool, "code": ONE} | fields))
    assert isinstance(refused.value, Rejected)


async def test_a_previous_version_must_be_the_current_one(
    manager: ToolVersionManager, tool: str
) -> None:
    first = await manager.create_version(tool, ONE)
    await manager.create_version(tool, TWO, previous_version_id=first)
    with pytest.raises(ValueError, match="previous_version_id"):
        await manager.create_version(tool, "x = 3\n", previous_version_id=first)
    with pytest.raises(ValueError, match="the tool has none"):
        await manager.create_version("new", ONE, previous_version_id=first)


async def test_the_same_ids_again_change_nothing(manager: ToolVersionManager, tool: str) -> None:
    deployment_id, command_id = uuid4(), uuid4()
    first = await manager.create_version(tool, ONE, deployment_id=deployment_id)
    second = await manager.create_version(tool, TWO)
    assert await manager.create_version(tool, "other", deployment_id=deployment_id) == first
    back = await manager.rollback_to_version(tool, first, "x", command_id=command_id)
    await manager.rollback_to_version(tool, second, "forward")
    assert await manager.rollback_to_version(tool, first, "x", command_id=command_id) == back
    current = await manager.get_current_version(tool)
    assert current is not None
    assert current["version_id"] == second


async def test_a_rollback_for_a_reason_that_does_not_hold_is_a_persons(
    system: System, manager: ToolVersionManager, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    ids = [await manager.create_version(tool, f"x = {number}\n") for number in range(3)]
    await record_each(system, tool, "x", None, "x")
    for reason, target in (("consecutive_failures", ids[0]), ("success_rate_drop", ids[1])):
        done = await manager.rollback_to_version(tool, target, reason)
        assert (done["success"], done["tier"], done["reason"]) == (True, "manual", "manual")
    newest = (await manager.get_version_history(tool))[0]
    assert newest["trusted"]
    assert newest["rollbacks"][0]["issued_by"] == "somebody"
    assert newest["rollbacks"][0]["details"] == {"reason": "consecutive_failures"}


async def test_a_reason_that_only_the_detector_knows_is_asked_of_it(
    system: System, manager: ToolVersionManager, tool: str
) -> None:
    """Postgres does not hold what a drop is measured by. The pin stops the detector's command."""
    one = await manager.create_version(tool, ONE)
    await record_each(system, tool, *[None] * 10)
    await manager.create_version(tool, TWO)
    await pin(system.settings, tool, by="me", reason="I look at it", until=None)
    await record_each(system, tool, *["x", None] * 5)
    await system.activation_judged(tool, 2)

    async def has_dropped() -> bool:
        return bool((await health_of(system.settings, tool))["reason"] == "success_rate_drop")

    await until(has_dropped)
    done = await manager.rollback_to_version(tool, one, "success_rate_drop")
    assert (done["tier"], done["rejection"]) == ("standard", "pinned")


async def test_accepted_breaks_are_kept_and_shown(manager: ToolVersionManager, tool: str) -> None:
    one = await manager.create_version(tool, ONE)
    accepted = AcceptedBreak(object="execute", reason="all callers pass a limit")
    two = await manager.create_version(tool, TWO, accepted_breaks=[accepted])
    current = await manager.get_current_version(tool)
    assert current is not None
    assert current["accepted_breaks"][0]["reason"] == "all callers pass a limit"
    assert current["is_breaking_change"], "a fact stays a fact"
    found = await manager.compare_versions(tool, one, two)
    assert [each["accepted"] for each in found["findings"] if each["severity"] == "breaking"] == [
        "all callers pass a limit"
    ]


@pytest.mark.parametrize(
    "tool",
    ["naïve ünïcode", "工具", "🛠️ tool", 'it\'s "quoted"; --', "a/b\\c", "tab\tname", "%s {}"],
)
async def test_any_language_and_script(manager: ToolVersionManager, tool: str) -> None:
    code = f"# {tool!r} 🛡️ שלום\r\ndef execute(текст):\r\n    return 'é' + текст\r\n"
    one = await manager.create_version(tool, code, improvement_reason=tool)
    two = await manager.create_version(tool, code.replace("é", "ö"))
    current = await manager.get_current_version(tool)
    assert current is not None
    assert current["code"] == code.replace("é", "ö")
    found = await manager.compare_versions(tool, one, two)
    assert "-    return 'é' + текст\r\n+    return 'ö' + текст\r\n" in found["code_diff"]
    assert len(found["code_diff"].split("\n")) == 8
    assert (await manager.rollback_to_version(tool, one, tool))["success"]


class Registry:
    """An engine's own, and not async."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def reload(self, version: ToolVersion) -> None:
        self.told.append((version.tool_name, version.version_number))
        if version.version_number == 2:
            raise RuntimeError("cannot load it")


async def test_the_registry_is_told(system: System, tool: str) -> None:
    registry = Registry()
    async with ToolVersionManager(None, registry, settings=system.settings) as manager:
        one = await manager.create_version(tool, ONE)
        await manager.create_version(tool, TWO)
        await manager.rollback_to_version(tool, one, "x")
    assert registry.told == [(tool, 1), (tool, 2), (tool, 1)]


async def test_one_manager_in_two_event_loops(system: System, tool: str) -> None:
    manager = ToolVersionManager(settings=system.settings)

    async def use(code: str) -> int:
        try:
            created = await manager.create_version(tool, code)
            history = await manager.get_version_history(tool)
            await manager.compare_versions(tool, created, history[-1]["version_id"])
            return created
        finally:
            await manager.close()

    ids = [await asyncio.to_thread(asyncio.run, use(f"x = {number}\n")) for number in range(2)]
    ids.append(await use("x = 2\n"))
    at_once = await asyncio.gather(
        *(asyncio.to_thread(asyncio.run, use(f"x = {number}\n")) for number in (3, 4))
    )
    assert len({*ids, *at_once}) == 5


async def test_two_at_once(manager: ToolVersionManager, tool: str) -> None:
    """Deployments and rollbacks of one tool at once: some order, no gap, one current version."""
    first = await manager.create_version(tool, "x = 0\n")
    await asyncio.gather(
        *(manager.create_version(tool, f"x = {number}\n") for number in range(1, 8)),
        *(manager.rollback_to_version(tool, first, "back") for _ in range(4)),
    )
    history = await manager.get_version_history(tool)
    assert [version["version_number"] for version in history] == list(range(8, 0, -1))
    assert sum(version["is_current"] for version in history) == 1


async def test_the_monitor_beside_the_stream(
    system: System, manager: ToolVersionManager, tool: str
) -> None:
    await manager.create_version(tool, ONE)
    await record_each(system, tool, *[None] * 10)
    await system.activation_judged(tool, 1)
    monitor = DeploymentMonitor(version_manager=manager)

    async def seen() -> bool:
        return bool((await monitor.check_health(tool))["total_executions"] == 10)

    await until(seen)
    assert (await monitor.auto_rollback_if_needed(tool, "s"))["rollback_performed"] is False
    health = await monitor.check_health(tool, "s")
    assert (health["needs_rollback"], health["session_id"]) == (False, "s")
    assert (health["success_rate"], health["success_rate_drop"]) == (1.0, None)
    broken = await manager.create_version(tool, TWO)
    await record_each(system, tool, "x", "x", "x", version_id=broken)

    async def back() -> bool:
        await monitor.auto_rollback_if_needed(tool)
        current = await manager.get_current_version(tool)
        return current is not None and current["version_number"] == 1

    await until(back)
    history = await manager.get_version_history(tool)
    commands = history[0]["rollbacks"]
    assert [each["status"] for each in commands] == ["applied"], "once, whoever came first"


async def test_silence_names_the_part(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    nobody = await Workers.prepared(embedded_broker, database_dsn, topic_prefix, tmp_path)
    settings = nobody.settings.model_copy(update={"wait_s": 1.0})
    async with ToolVersionManager(settings) as manager:
        with pytest.raises(Retryable, match=r"applier: nothing in .* about 't' after 1 s"):
            await manager.create_version("t", ONE)
    nowhere = load_settings(postgres_dsn="postgresql://me@127.0.0.1:1/x")
    async with ToolVersionManager(nowhere) as manager:
        with pytest.raises(Retryable, match=r"Postgres: 127\.0\.0\.1:1/x"):
            await manager.get_current_version("t")
    await execute(database_dsn, "DROP TABLE schema_migrations")
    async with ToolVersionManager(settings) as manager:
        with pytest.raises(Misconfigured, match="rollguard migrate"):
            await manager.get_current_version("t")
