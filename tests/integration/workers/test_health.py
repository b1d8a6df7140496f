"""What workers say of themselves: alive, ready, and to whom."""

import asyncio
import json
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from rollguard.embedded.stack import free_port
from rollguard.operations import reads
from schemas.errors import Misconfigured, Rejected
from streams.offsets import GroupOffsets, Offsets
from streams.topics import group_of
from tests.support.kafka import APACHE, running_broker
from tests.support.proxy import proxy_to_postgres
from tests.support.system import System, execution, until

ROLES = ("detector", "applier", "recorder")
TOKEN = "one-token-for-all"


async def is_ready(system: System, role: str) -> bool:
    return (await system.page(role, "/readyz"))[0] == 200


async def all_ready(system: System, *roles: str) -> None:
    for role in roles or ROLES:

        async def ready(role: str = role) -> bool:
            return await is_ready(system, role)

        with suppress(TimeoutError):
            await until(ready)
        assert await is_ready(system, role), (role, await system.page(role, "/readyz"))


async def test_each_role_is_alive_and_ready(system: System) -> None:
    await all_ready(system)
    await system.deploy("parser", "a")
    await system.run(execution("parser"), execution("parser"))
    await system.executions_recorded("parser", 2)
    for role in ROLES:
        alive = await system.page(role, "/healthz")
        assert alive == (200, {"role": role, "alive": True, "reasons": []})
        ready = await system.page(role, "/readyz")
        assert ready == (200, {"role": role, "ready": True, "reasons": []})


