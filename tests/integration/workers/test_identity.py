"""Whoever answers at an address is believed only if it is a detector of the same system."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from agents.worker.instance import instance_of
from rollguard.embedded.broker import broker_command
from rollguard.embedded.ports import free_port
from rollguard.embedded.stack import EmbeddedStack
from rollguard.embedded.supervisor import SupervisedWorker
from rollguard.management.deployment_monitor import DeploymentMonitor
from rollguard.operations.overview.health import health_of
from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.identity import Identity
from schemas.settings import Settings
from tests.support.kafka import running_broker
from tests.support.messages import activation, execution
from tests.support.system import System
from tests.support.waiting import until
from tests.support.web_app import web_app

pytestmark = pytest.mark.timeout(90)


@asynccontextmanager
async def other_program(port: int, status: int = 200) -> AsyncIterator[None]:
    """Run a web app that answers every request with what a healthy worker's body may be."""

    async def answer(_: web.Request) -> web.Response:
        body = {"ready": True, "reasons": [], "needs_rollback": True, "error": "never activated"}
        return web.json_response(body, status=status)

    async with web_app(port, answer):
        yield


def changed(settings: Settings, **fields: object) -> Settings:
    return settings.model_copy(update=fields)


async def test_a_detector_of_another_system_decides_nothing(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Its table says that a tool with the same name is broken; ours is healthy."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    async with (
        System.started(
            *(kafka, database_dsn, topic_prefix + "a.", tmp_path / "theirs"), ("detector",)
        ) as theirs,
        System.started(
            *(kafka, database_dsn, topic_prefix + "b.", tmp_path / "ours"), ("applier",)
        ) as ours,
    ):
        await ours.deploy("parser", "old")
        await ours.deploy("parser", "new")
        await theirs.send(theirs.topics.executions, "parser", activation("parser", 2, 2))
        await theirs.run(*(execution("parser", success=False) for _ in range(3)))

        async def condemned() -> bool:
            status, body = await theirs.health("parser")
            return status == 200 and body["reason"] == "consecutive_failures"

        await until(condemned)
        mistaken = changed(ours.settings, detector_url=theirs.settings.detector_url)
        async with DeploymentMonitor(settings=mistaken) as monitor:
            for ask in (monitor.check_health, monitor.auto_rollback_if_needed):
                with pytest.raises(Misconfigured, match="belongs to another system than ours"):
                    await ask("parser")
        assert not await ours.query("SELECT FROM rollbacks")


async def test_an_answer_is_checked_before_it_is_believed(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    roles = ("detector", "applier")
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, roles) as system:
        settings = system.settings
        await system.all_ready(*roles)
        with pytest.raises(Rejected, match="never activated"):
            await health_of(settings, "parser")
        applier = f"http://127.0.0.1:{system.ports['applier']}"
        with pytest.raises(Misconfigured, match=r"answers the applier .*, not a detector"):
            await health_of(changed(settings, detector_url=applier), "parser")

        port = free_port()
        other = changed(settings, detector_url=f"http://127.0.0.1:{port}")
        for status in (200, 404):
            async with other_program(port, status):
                with pytest.raises(Misconfigured, match="answers another program, not a detector"):
                    await health_of(other, "parser")
        async with other_program(port, 502):
            with pytest.raises(Retryable, match="HTTP 502"):
                await health_of(other, "parser")

        port = free_port()
        second = changed(settings, kafka_brokers=(f"127.0.0.1:{port}",))
        notes: list[str] = []
        with pytest.raises(Retryable, match="Kafka"):
            await health_of(second, "parser")
        with pytest.raises(Rejected, match="never activated"):
            await health_of(second, "parser", notes.append)
        assert len(notes) == 1
        assert "not checked" in notes[0]
        with pytest.raises(Misconfigured, match="belongs to another system"):
            await health_of(changed(second, topic_prefix="other."), "parser", notes.append)
        with (
            running_broker(broker_command(port), f"127.0.0.1:{port}"),
            pytest.raises(Misconfigured, match="belongs to another system"),
        ):
            await health_of(second, "parser", notes.append)
        assert len(notes) == 1


async def test_every_page_says_who_answers(shared_system: System) -> None:
    await shared_system.all_ready()
    clusters = set()
    for role in ("detector", "applier", "recorder"):
        for path in ("/healthz", "/readyz", "/metrics", "/nothing", "/tools/nobody/health"):
            identity = Identity.of_headers(await shared_system.headers(role, path))
            assert identity is not None, (role, path)
            assert identity.topic_prefix == shared_system.settings.topic_prefix
            assert identity.role == role
            clusters.add(identity.cluster_id)
    assert len(clusters) == 1
    assert clusters.pop()


@pytest.mark.kafka
async def test_a_query_is_not_forwarded_to_another_program(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """The port of a detector that was killed belongs to another program at once."""
    roles = ("detector", "applier")
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, roles) as system:
        await system.all_ready(*roles)
        second = await system.spawn_second_detector(ROLLGUARD_SESSION_TIMEOUT_S="30")
        tools = [f"tool-{number}" for number in range(8)]  # on all four partitions

        async def answers(status: int) -> bool:
            found = {(await system.health(tool))[0] for tool in tools}
            return found == {status} and await system.is_ready("second")

        await until(lambda: answers(404))
        second.kill()
        await second.wait()
        async with other_program(system.ports["second"]):
            found = [await system.health(tool) for tool in tools]
            assert {status for status, _ in found} == {404, 503}
            errors = {body["error"] for status, body in found if status == 503}
            assert errors == {
                f"at http://127.0.0.1:{system.ports['second']} answers no detector of this system"
            }


async def test_a_program_at_the_port_is_not_taken_for_the_worker() -> None:
    said: list[str] = []
    port = free_port()
    async with EmbeddedStack() as stack, other_program(port):
        worker = SupervisedWorker("detector", port, stack, {}, said.append)
        with pytest.raises(Retryable, match=rf"cannot listen on 127.0.0.1:{port}.*ended 4 times"):
            await worker.run()
        assert len(said) == 3
    assert instance_of(1) != instance_of(2)
