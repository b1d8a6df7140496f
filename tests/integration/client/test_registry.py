"""Tools whose code lives in Rollguard: loaded, swapped while they run, and kept for a bad day."""

import asyncio
import inspect
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from rollguard_client import ChildLoader, Misconfigured, Retryable, Rollguard, ToolFailed
from rollguard_client.registry import reports
from rollguard_client.registry.loading import LoadedTool
from rollguard_client.registry.reports import failed_load_id
from schemas.engine_report import EndedEngine, EngineReport
from tests.integration.client.broker import Broker
from tests.integration.client.topics import (
    TOPICS,
    guard_of,
    make_topics,
    publish,
    published,
    reported,
)
from tests.support.inputs.messages import version
from tests.support.waiting import until


def version_of(guard: Rollguard, tool: str) -> int:
    loaded = guard.registry.get(tool)
    return 0 if loaded is None else loaded.version.activation


def is_in_use(guard: Rollguard, tool: str, activation: int) -> Any:
    async def holds() -> bool:
        return version_of(guard, tool) == activation

    return holds


async def test_tools_are_managed_by_patterns_and_by_their_own_names_before_them(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    codes = {
        "web-fetch": "def run(text): return 'run ' + text\n",
        "web-own": "def execute(text): return 'own ' + text\n",
        "files": "def run(text): return 1 / 0\n",
        "other": "def run(text): return text\n",
    }
    for tool, code in codes.items():
        await publish(embedded_broker, topic_prefix, version(1, code, tool))
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:
        guard.manage("web-*", "files", entry="run", session="s")

        @guard.managed("web-own")
        def own(text: str) -> str:
            """Do what has a function of its own."""
            raise NotImplementedError

        assert await asyncio.to_thread(own, "a") == "own a"
        fetch = await guard.registry.load("web-fetch")
        assert fetch.call("b") == "run b"
        files = await asyncio.to_thread(guard.blocking.registry.load, "files")
        with pytest.raises(ZeroDivisionError):
            files.call("c")
        with pytest.raises(Misconfigured, match="'other' is not managed"):
            await guard.registry.load("other")
        assert guard.tool_names == {"web-own", "web-fetch", "files"}
        with pytest.raises(Misconfigured, match="files is managed already"):
            guard.manage("files")
        with pytest.raises(Misconfigured, match="tools: an engine without tools"):
            guard.manage()
    executions = await published(embedded_broker, topic_prefix)
    assert {(each.tool_name, each.success, each.session_id) for each in executions} == {
        ("web-own", True, None),
        ("web-fetch", True, "s"),
        ("files", False, "s"),
    }


async def test_the_current_version_is_called_and_swapped_while_it_runs(
    embedded_broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "END_S", 30.0)  # on a busy machine it is said late
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    await publish(
        embedded_broker, topic_prefix, version(1, "def execute(text): return text + '1'\n")
    )
    seen: list[LoadedTool] = []
    with guard_of(embedded_broker, topic_prefix, tmp_path, engine_id="e7") as guard:
        guard.registry.on_change.append(seen.append)

        @guard.managed("parser", session="s")
        def parse(text: str) -> str:
            """Parse."""
            raise NotImplementedError

        assert await asyncio.to_thread(parse, "a") == "a1"
        assert (parse.__name__, list(inspect.signature(parse).parameters)) == ("parse", ["text"])
        loaded = guard.registry.get("parser")
        assert loaded is not None
        assert inspect.getsource(loaded.tool) == "def execute(text): return text + '1'\n"  # type: ignore[arg-type]
        await publish(
            embedded_broker,
            topic_prefix,
            b"nonsense",
            version(3, "def execute(text): raise TypeError('3')\n"),
            version(2, "def execute(text): return 'late'\n"),
        )
        await until(is_in_use(guard, "parser", 3))
        with pytest.raises(TypeError, match="3"):
            parse("b")
        await publish(
            embedded_broker,
            topic_prefix,
            version(4, "import no_such_module\n"),
        )
        await until(is_in_use(guard, "parser", 4))
        for _ in range(2):
            with pytest.raises(ModuleNotFoundError):
                parse("c")

        async def is_reported() -> bool:
            said = await reported(embedded_broker, topic_prefix)
            return bool(said) and isinstance(said[-1], EngineReport) and said[-1].activation == 4

        await until(is_reported)
    assert [each.version.activation for each in seen] == [1, 3, 4]
    assert seen[2].why.startswith("deployment ")
    found = await published(embedded_broker, topic_prefix)
    assert {each.engine_id for each in found} == {"e7"}
    load_id = failed_load_id("e7", "parser", 4)
    [failed] = [each for each in found if each.execution_id == load_id]
    assert (failed.version_id, failed.session_id) == (4, None)
    found.remove(failed)
    assert [(each.version_id, each.error_type, each.session_id) for each in found] == [
        (1, None, "s"),
        (3, "TypeError", "s"),
        (4, "ModuleNotFoundError", "s"),
        (4, "ModuleNotFoundError", "s"),
    ]
    *said, last, end = await reported(embedded_broker, topic_prefix)
    assert end == EndedEngine("e7", "parser")
    assert isinstance(last, EngineReport)
    assert (last.engine_id, last.version_id, last.activation, last.ok) == ("e7", 4, 4, False)
    assert (last.error_type, last.error) == (failed.error_type, failed.error)
    assert last.loaded_at == failed.executed_at
    assert all(isinstance(each, EngineReport) and each.ok for each in said)


async def test_each_kind_of_function(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    code = (
        "async def later(x): return x\n"
        "def items(x): yield x; yield x + 1\n"
        "async def aitems(x):\n    yield x\n"
    )
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    tools = ("later", "items", "aitems", "now")
    await publish(
        embedded_broker, topic_prefix, *(version(1, code, tool_name=name) for name in tools)
    )
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:

        @guard.managed("later", entry="later")
        async def later(x: int) -> int:
            raise NotImplementedError

        @guard.managed("now", entry="later")
        async def later_too(x: int) -> int:
            raise NotImplementedError

        @guard.managed("items", entry="items")
        def items(x: int) -> Iterator[int]:
            yield 0

        @guard.managed("aitems", entry="aitems")
        async def aitems(x: int) -> AsyncIterator[int]:
            yield 0

        assert await later(7) == await later_too(7) == 7
        assert await asyncio.to_thread(lambda: list(items(7))) == [7, 8]
        assert [each async for each in aitems(7)] == [7]
        assert inspect.isasyncgenfunction(aitems)
        assert inspect.isgeneratorfunction(items)
    found = {
        each.tool_name: each.success for each in await published(embedded_broker, topic_prefix)
    }
    assert found == dict.fromkeys(tools, True)


async def test_code_that_is_not_genuine_is_never_loaded(
    embedded_broker: str, topic_prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    bad = version(2, "def execute(): return 2\n").model_copy(update={"code_hash": "0" * 64})
    await publish(embedded_broker, topic_prefix, version(1, "def execute(): return 1\n"), bad)
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:

        @guard.managed("parser")
        async def parse() -> int:
            raise NotImplementedError

        @guard.managed("other")
        async def other() -> int:
            raise NotImplementedError

        assert await parse() == 1
        assert "code_hash is not the SHA-256" in caplog.text
        with pytest.raises(Retryable, match="'other' has no version"):
            await other()


async def test_a_loader_of_ones_own(
    embedded_broker: str, topic_prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unloaded: list[str] = []

    class Codes:
        def load(self, version: Any) -> Any:
            return lambda: version.code

        def unload(self, tool: Any) -> None:
            unloaded.append(tool())

    without_reports = TOPICS[:-1]  # of an older server
    await make_topics(embedded_broker, topic_prefix, *without_reports)
    await publish(embedded_broker, topic_prefix, version(1, "one"))
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:

        @guard.managed("parser", loader=Codes())
        async def parse() -> str:
            raise NotImplementedError

        assert await parse() == "one"
        await publish(embedded_broker, topic_prefix, version(2, "two"))
        await until(is_in_use(guard, "parser", 2))
        assert await parse() == "two"

        async def is_unloaded() -> bool:
            return unloaded == ["one"]

        await until(is_unloaded)

        async def is_said() -> bool:
            return "engine-reports is missing, or may not be written to" in caplog.text

        await until(is_said)
    assert caplog.text.count("loads not reported") == 1


async def test_a_loader_that_cannot_unload_does_not_keep_the_client_from_its_end(
    embedded_broker: str, topic_prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Sticky:
        def load(self, version: Any) -> Any:
            return lambda: version.code

        def unload(self, tool: Any) -> None:
            raise RuntimeError("it sticks")

    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    await publish(embedded_broker, topic_prefix, version(1, "one"))
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:

        @guard.managed("parser", loader=Sticky())
        async def parse() -> str:
            raise NotImplementedError

        assert await parse() == "one"
    assert "it sticks" in caplog.text
    assert [each.success for each in await published(embedded_broker, topic_prefix)] == [True]


async def test_an_engine_that_ends_at_once_has_said_what_it_could_not_load(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    await publish(embedded_broker, topic_prefix, version(1, "def execute(:"))
    with guard_of(embedded_broker, topic_prefix, tmp_path, engine_id="e7") as guard:

        @guard.managed("parser")
        async def parse() -> str:
            raise NotImplementedError

        with pytest.raises(SyntaxError):
            await parse()
    load, call = await published(embedded_broker, topic_prefix)
    assert {load.execution_id, call.execution_id} > {failed_load_id("e7", "parser", 1)}
    assert (load.error_class, call.error_class) == ("SyntaxError", "SyntaxError")


async def test_a_tool_may_be_managed_after_the_topic_was_read(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    code = "def execute(): return 1\n"
    await publish(embedded_broker, topic_prefix, version(1, code), version(1, code, "late"))
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:

        @guard.managed("parser")
        async def parse() -> int:
            raise NotImplementedError

        assert await parse() == 1

        @guard.managed("late", lazy=True)
        async def late() -> int:
            raise NotImplementedError

        assert guard.registry.get("late") is None
        assert await late() == await parse() == 1


async def test_a_tool_in_a_process_of_its_own(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    """For functions and for coroutines; what it raises there is what is published."""
    code = "import os\ndef execute(x):\n    return [os.getcwd(), 1 / x]\n"
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    await publish(embedded_broker, topic_prefix, version(1, code), version(1, code, "later"))
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:

        @guard.managed("parser", loader=ChildLoader(120))
        def now(x: int) -> list[Any]:
            raise NotImplementedError

        @guard.managed("later", loader=ChildLoader(120))
        async def later(x: int) -> list[Any]:
            raise NotImplementedError

        first, second = await asyncio.to_thread(now, 2), await later(2)
        assert first[1] == second[1] == 0.5
        assert len({first[0], second[0], os.getcwd()}) == 3
        with pytest.raises(ToolFailed, match="ZeroDivisionError: division by zero"):
            await asyncio.to_thread(now, 0)
        with pytest.raises(ToolFailed):
            await later(0)
    assert not any(Path(folder).exists() for folder in (first[0], second[0]))
    found = await published(embedded_broker, topic_prefix)
    failed = [(each.error, each.error_type) for each in found if not each.success]
    assert failed == [("ZeroDivisionError: division by zero", "ZeroDivisionError")] * 2


async def test_kept_versions_are_used_while_kafka_is_away(tmp_path: Path) -> None:
    """When it answers again, what it says counts, also if its number is smaller."""
    broker = Broker("embedded", tmp_path / "kafka")

    def managed(guard: Rollguard) -> Any:
        @guard.managed("parser")
        async def parse() -> int:
            raise NotImplementedError

        return parse

    with broker.runs():
        await make_topics(broker.address, "", *TOPICS)
        await publish(broker.address, "", version(5, "def execute(): return 5\n"))
        with guard_of(broker.address, "", tmp_path / "data") as guard:
            assert await managed(guard)() == 5
    guard = guard_of(broker.address, "", tmp_path / "data", flush_s=0)
    parse = managed(guard)
    assert await parse() == 5
    with broker.runs():
        await make_topics(broker.address, "", *TOPICS)
        await publish(broker.address, "", version(3, "def execute(): return 3\n"))
        await until(is_in_use(guard, "parser", 3))
        assert await parse() == 3

        async def is_reported() -> bool:
            said = await reported(broker.address, "")
            return any(getattr(each, "activation", 0) == 3 for each in said)

        await until(is_reported)
        guard.close(20)
    empty = guard_of(broker.address, "", tmp_path / "none", flush_s=0, wait_s=0.5)
    with pytest.raises(Retryable, match="Kafka: no version of 'parser' is known yet"):
        await managed(empty)()
    empty.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
async def test_a_child_goes_on_following(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    await publish(embedded_broker, topic_prefix, version(1, "def execute(): return 1\n"))
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:

        @guard.managed("parser")
        def parse() -> int:
            raise NotImplementedError

        assert await asyncio.to_thread(parse) == 1
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(tell, b"%d" % parse())
            while parse() != 2:
                pass
            signal.alarm(60)
            signal.pause()
        assert await asyncio.to_thread(os.read, told, 1) == b"1"
        await publish(embedded_broker, topic_prefix, version(2, "def execute(): return 2\n"))
        engines = {guard.engine_id, guard.engine_id.replace(str(os.getpid()), str(child))}

        async def are_both_reported() -> bool:
            said = await reported(embedded_broker, topic_prefix)
            return engines == {
                each.engine_id for each in said if getattr(each, "activation", 0) == 2
            }

        await until(are_both_reported)
        os.kill(child, signal.SIGKILL)
        await asyncio.to_thread(os.waitpid, child, 0)


def test_what_cannot_be_managed_is_named(tmp_path: Path) -> None:
    guard = guard_of("127.0.0.1:1", "", tmp_path)
    guard.managed("parser")(len)
    with pytest.raises(Misconfigured, match="parser is managed already"):
        guard.managed("parser")(len)
    signed = guard_of("127.0.0.1:1", "", tmp_path, signatures="require")
    with pytest.raises(Misconfigured, match="ROLLGUARD_SIGNATURES=require needs ROLLGUARD_TRUST"):
        signed.managed("parser")(len)
