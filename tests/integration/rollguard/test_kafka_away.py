"""An engine whose Kafka is away: it starts with the versions that it kept, and goes on later."""

import asyncio
import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from examples.engine.catalogue import TOOLS
from rollguard.client import EngineClient
from rollguard.embedded.broker import broker_command
from rollguard.embedded.ports import free_port
from rollguard.operations.setup import create_missing_topics
from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import ToolVersion
from schemas.errors import Retryable
from schemas.settings import Settings, load_settings
from tests.support.inputs.messages import version
from tests.support.programs.program import Program
from tests.support.servers.kafka import APACHE, running_broker
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(540)


class Codes:
    """The tool is its code."""

    async def load(self, version: ToolVersion) -> str:
        return version.code

    async def unload(self, tool: str) -> None:
        return


class Broker:
    """A broker that is started and stopped at the same address; Apache Kafka keeps its records."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._port, self._controller = free_port(), free_port()
        self._kind, self._folder = kind, folder / "kafka"
        self.settings = load_settings(
            kafka_brokers=f"127.0.0.1:{self._port}", data_dir=folder / "data", wait_s=10
        )

    def runs(self) -> AbstractContextManager[Any]:
        """Return a block in which it runs."""
        command = broker_command(self._port)
        if self._kind == "apache":
            command = [str(APACHE), str(self._folder), str(self._port), str(self._controller)]
        return running_broker(command, f"127.0.0.1:{self._port}")

    async def publish(self, *versions: ToolVersion) -> None:
        """Publish versions, as an applier does."""
        await create_missing_topics(self.settings)
        async with EngineClient(self.settings) as client:
            for each in versions:
                await client.publish_again(
                    "tool-versions", each.tool_name.encode(), each.to_bytes()
                )


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    return Broker(request.param, tmp_path)


def codes(registry: ToolRegistry[str], *tools: str) -> list[str | None]:
    found = [registry.get(tool) for tool in tools]
    return [None if each is None else each.tool for each in found]


async def _run_and_stop(settings: Settings) -> None:
    """Run an engine until it has caught up."""
    async with ToolRegistry(settings, Codes(), lazy=False) as registry:
        await asyncio.wait_for(registry.caught_up.wait(), 120)
        assert registry.silent_since is None


async def test_an_engine_starts_without_kafka_and_goes_on_when_it_comes_back(
    broker: Broker,
) -> None:
    with broker.runs():
        await broker.publish(version(1, "one"), version(1, "kept", "fetcher"))
        await broker.publish(version(5, "gone", "old"))
        await _run_and_stop(broker.settings)
    with capture_logs() as logs:
        async with ToolRegistry(broker.settings, Codes(), lazy=False) as registry:
            assert registry.caught_up.is_set()
            assert codes(registry, "parser", "fetcher", "old") == ["one", "kept", "gone"]
            since = registry.silent_since
            assert since is not None
            await asyncio.sleep(2.5)  # several tries
            with broker.runs():
                # a smaller activation too: what Kafka says counts
                await broker.publish(version(1, "kept", "fetcher"), version(2, "two"))
                await broker.publish(version(6, "newer", "old"))
                await registry.wait_for("parser", lambda each: each.tool == "two", 240)
                await registry.wait_for("old", lambda each: each.tool == "newer", 240)
                assert codes(registry, "fetcher") == ["kept"]
                assert registry.silent_since is None
                await broker.publish(version(3, "three"))
                await registry.wait_for("parser", lambda each: each.tool == "three", 240)
    events = [entry["event"] for entry in logs]
    assert [events.count(each) for each in ("kept_versions_in_use", "kafka_heard_again")] == [1, 1]
    [silent] = [entry for entry in logs if entry["event"] == "kafka_silent"]
    assert silent["since"] == since.isoformat()
    async with ToolRegistry(broker.settings, Codes(), lazy=False) as again:  # away once more
        assert codes(again, "parser", "fetcher", "old") == ["three", "kept", "newer"]


@pytest.mark.kafka
async def test_silence_while_the_engine_runs_is_said(tmp_path: Path) -> None:
    broker = Broker("apache", tmp_path)
    with capture_logs() as logs:
        with broker.runs():
            await broker.publish(version(1, "one"))
            registry = await ToolRegistry(broker.settings, Codes(), lazy=False).__aenter__()
            await asyncio.wait_for(registry.caught_up.wait(), 120)

        async def is_silent() -> bool:
            return registry.silent_since is not None

        await until(is_silent, 40)
        assert codes(registry, "parser") == ["one"]
        with broker.runs():
            await broker.publish(version(2, "two"))
            await registry.wait_for("parser", lambda each: each.tool == "two", 240)

            async def is_heard() -> bool:
                return registry.silent_since is None

            await until(is_heard, 40)
        await registry.__aexit__()
    events = [entry["event"] for entry in logs]
    assert (events.count("kafka_silent"), events.count("kafka_heard_again")) == (1, 1)


async def test_a_tool_of_which_kafka_has_no_version_is_not_used_any_more(tmp_path: Path) -> None:
    """The embedded broker forgets its topics: after a restart it is another one."""
    broker = Broker("embedded", tmp_path)
    with broker.runs():
        await broker.publish(version(9, "nine"), version(9, "foreign", "other"))
        await _run_and_stop(broker.settings)
    async with ToolRegistry(broker.settings, Codes(), lazy=False) as registry:
        assert codes(registry, "parser", "other") == ["nine", "foreign"]
        with broker.runs():
            await broker.publish(version(1, "one"))
            await registry.wait_for("parser", lambda each: each.tool == "one", 240)

            async def is_dropped() -> bool:
                return registry.get("other") is None

            await until(is_dropped)


async def test_without_kept_versions_an_engine_does_not_start(tmp_path: Path) -> None:
    broker = Broker("embedded", tmp_path)
    with pytest.raises(Retryable, match="does not answer"):
        async with ToolRegistry(broker.settings, Codes(), lazy=False):
            pass


async def test_two_engines_share_a_data_dir(tmp_path: Path) -> None:
    broker = Broker("embedded", tmp_path)
    with broker.runs():
        await broker.publish(version(1, "one"))
        async with (
            ToolRegistry(broker.settings, Codes(), lazy=False) as first,
            ToolRegistry(broker.settings, Codes(), lazy=False) as second,
        ):
            for number in range(2, 12):
                await broker.publish(version(number, f"code {number}"))

            def is_newest(loaded: LoadedTool[str]) -> bool:
                return loaded.tool == "code 11"

            await first.wait_for("parser", is_newest, 120)
            await second.wait_for("parser", is_newest, 120)
    async with (
        ToolRegistry(broker.settings, Codes(), lazy=False) as first,
        ToolRegistry(broker.settings, Codes(), lazy=False) as second,
    ):
        assert codes(first, "parser") == codes(second, "parser") == ["code 11"]


async def test_a_data_dir_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    broker = Broker("embedded", tmp_path)
    (tmp_path / "data").write_text("this is no folder")
    with broker.runs():
        await broker.publish(version(1, "one"), version(1, "x", "other"))
        with capture_logs() as logs:
            async with ToolRegistry(broker.settings, Codes(), lazy=False) as registry:
                await asyncio.wait_for(registry.caught_up.wait(), 120)
                await broker.publish(version(2, "two"))
                await registry.wait_for("parser", lambda each: each.tool == "two", 120)
    assert [entry["event"] for entry in logs].count("versions_not_kept") == 1


async def test_the_example_engine_starts_without_kafka(tmp_path: Path) -> None:
    broker = Broker("embedded", tmp_path)
    first = [
        version(1, tool.code(1), tool.name, version_id=number, version_number=1)
        for number, tool in enumerate(TOOLS.values(), 1)
    ]
    with broker.runs():
        await broker.publish(*first)
        await _run_and_stop(broker.settings)
    environment = {
        "ROLLGUARD_KAFKA_BROKERS": ",".join(broker.settings.kafka_brokers),
        "ROLLGUARD_DATA_DIR": str(broker.settings.data_dir),
    }
    log = tmp_path / "engine.log"
    with log.open("wb") as output:
        engine = await Program.start(
            "examples.engine", stdout=output, stderr=output, env={**os.environ, **environment}
        )

        async def says(event: str) -> bool:
            return event in log.read_text()

        await until(lambda: says("executions wait for Kafka"))
        # A broker creates a topic that somebody asks for, with other settings than ours. So the
        # engine stands still until the topics are there.
        engine.send_signal(signal.SIGSTOP)
        with broker.runs():
            await broker.publish(*first)
            engine.send_signal(signal.SIGCONT)
            await until(lambda: says("duration_ms="), 60)
            engine.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(engine.wait(), 120) == 0
    assert "Traceback" not in log.read_text()
