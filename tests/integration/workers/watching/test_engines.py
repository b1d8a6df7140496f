"""Who runs what: engines that load, that stay behind and that cannot load, through real workers."""

import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollguard.operations.overview.engines import EngineOfTool, engine_counts, engines_of
from rollguard.registry import ToolRegistry
from rollguard_client import Rollguard
from rollguard_client.registry import reports
from schemas.dead_letter import DeadLetter
from schemas.deployment import ToolVersion
from schemas.engine_report import EngineReport, report_key
from schemas.rollback import RollbackCommand
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(360)

GOOD = "def execute():\n    return {}\n"
CANNOT = "import no_such_module\n\n\ndef execute():\n    return 3\n"


class Slow:
    """A loader that does not come to the end of the second version before it is let go."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    def load(self, version: Any) -> Callable[[], int]:
        if version.version_number == 2:
            self.may_go_on.wait()
        return lambda: version.version_number


class Engine:
    """An engine in this process: ``call`` calls its tool."""

    def __init__(self, system: System, engine_id: str, tool: str, loader: Any = None) -> None:
        self.guard = Rollguard(
            kafka_brokers=",".join(system.settings.kafka_brokers),
            topic_prefix=system.settings.topic_prefix,
            data_dir=system.folder / engine_id,
            engine_id=engine_id,
            fetch_wait_ms=50,
            flush_s=30,
        )

        @self.guard.managed(tool, loader=loader)
        async def call() -> int:
            raise NotImplementedError

        self.call: Callable[[], Awaitable[int]] = call


@contextmanager
def engines(system: System, tool: str, *ids: str, **loaders: Any) -> Iterator[dict[str, Engine]]:
    with ExitStack() as stack:
        found = {each: Engine(system, each, tool, loaders.get(each)) for each in ids}
        for each in found.values():
            stack.enter_context(each.guard)
        yield found


async def listed(system: System, tool: str) -> dict[str, EngineOfTool]:
    return {each.engine_id: each for each in await engines_of(system.settings, tool)}


async def states_become(system: System, tool: str, **expected: str) -> dict[str, EngineOfTool]:
    found: dict[str, EngineOfTool] = {}

    async def are_as_expected() -> bool:
        nonlocal found
        found = await listed(system, tool)
        return {name: each.state for name, each in found.items()} == expected

    await until(are_as_expected)
    return found


async def test_who_runs_what(
    embedded_broker: str,
    database_dsn: str,
    topic_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "END_S", 30.0)  # on a busy machine they say it late
    roles = ("detector", "applier", "recorder")
    async with System.started(
        embedded_broker, database_dsn, topic_prefix, tmp_path, roles
    ) as system:
        await _one_stays_behind(system)
        await _none_can_load(system)
        await _the_servers_own_registry(system)
        await _hostile(system)


async def _one_stays_behind(system: System) -> None:
    slow = Slow()
    await system.deploy("words", GOOD.format(1))
    with engines(system, "words", "e1", "e7", e7=slow) as running:
        for each in running.values():
            assert await each.call() == 1
        await states_become(system, "words", e1="current", e7="current")
        await system.executions_recorded("words", 2)  # or they could come after the activation
        await system.deploy("words", GOOD.format(2))
        try:
            await _becomes(running["e1"], 2)
            for _ in range(3):
                assert await running["e7"].call() == 1
            await _ran_stale(system, 3)
            before = await states_become(system, "words", e1="current", e7="stale")
            stale = before["e7"]
            assert (stale.version_number, stale.current_version_number) == (1, 2)
            assert stale.stale_executions == 3
            await _shown(system)
            await _restart_recorder(system)
            await running["e7"].call()
            await _ran_stale(system, 4)
        finally:
            slow.may_go_on.set()
        await _becomes(running["e7"], 2)
        await states_become(system, "words", e1="current", e7="current")
    await states_become(system, "words")  # they have ended, and said so


async def _ran_stale(system: System, times: int) -> None:
    """Return when so many executions of the engine that stays behind are counted."""

    async def is_counted() -> bool:
        return (await listed(system, "words"))["e7"].stale_executions == times

    await until(is_counted)


async def _shown(system: System) -> None:
    """Require that the verbs show what is known."""
    env = system.environment()
    shown = await rollguard("engines", env=env)
    assert "3 executions since the activation of v2" in shown.out, shown.err
    printed = await rollguard("engines", "--tool", "words", "--stale", "--json", env=env)
    [stale] = json.loads(printed.out)
    assert (stale["engine_id"], stale["state"], stale["version_number"]) == ("e7", "stale", 1)
    health = await rollguard("health", "words", "--json", env=env)
    assert json.loads(health.out)["engines"] == {"current": 1, "stale": 1, "failed": 0}


async def _restart_recorder(system: System) -> None:
    [recorder] = system.running[2:]
    recorder.kill()
    await recorder.wait()
    system.running.remove(recorder)
    await system.spawn("recorder")
    await system.all_ready("recorder")


async def _becomes(engine: Engine, number: int) -> None:
    async def runs() -> bool:
        return await engine.call() == number

    await until(runs)


async def _none_can_load(system: System) -> None:
    """Nobody calls the tool, and the version is rolled back all the same."""
    await system.deploy("parser", GOOD.format(1))
    with engines(system, "parser", "e1", "e2", "e3") as running:
        for each in running.values():
            assert await each.call() == 1
        await system.deploy("parser", CANNOT)
        record = await system.first(system.topics.commands, lambda _: True)
        command = RollbackCommand.from_bytes(record.value)
        assert (command.tool_name, command.reason) == ("parser", "consecutive_failures")
        await states_become(system, "parser", e1="current", e2="current", e3="current")
    await system.executions_recorded("parser", 6)
    rows = await system.query(
        "select distinct error_type, session_id, duration_ms, version_id from tool_executions"
        " where tool_name = 'parser' and not success"
    )
    assert [tuple(row) for row in rows] == [
        ("ModuleNotFoundError", None, None, command.from_version_id)
    ]
    # A single engine that cannot load it is seen, and condemns nothing.
    await system.deploy("alone", GOOD.format(1))
    with engines(system, "alone", "e1") as running:
        assert await running["e1"].call() == 1
        await system.deploy("alone", CANNOT)
        found = await states_become(system, "alone", e1="failed")
        assert found["e1"].error == "ModuleNotFoundError: No module named 'no_such_module'"
        counts = await engine_counts(system.settings, "alone")
        assert counts == {"current": 0, "stale": 0, "failed": 1}
        await system.executions_recorded("alone", 2)


class Refuses:
    """A loader of the server's registry that cannot load anything."""

    async def load(self, version: ToolVersion) -> str:
        raise ImportError(version.code)

    async def unload(self, tool: str) -> None:
        raise AssertionError("nothing was loaded")


