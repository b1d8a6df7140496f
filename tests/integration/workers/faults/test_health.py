"""The health of workers that make progress, and of workers that are stuck."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from rollguard.embedded.ports import free_port
from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import until

ROLES = ("detector", "applier", "recorder")
STUCK_WORKER = "tests.support.systems.stuck_worker"


async def test_each_role_is_alive_and_ready(system: System) -> None:
    await system.all_ready()
    await system.deploy("parser", "a")
    await system.run(execution("parser"), execution("parser"))
    await system.executions_recorded("parser", 2)
    for role in ROLES:
        alive = await system.page(role, "/healthz")
        assert alive == (200, {"role": role, "alive": True, "reasons": []})
        ready = await system.page(role, "/readyz")
        assert ready == (200, {"role": role, "ready": True, "reasons": []})


@pytest.mark.kafka
@pytest.mark.timeout(450)
async def test_a_stuck_consumer_is_unhealthy_within_60_s(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """The recorder's handler hangs, the detector fetches nothing, and the applier works."""
    async with System.started(
        apache_kafka, database_dsn, topic_prefix, tmp_path, ("applier",)
    ) as system:
        stuck = {"detector": "fetch", "recorder": "handler"}
        for role, where in stuck.items():
            await system.spawn(role, module=STUCK_WORKER, STUCK=where)
        await system.all_ready()
        sent = time.monotonic()
        await system.run(*(execution(f"tool-{number}") for number in range(20)))
        seen: dict[str, float] = {}
        reasons: dict[str, Any] = {}
        while len(seen) < len(stuck) and time.monotonic() < sent + 70:
            for role in stuck:
                status, body = await system.page(role, "/healthz")
                if status == 503 and role not in seen:
                    seen[role], reasons[role] = time.monotonic() - sent, body["reasons"]
            assert (await system.page("applier", "/healthz"))[0] == 200
            await asyncio.sleep(0.5)
        print(f"unhealthy after {seen}: {reasons}")
        assert seen.keys() == stuck.keys(), seen
        assert all(25 < seconds < 60 for seconds in seen.values()), seen
        assert all("nothing committed for" in texts[0] for texts in reasons.values())
        for role in stuck:
            assert (await system.page(role, "/readyz"))[0] == 503
        for worker in system.running[1:]:
            worker.kill()  # a stuck worker would stop only after a time limit
        system.running[1:] = []


@pytest.mark.kafka
@pytest.mark.timeout(450)
async def test_a_worker_that_lost_its_partitions_without_noticing_is_unhealthy(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Its consumer's thread hangs, so another worker gets its partitions and commits for them."""
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        stuck = await system.spawn("recorder", module=STUCK_WORKER, STUCK="thread")
        await system.all_ready("recorder")
        begin = time.monotonic()
        await system.run(*(execution(f"tool-{number}") for number in range(20)))
        system.ports["second"] = free_port()
        await system.spawn("recorder", ROLLGUARD_WEB_PORT=str(system.ports["second"]))
        for number in range(20):
            await system.executions_recorded(f"tool-{number}", 1)

        async def is_unhealthy() -> bool:
            return (await system.page("recorder", "/healthz"))[0] == 503

        await until(is_unhealthy, 60)
        print(f"unhealthy after {time.monotonic() - begin:.0f} s")
        await system.all_ready("second")
        assert (await system.page("second", "/healthz"))[0] == 200
        stuck.kill()
        system.running.remove(stuck)
