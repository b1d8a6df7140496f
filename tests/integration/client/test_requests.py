"""Deployments, rollbacks and what is said of them, with the real applier."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rollguard_client import (
    DeploymentOutcome,
    Misconfigured,
    Rejected,
    Retryable,
    RollbackOutcome,
    Rollguard,
    ToolVersion,
)
from rollguard_client.registry.swaps import Swap
from rollguard_client.registry.versions import is_genuine
from tests.support.systems.system import System


def guard_of(system: System, **values: Any) -> Rollguard:
    given: dict[str, Any] = {
        "kafka_brokers": system.settings.kafka_brokers,
        "topic_prefix": system.settings.topic_prefix,
        "fetch_wait_ms": 50,
    }
    return Rollguard(**given | values)


async def test_deploy_and_roll_back(shared_without_detector: System, tool: str) -> None:
    """What is refused or rejected is in the outcome."""
    with guard_of(shared_without_detector) as guard:
        first = await guard.deploy(tool, "x = 1\n")
        deployment_id = uuid4()
        second = await guard.deploy(tool, "y = 1\n", deployment_id=deployment_id)
        assert (first.status, second.status) == ("created", "created")
        assert (second.version_number, second.is_breaking_change) == (2, True)
        assert second.breaking_changes
        assert await guard.deploy(tool, "y = 1\n", deployment_id=deployment_id) == second
        assert (await guard.deploy(tool, "y = 1\n")).status == "unchanged"
        assert first.version_id is not None
        back = await guard.rollback(tool, first.version_id, "it is\0 better", issued_by="ann")
        assert (back.status, back.to_version_id, back.tier) == (
            "applied",
            first.version_id,
            "manual",
        )
        again = await guard.rollback(tool, first.version_id, "once more")
        assert (again.status, again.rejection) == ("rejected", "already_current")


async def test_a_swap_is_told_with_the_outcome_that_it_rests_on(
    shared_without_detector: System, tool: str, tmp_path: Path
) -> None:
    """The applier publishes the version first, and then the outcome."""
    loop, told = asyncio.get_running_loop(), asyncio.Queue[Swap]()
    with guard_of(shared_without_detector, data_dir=tmp_path) as guard:

        @guard.registry.on_swap
        def tell(swap: Swap) -> None:
            loop.call_soon_threadsafe(told.put_nowait, swap)

        @guard.managed(tool)
        async def call() -> int:
            raise NotImplementedError

        first = await guard.deploy(tool, "def execute(): return 1\n")
        assert await call() == 1
        second = await guard.deploy(tool, "def execute(): return 2\n")
        deployed = await asyncio.wait_for(told.get(), 120)
        assert first.version_id is not None
        back = await guard.rollback(tool, first.version_id, "it was better", issued_by="ann")
        rolled_back = await asyncio.wait_for(told.get(), 120)
        numbers = [
            (each.old.version.version_number, each.new.version.version_number)
            for each in (deployed, rolled_back)
        ]
        assert numbers == [(1, 2), (2, 1)]
        assert (deployed.outcome, rolled_back.outcome) == (second, back)
        assert await call() == 1


async def test_the_same_without_await(shared_without_detector: System, tool: str) -> None:
    def work() -> None:
        with guard_of(shared_without_detector) as guard:
            first = guard.blocking.deploy(tool, "x = 1\n", created_by="autonomous")
            guard.blocking.deploy(tool, "x = 2\n")
            assert first.version_id is not None
            with guard.blocking.follow(RollbackOutcome) as said:
                outcome = guard.blocking.rollback(tool, first.version_id, "why")
                assert next(each for each in said if each.tool_name == tool) == outcome

    await asyncio.to_thread(work)


async def test_what_is_said_is_followed(shared_without_detector: System, tool: str) -> None:
    with guard_of(shared_without_detector) as guard:
        async with guard.follow(ToolVersion, DeploymentOutcome) as said:
            outcome = await guard.deploy(tool, "x = 1\n")
            found = [await said.__anext__(), await said.__anext__()]
        version = next(each for each in found if isinstance(each, ToolVersion))
        assert outcome in found
        assert (version.code, is_genuine(version)) == ("x = 1\n", True)
        assert version.activated_by.id == outcome.deployment_id


async def test_wrong_arguments_are_named(shared_without_detector: System) -> None:
    with guard_of(shared_without_detector, max_code_bytes=3) as guard:
        with pytest.raises(Rejected, match="tool_name"):
            await guard.deploy("", "x")
        with pytest.raises(Rejected, match="code: 4 bytes, more than 3"):
            await guard.deploy("t", "x=12")
        with pytest.raises(Rejected, match="code: cannot be written as UTF-8"):
            await guard.deploy("t", "\ud800")
        with pytest.raises(Rejected, match="to_version_id"):
            await guard.rollback("t", 0, "why")
        with pytest.raises(Misconfigured, match="is not among DeploymentOutcome, Rollback"):
            guard.follow()
    with pytest.raises(Misconfigured, match="closed"):
        await guard.deploy("t", "x")


async def test_who_does_not_answer_is_named(shared_without_detector: System, tool: str) -> None:
    system = shared_without_detector
    with guard_of(system, topic_prefix="other-") as guard:
        missing = asyncio.ensure_future(guard.deploy(tool, "x"))
        with pytest.raises(Misconfigured, match=r"a topic is missing at .* .prefix 'other-'"):
            await missing
    with Rollguard(kafka_brokers="127.0.0.1:1") as guard:
        away = asyncio.ensure_future(guard.deploy(tool, "x"))
        with pytest.raises(Retryable, match=r"Kafka: 127\.0\.0\.1:1 does not answer"):
            await away
    with guard_of(system, wait_s=0.001) as guard:
        late = asyncio.ensure_future(guard.rollback(tool, 1, "too soon"))
        with pytest.raises(Retryable) as raised:
            await late
        assert raised.value.part in ("applier", "Kafka")