async def _the_servers_own_registry(system: System) -> None:
    await system.deploy("served", GOOD.format(1))
    settings = system.settings.model_copy(update={"engine_id": "e5"})
    async with ToolRegistry(settings, Refuses(), tools=["served"], lazy=False):
        found = await states_become(system, "served", e5="failed")
        assert found["e5"].error_type == "ImportError"
        await system.executions_recorded("served", 1)
    await states_become(system, "served")


async def _hostile(system: System) -> None:
    """Send what is no report: it becomes a dead letter, and what comes after it counts."""
    await system.deploy("last", GOOD.format(1))
    [row] = await system.query("select version_id from tool_versions where tool_name = 'last'")
    good = EngineReport(
        engine_id="e9",
        tool_name="last",
        version_id=row["version_id"],
        version_number=1,
        activation=1,
        ok=True,
        loaded_at=datetime.now(UTC),
    )
    ahead = good.model_copy(update={"loaded_at": datetime.now(UTC) + timedelta(hours=1)})
    invented = good.model_copy(update={"version_id": 2**31 - 1})
    bad: list[tuple[bytes, bytes | None, str]] = [
        (b"last", good.to_bytes(), "is not b'e9/last'"),
        (good.key, b"{", "Invalid JSON"),
        (good.key, good.to_bytes().replace(b'"e9"', b'"e 9"'), "engine_id: String should match"),
        (good.key, ahead.to_bytes(), "ahead of the record's Kafka timestamp"),
        (good.key, invented.to_bytes(), "no version with this id"),
        (b"last", None, "its key is not <engine_id>/<tool_name>"),
    ]
    for key, value, _ in bad:
        await system.producer.send_and_wait(system.topics.reports, value, key=key)
    for partition in range(system.settings.partitions):  # it may lie anywhere
        await system.producer.send_and_wait(
            system.topics.reports, good.to_bytes(), key=good.key, partition=partition
        )
    await states_become(system, "last", e9="current")
    records = await system.records(system.topics.dead_letters, len(bad))
    letters = [DeadLetter.from_bytes(record.value) for record in records]
    assert {letter.role for letter in letters} == {"recorder"}
    for _, _, fault in bad:
        assert sum(fault in letter.error for letter in letters) == 1, fault
    ended = report_key("e9", "last")
    await system.producer.send_and_wait(system.topics.reports, None, key=ended)
    await states_become(system, "last")
    assert [worker.returncode for worker in system.running] == [None, None, None]