async def test_who_waits_for_kafka_at_the_start_is_alive_and_not_ready(
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
            assert f"Kafka: {nobody}" in body["reasons"][0] or nobody in body["reasons"][0]
            status, body = await system.page(role, "/readyz")
            assert status == 503
            assert body["reasons"][0].startswith("waits for Kafka")
            assert body["reasons"][1] == "starting"


@pytest.mark.kafka
@pytest.mark.timeout(150)
async def test_a_stuck_consumer_is_unhealthy_within_60_s(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """One whose handler hangs and one whose consumer stops to fetch; a third is well."""
    async with System.started(
        apache_kafka, database_dsn, topic_prefix, tmp_path, ("applier",)
    ) as system:
        stuck = {"detector": "fetch", "recorder": "handler"}
        for role, where in stuck.items():
            await system.spawn(role, module="tests.support.stuck_worker", STUCK=where)
        await all_ready(system)
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
        for worker in system.workers[1:]:
            worker.kill()  # they would have to be waited for
        system.workers[1:] = []


@pytest.mark.kafka
@pytest.mark.timeout(150)
async def test_who_lost_its_partitions_and_did_not_notice_is_unhealthy(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Its consumer's thread hangs; another worker gets its partitions and commits in its place."""
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        stuck = await system.spawn("recorder", module="tests.support.stuck_worker", STUCK="thread")
        await all_ready(system, "recorder")
        began = time.monotonic()
        await system.run(*(execution(f"tool-{number}") for number in range(20)))
        system.ports["second"] = free_port()
        await system.spawn("recorder", ROLLGUARD_WEB_PORT=str(system.ports["second"]))
        for number in range(20):
            await system.executions_recorded(f"tool-{number}", 1)

        async def is_unhealthy() -> bool:
            return (await system.page("recorder", "/healthz"))[0] == 503

        await until(is_unhealthy, 60)
        print(f"unhealthy after {time.monotonic() - began:.0f} s")
        assert await is_ready(system, "second")
        assert (await system.page("second", "/healthz"))[0] == 200
        stuck.kill()
        system.workers.remove(stuck)


@pytest.mark.kafka
@pytest.mark.timeout(170)
async def test_kafka_away_is_a_wait_and_no_reason_to_be_ended(
    database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    port = free_port()
    brokers = f"127.0.0.1:{port}"
    command = [str(APACHE), str(tmp_path / "kafka"), str(port), str(free_port())]
    async with AsyncExitStack() as stack:
        with running_broker(command, brokers):
            started = System.started(brokers, database_dsn, topic_prefix, tmp_path, ROLES)
            system = await stack.enter_async_context(started)
            await all_ready(system)
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
            await all_ready(system)
            assert (await system.deploy("parser", "b")).version_number == 2
            assert [worker.returncode for worker in system.workers] == [None, None, None]
            await stack.aclose()


async def members(system: System, role: str) -> set[str]:
    """The ids of the members of a role's group, as the broker has them."""
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
@pytest.mark.timeout(180)
async def test_postgres_away_for_longer_than_the_poll_interval_costs_nothing(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """A backlog as well, larger than what a worker buffers."""
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
        await all_ready(system, *roles)
        await system.deploy("parser", "a")
        before = {role: await members(system, role) for role in roles}
        proxy.shut()
        for role in roles:  # nothing to do: they notice all the same

            async def is_away(role: str = role) -> bool:
                return (await system.page(role, "/readyz"))[0] == 503

            await until(is_away)
        waiting = asyncio.create_task(system.deploy("parser", "b"))
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
        assert (await asyncio.wait_for(waiting, 40)).version_number == 2
        for number in range(8):
            await system.executions_recorded(f"tool-{number}", 50)
        await all_ready(system, *roles)
        assert {role: await members(system, role) for role in roles} == before
        assert [worker.returncode for worker in system.workers] == [None, None]


@pytest.mark.kafka
async def test_what_holds_no_record_is_no_lag(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        settings = system.settings
        place = TopicPartition(system.topics.executions, 1)
        producer = AIOKafkaProducer(
            bootstrap_servers=apache_kafka, transactional_id=f"{topic_prefix}engine"
        )
        await producer.start()
        async with producer.transaction():
            await producer.send_and_wait(place.topic, b"{}", partition=1)
        await producer.stop()
        group = group_of(settings, "recorder")
        offsets = GroupOffsets(settings, group)
        [found] = (await offsets.read([place])).values()
        assert found == Offsets(0, 2)
        assert await offsets.without_records({place: found}) == set()

        consumer = AIOKafkaConsumer(
            bootstrap_servers=apache_kafka, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign([place])
        await consumer.commit({place: 1})
        await consumer.stop()
        [found] = (await offsets.read([place])).values()
        assert found == Offsets(1, 2)  # what follows is the transaction's marker
        assert await offsets.without_records({place: found}) == {place}

        await system.send(place.topic, "any", b"{}", b"{}", partition=1)
        [found] = (await offsets.read([place])).values()
        assert found == Offsets(1, 4)
        assert await offsets.without_records({place: found}) == set()
        admin = AIOKafkaAdminClient(bootstrap_servers=apache_kafka)
        await admin.start()
        await admin.delete_records({place: RecordsToDelete(before_offset=4)})
        await admin.close()
        assert await offsets.without_records({place: found}) == {place}
        await offsets.close()


async def say(port: int, request: bytes) -> bytes:
    """The first line of the answer to a request as it stands."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return answer


async def test_pages_ask_for_the_token(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        await system.spawn("detector", ROLLGUARD_WEB_TOKEN=TOKEN)
        await all_ready(system, "detector")
        right = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("/tools/parser/health", "/nothing", "/tools/healthz/health"):
            for wrong in (
                {},
                {"Authorization": "Bearer "},
                {"Authorization": f"Bearer {TOKEN}x"},
                {"Authorization": f"Basic {TOKEN}"},
                {"Authorization": TOKEN},
                {"X-Token": TOKEN},
            ):
                status, body = await system.page("detector", path, **wrong)
                assert (status, list(body)) == (401, ["error"]), (path, wrong)
        status, body = await system.page("detector", "/tools/parser/health", **right)
        assert (status, body) == (404, {"error": "'parser' was never activated"})
        assert (await system.page("detector", "/healthz"))[0] == 200
        for garbled in (f"Authorization: Bearer {TOKEN}\0", f"Auth orization: {TOKEN}", TOKEN):
            request = f"GET /tools/x/health HTTP/1.1\r\nHost: x\r\n{garbled}\r\n\r\n"
            assert b" 400 " in await say(system.ports["detector"], request.encode())
        settings = system.settings
        with pytest.raises(Misconfigured, match="wants a token: set ROLLGUARD_WEB_TOKEN"):
            await reads.health(settings, "parser")
        other = settings.model_copy(update={"web_token": type(settings.postgres_dsn)("other")})
        with pytest.raises(Misconfigured, match="another ROLLGUARD_WEB_TOKEN"):
            await reads.health(other, "parser")
        same = settings.model_copy(update={"web_token": type(settings.postgres_dsn)(TOKEN)})
        with pytest.raises(Rejected, match="never activated"):
            await reads.health(same, "parser")
        assert await system.stop_all() == [0]
        assert TOKEN not in system.log("detector")


@pytest.mark.kafka
@pytest.mark.timeout(90)
async def test_detectors_ask_one_another_with_the_token(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        second = free_port()
        await system.spawn("detector", ROLLGUARD_WEB_TOKEN=TOKEN)
        await all_ready(system, "detector")
        await system.spawn(
            "detector",
            ROLLGUARD_WEB_TOKEN=TOKEN,
            ROLLGUARD_WEB_PORT=str(second),
            ROLLGUARD_DATA_DIR=str(tmp_path / "second"),
        )
        system.ports["second"] = second
        right = {"Authorization": f"Bearer {TOKEN}"}

        async def both_answer_for_all() -> bool:
            answers = [
                await system.page(worker, f"/tools/tool-{number}/health", **right)
                for worker in ("detector", "second")
                for number in range(8)  # on all four partitions, so on both workers
            ]
            return {status for status, _ in answers} == {404} and await is_ready(system, "second")

        await until(both_answer_for_all)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", ""])
async def test_without_a_token_nobody_else_is_let_in(
    host: str, embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(embedded_broker, database_dsn, topic_prefix, tmp_path, ()) as system:
        for role in ("detector", "recorder"):
            worker = await system.spawn(role, ROLLGUARD_WEB_HOST=host, ROLLGUARD_WEB_TOKEN="")
            assert await asyncio.wait_for(worker.wait(), 20) == 1
            assert f"ROLLGUARD_WEB_HOST {host!r} is not loopback" in system.log(role)
            assert "Traceback" not in system.log(role)


async def test_with_one_port_for_all_the_detector_has_it(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        port = str(system.ports["detector"])
        for role in ("applier", "recorder", "detector"):
            await system.spawn(role, ROLLGUARD_WEB_PORT=port)
        await all_ready(system, "detector")
        assert (await system.deploy("parser", "a")).version_number == 1

        async def both_said() -> bool:
            return all("http_disabled" in system.log(role) for role in ("applier", "recorder"))

        await until(both_said)
        for role in ("applier", "recorder"):
            [line] = [json.loads(x) for x in system.log(role).splitlines() if "http_disabled" in x]
            assert line["port"] == int(port)
        assert (await system.page("detector", "/healthz"))[1]["role"] == "detector"
