"""Workers that wait for Kafka or Postgres are alive and not ready."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from rollguard.embedded.ports import free_port
from streams.topics import group_of
from tests.support.inputs.messages import deployment, execution
from tests.support.servers.kafka import APACHE, running_broker
from tests.support.servers.proxy import proxy_to_postgres
from tests.support.systems.system import System
from tests.support.waiting import until

ROLES = ("detector", "applier", "recorder")


async def test_a_worker_that_waits_for_kafka_at_its_start_is_alive_and_not_ready(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        nobody = f"127.0.0.1:{free_port()}"
        for role in ("detector", "recorder"):
            await system.spawn(role, ROLLGUARD_KAFKA_BROKERS=nobody)

            async def waits(role: str = role) -> bool:
                return bool((await system.page(role, "/healthz"))[1].get("reasons"))

            await until(waits)
            status, body = await system.page(role, "/healthz")
            assert (status, body["alive"]) == (200, True)
            assert "… does not answer" in body["reasons"][0]  # the log says which address
            assert nobody in system.log(role)
            status, body = await system.page(role, "/readyz")
            assert status == 503
            assert body["reasons"][0].startswith("waits for Kafka")
            assert body["reasons"][1] == "starting"


@pytest.mark.kafka
@pytest.mark.timeout(510)
async def test_workers_stay_alive_while_kafka_is_away(
    database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    port = free_port()
    brokers = f"127.0.0.1:{port}"
    command = [str(APACHE), str(tmp_path / "kafka"), str(port), str(free_port())]
    async with AsyncExitStack() as stack:
        with running_broker(command, brokers):
            started = System.started(brokers, database_dsn, topic_prefix, tmp_path, ROLES)
            system = await stack.enter_async_context(started)
            await system.all_ready()
            await system.deploy("parser", "a")
        for role in ROLES:

            async def is_away(role: str = role) -> bool:
                return (await system.page(role, "/readyz"))[0] == 503

            await until(is_away)
        end = time.monotonic() + 40
        while time.monotonic() < end:
            for role in ROLES:
                status, body = await system.page(role, "/healthz")
                assert (status, body["alive"]) == (200, True)
                status, body = await system.page(role, "/readyz")
                assert status == 503
                assert "waits for Kafka" in body["reasons"][0]
            await asyncio.sleep(0.5)
        with running_broker(command, brokers):
            await system.all_ready()
            assert (await system.deploy("parser", "b")).version_number == 2
            assert [worker.returncode for worker in system.running] == [None, None, None]
            await stack.aclose()


async def members(system: System, role: str) -> set[str]:
    """Return the ids of the members of a role's group, which the broker has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(system.settings.kafka_brokers))
    await admin.start()
    try:
        [response] = await admin.describe_consumer_groups([group_of(system.settings, role)])
    finally:
        await admin.close()
    [(_, _, state, _, _, found, *_)] = response.groups
    assert state == "Stable"
    return {member[0] for member in found}


@pytest.mark.kafka
@pytest.mark.timeout(540)
async def test_workers_stay_in_the_group_while_postgres_is_away_for_long(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Postgres is away for longer than the poll interval, and the backlog overfills the buffers."""
    poll_interval_s = 5
    roles = ("applier", "recorder")
    async with (
        proxy_to_postgres(database_dsn) as (proxy, dsn),
        System.started(
            apache_kafka,
            dsn,
            topic_prefix,
            tmp_path,
            roles,
            ROLLGUARD_MAX_POLL_INTERVAL_S=str(poll_interval_s),
            ROLLGUARD_MAX_POLL_RECORDS="1",
        ) as system,
    ):
        await system.all_ready(*roles)
        await system.deploy("parser", "a")
        before = {role: await members(system, role) for role in roles}
        proxy.shut()
        for role in roles:  # they must notice although they have no records to handle

            async def is_away(role: str = role) -> bool:
                return (await system.page(role, "/readyz"))[0] == 503

            await until(is_away)
        request = deployment("parser", "b")
        await system.send(system.topics.deployments, "parser", request)
        await system.run(*(execution(f"tool-{number % 8}") for number in range(400)))
        end = time.monotonic() + 4 * poll_interval_s
        while time.monotonic() < end:
            for role in roles:
                status, body = await system.page(role, "/healthz")
                assert (status, body["alive"]) == (200, True)
                status, body = await system.page(role, "/readyz")
                assert status == 503
                assert "waits for Postgres" in body["reasons"][0]
            await asyncio.sleep(0.5)
        assert {role: await members(system, role) for role in roles} == before
        await proxy.open()
        assert (await system.outcome_of(request)).version_number == 2
        for number in range(8):
            await system.executions_recorded(f"tool-{number}", 50)
        await system.all_ready(*roles)
        assert {role: await members(system, role) for role in roles} == before
        assert [worker.returncode for worker in system.running] == [None, None]
