"""Whoever answers at an address is believed only if it is a detector of the same system."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
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
from tests.support.inputs.messages import activation, execution
from tests.support.servers.kafka import running_broker
from tests.support.servers.web_app import web_app
from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(360)


@pytest_asyncio.fixture
async def shared_applier(_applier: Workers) -> AsyncIterator[System]:
    async with System.of(_applier) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _applier(start_shared: Start, kafka: str) -> AsyncIterator[Workers]:
    async with start_shared(kafka, "applier") as workers:
        yield workers


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
    shared_on_each: System, shared_applier: System, tool: str
) -> None:
    """Its table says that a tool with the same name is broken; ours is healthy."""
    theirs, ours = shared_on_each, shared_applier
    await ours.deploy(tool, "old")
    await ours.deploy(tool, "new")
    await theirs.send(theirs.topics.executions, tool, activation(tool, 2, 2))
    await theirs.run(*(execution(tool, success=False) for _ in range(3)))

    async def condemned() -> bool:
        status, body = await theirs.health(tool)
        return status == 200 and body["reason"] == "consecutive_failures"

    await until(condemned)
    mistaken = changed(ours.settings, detector_url=theirs.settings.detector_url)
    async with DeploymentMonitor(settings=mistaken) as monitor:
        for ask in (monitor.check_health, monitor.auto_rollback_if_needed):
            with pytest.raises(Misconfigured, match="belongs to another system than ours"):
                await ask(tool)
    assert not await ours.query("SELECT FROM rollbacks WHERE tool_name = $1", tool)


async def test_an_answer_is_checked_before_it_is_believed(
    shared_on_each: System, tool: str
) -> None:
    settings = shared_on_each.settings
    await shared_on_each.all_ready()
    with pytest.raises(Rejected, match="never activated"):
        await health_of(settings, tool)
    applier = f"http://127.0.0.1:{shared_on_each.ports['applier']}"
    with pytest.raises(Misconfigured, match=r"answers the applier .*, not a detector"):
        await health_of(changed(settings, detector_url=applier), tool)

    port = free_port()
    other = changed(settings, detector_url=f"http://127.0.0.1:{port}")
    for status in (200, 404):
        async with other_program(port, status):
            with pytest.raises(Misconfigured, match="answers another program, not a detector"):
                await health_of(other, tool)
    async with other_program(port, 502):
        with pytest.raises(Retryable, match="HTTP 502"):
            await health_of(other, tool)

    port = free_port()
    second = changed(settings, kafka_brokers=(f"127.0.0.1:{port}",))
    notes: list[str] = []
    with pytest.raises(Retryable, match="Kafka"):
        await health_of(second, tool)
    with pytest.raises(Rejected, match="never activated"):
        await health_of(second, tool, notes.append)
    assert len(notes) == 1
    assert "not checked" in notes[0]
    with pytest.raises(Misconfigured, match="belongs to another system"):
        await health_of(changed(second, topic_prefix="other."), tool, notes.append)
    with (
        running_broker(broker_command(port), f"127.0.0.1:{port}"),
        pytest.raises(Misconfigured, match="belongs to another system"),
    ):
        await health_of(second, tool, notes.append)
    assert len(notes) == 1


async def test_every_page_says_who_answers(shared_on_each: System) -> None:
    await shared_on_each.all_ready()
    clusters = set()
    for role in ("detector", "applier", "recorder"):
        for path in ("/healthz", "/readyz", "/metrics", "/nothing", "/tools/nobody/health"):
            identity = Identity.of_headers(await shared_on_each.headers(role, path))
            assert identity is not None, (role, path)
            assert identity.topic_prefix == shared_on_each.settings.topic_prefix
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


async def test_a_program_at_the_port_is_not_taken_for_the_worker(
    embedded_broker: str, database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollguard.embedded.supervisor._RESTARTS", 1)
    stack = EmbeddedStack()
    stack.folder, stack.kafka_brokers, stack.postgres_dsn = tmp_path, embedded_broker, database_dsn
    said: list[str] = []
    port = free_port()
    async with other_program(port):
        worker = SupervisedWorker("detector", port, stack, {}, said.append)
        with pytest.raises(Retryable, match=rf"cannot listen on 127.0.0.1:{port}.*ended 2 times"):
            await worker.run()
        assert len(said) == 1
    assert instance_of(1) != instance_of(2)
