"""The example engine: the executions that the client publishes for it."""

import asyncio
from pathlib import Path

from examples.engine.catalogue import TOOLS
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.runs import Run, follow_runs
from tests.integration.client.test_registry import is_in_use
from tests.integration.client.topics import guard_of, make_topics, publish, published
from tests.support.inputs.messages import version
from tests.support.waiting import until

TOPICS = ("tool-executions", "tool-versions")


async def test_every_run_is_published_with_its_version(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Also of a version that does not load; nothing of a tool that has none."""
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    code = TOOLS["dependencies"].code
    await publish(embedded_broker, topic_prefix, version(1, code(1), "dependencies"))
    seen: list[Run] = []
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:
        engine = Engine(guard, stdlib_files())
        follow_runs(guard, seen.append)
        await engine.run_once("dependencies")
        await engine.run_once("complexity")
        for number, each in ((2, code(2)), (3, "def execute(:")):
            await publish(embedded_broker, topic_prefix, version(number, each, "dependencies"))
            await until(is_in_use(guard, "dependencies", number))
            await engine.run_once("dependencies")

        async def all_are_told() -> bool:
            return len(seen) == 3

        await until(all_are_told)
    good, bad, *broken = await published(embedded_broker, topic_prefix)
    assert (good.version_id, good.success, good.error) == (1, True, None)
    assert (bad.version_id, bad.success, bad.error_class) == (2, False, "TypeError")
    assert bad.error is not None
    assert "unexpected keyword argument 'stdlib'" in bad.error
    assert len(broken) == 2, "the load has failed, and so has the call"
    for failed in broken:
        assert (failed.version_id, failed.success, failed.error_class) == (3, False, "SyntaxError")
    assert good.duration_ms is not None
    assert good.duration_ms > 0
    assert good.session_id == bad.session_id
    assert [each.version.activation for each in seen] == [1, 2, 3]


async def test_whose_failure_it_is_and_the_end_of_the_run(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    code = "def execute(path):\n    open(path).read()\n    raise OSError('the disk is full')\n"
    await publish(embedded_broker, topic_prefix, version(1, code, "line_endings"))
    (tmp_path / "there.py").write_text("x = (\n")
    stop = asyncio.Event()
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:
        engine = Engine(guard, [tmp_path / "gone.py", tmp_path / "there.py"])
        follow_runs(guard, lambda run: stop.set() if run.execution.error_origin is None else None)
        await engine.run(["line_endings"], 0, stop)
    gone, there, *_ = await published(embedded_broker, topic_prefix)
    assert (gone.error_class, gone.error_origin) == ("FileNotFoundError", "caller")
    assert (there.error_class, there.error_origin) == ("OSError", None)  # the tool says so
