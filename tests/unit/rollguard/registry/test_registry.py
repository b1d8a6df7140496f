"""The registry with records of our own: what is loaded, what is refused, what stays in use."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import ToolVersion, code_hash_of
from schemas.settings import load_settings
from tests.support.inputs.messages import version


class FakeLoader:
    """The tool is its code in capitals; 'bad' code does not load; ``gate`` holds loading back."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.loading = asyncio.Event()
        self.loaded: list[str] = []
        self.unloaded: list[str] = []

    async def load(self, version: ToolVersion) -> str:
        self.loading.set()
        await self.gate.wait()
        self.loaded.append(version.code)
        if version.code == "bad":
            raise SyntaxError("bad code")
        return version.code.upper()

    async def unload(self, tool: str) -> None:
        self.unloaded.append(tool)


class Fixture:
    def __init__(self, folder: Path) -> None:
        self.loader = FakeLoader()
        self.registry = ToolRegistry(load_settings(data_dir=folder), self.loader, lazy=False)

    async def take(self, *versions: ToolVersion) -> LoadedTool[str] | None:
        """Return what is in use for 'parser' after these records."""
        for each in versions:
            self.registry.offer(each.to_bytes())
        await self.registry.load_offered()
        return self.registry.get("parser")


@pytest.fixture
def given(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


async def test_the_largest_activation_wins_whatever_the_order(given: Fixture) -> None:
    newest = version(3, "three")
    loaded = await given.take(version(1, "one"), newest, version(2, "two"), version(3, "other"))
    assert loaded == LoadedTool(newest, "THREE")
    assert await given.take(version(2, "two"), version(3, "other")) == loaded
    assert given.loader.loaded == ["three"]


async def test_an_older_version_is_loaded_when_it_is_activated_again(given: Fixture) -> None:
    await given.take(version(1, "one"))
    await given.take(version(2, "two"))
    loaded = await given.take(version(3, "one", version_id=1, version_number=1))
    assert loaded is not None
    assert (loaded.tool, loaded.version.version_id) == ("ONE", 1)
    await asyncio.sleep(0)
    assert given.loader.unloaded == ["ONE", "TWO"]


async def test_tools_are_apart(given: Fixture) -> None:
    await given.take(version(5, "five"), version(1, "one", "fetcher"))
    fetcher = given.registry.get("fetcher")
    assert fetcher is not None
    assert fetcher.tool == "ONE"
    assert given.registry.get("unknown") is None


async def test_code_with_another_hash_is_refused_and_the_old_stays(given: Fixture) -> None:
    old = await given.take(version(1, "one"))
    forged = version(2, "forged", code_hash=code_hash_of("genuine"))
    with capture_logs() as logs:
        assert await given.take(forged) == old
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("tool_version_refused", "error")
    ]
    assert given.loader.loaded == ["one"]
    genuine = await given.take(version(2, "genuine"))
    assert genuine is not None
    assert genuine.tool == "GENUINE", "the same activation with the right code is taken"


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff", b"{}", b"[]"])
async def test_what_is_no_version_is_passed_over(given: Fixture, value: bytes | None) -> None:
    given.registry.offer(value)
    assert await given.take(version(1, "one")) is not None


async def test_the_old_one_is_in_use_until_the_new_one_is_loaded(given: Fixture) -> None:
    old = await given.take(version(1, "one"))
    given.loader.gate.clear()
    given.loader.loading.clear()
    swapping = asyncio.create_task(given.take(version(2, "two")))
    await given.loader.loading.wait()
    assert given.registry.get("parser") == old
    assert given.loader.unloaded == []
    given.loader.gate.set()
    new = await swapping
    assert new is not None
    assert new.tool == "TWO"
    await asyncio.sleep(0)
    assert given.loader.unloaded == ["ONE"]


async def test_a_version_that_does_not_load_is_current_with_its_error(given: Fixture) -> None:
    await given.take(version(1, "one"))
    loaded = await given.take(version(2, "bad"))
    assert loaded is not None
    assert (loaded.version.version_id, loaded.tool) == (2, None)
    assert isinstance(loaded.error, SyntaxError)


async def test_reload_brings_a_version_into_use_before_the_topic_does(given: Fixture) -> None:
    await given.take(version(1, "one"))
    newer = version(2, "two")
    await given.registry.reload(newer)
    loaded = given.registry.get("parser")
    assert loaded == LoadedTool(newer, "TWO")
    assert await given.take(newer) == loaded
    assert given.loader.loaded == ["one", "two"], "loaded once, whoever told first"


async def test_reload_of_an_old_version_keeps_the_newest(given: Fixture) -> None:
    loaded = await given.take(version(2, "two"))
    await given.registry.reload(version(1, "one"))
    assert given.registry.get("parser") == loaded
    assert given.loader.loaded == ["two"]


async def test_reload_tries_a_failed_load_once_more(given: Fixture) -> None:
    bad = version(1, "bad")
    await given.take(bad)
    await given.registry.reload(bad)
    loaded = given.registry.get("parser")
    assert loaded is not None
    assert loaded.error is not None
    assert given.loader.loaded == ["bad", "bad"]


async def test_reload_refuses_code_with_another_hash(given: Fixture) -> None:
    await given.registry.reload(version(1, "forged", code_hash=code_hash_of("genuine")))
    assert given.registry.get("parser") is None


async def test_changes_are_told_and_a_bad_callback_does_no_harm(given: Fixture) -> None:
    seen: list[LoadedTool[str]] = []

    def fails(_: LoadedTool[str]) -> None:
        raise RuntimeError("not my day")

    given.registry.on_change += [fails, seen.append]
    first = await given.take(version(1, "one"))
    second = await given.take(version(2, "bad"))
    assert seen == [first, second]


async def test_wait_for_returns_when_the_predicate_holds(given: Fixture) -> None:
    waiting = asyncio.create_task(
        given.registry.wait_for("parser", lambda loaded: loaded.tool == "TWO", 80)
    )
    await given.take(version(1, "one"))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await given.take(version(2, "two")) == await waiting


async def test_wait_for_gives_up(given: Fixture) -> None:
    with pytest.raises(TimeoutError):
        await given.registry.wait_for("parser", lambda _: True, 0.01)
