"""What a registry loads: only tools that the engine runs and asks for, and only some at once."""

import asyncio
from pathlib import Path

import pytest

from rollguard.registry import LoadedTool, ToolRegistry
from rollguard_client.registry.chosen_tools import ChosenTools
from schemas.deployment import ToolVersion
from schemas.settings import load_settings
from tests.support.engines.kept_versions import kept_versions
from tests.support.inputs.messages import version


class SlowLoader:
    """The tool is its code; it counts how many loads run at the same time."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.running = 0
        self.most = 0

    async def load(self, version: ToolVersion) -> str:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.005)
        self.running -= 1
        self.loaded.append(version.code)
        return version.code

    async def unload(self, tool: str) -> None:
        """Nothing is held."""


@pytest.fixture
def loader() -> SlowLoader:
    return SlowLoader()


def offer(registry: ToolRegistry[str], *versions: ToolVersion) -> None:
    for each in versions:
        registry.offer(each.to_bytes())


async def test_a_tool_is_loaded_when_it_is_first_asked_for(
    loader: SlowLoader, tmp_path: Path
) -> None:
    registry = ToolRegistry(load_settings(data_dir=tmp_path), loader)
    foreign = [version(1, f"foreign {number}", f"tool-{number}") for number in range(100)]
    offer(registry, *foreign, version(1, "one"), version(2, "two"))
    await registry.load_offered()
    assert loader.loaded == []
    assert await registry.load("nobody") is None
    loaded = await registry.load("parser")
    assert loaded == LoadedTool(version(2, "two"), "two") == registry.get("parser")
    assert await registry.load("parser") == loaded
    assert loader.loaded == ["two"]
    offer(registry, version(3, "three"), version(2, "foreign", "tool-1"))
    await registry.load_offered()
    assert loader.loaded == ["two", "three"], "it stays in use, so its newest version is"
    await asyncio.gather(*(registry.load("tool-2") for _ in range(5)))
    assert loader.loaded[2:] == ["foreign 2"], "loaded once, however many ask"


async def test_a_tool_that_was_asked_for_is_loaded_as_soon_as_it_is_known(
    loader: SlowLoader, tmp_path: Path
) -> None:
    registry = ToolRegistry(load_settings(data_dir=tmp_path), loader)
    assert registry.get("parser") is None
    offer(registry, version(1, "one"))
    await registry.load_offered()
    assert loader.loaded == ["one"]


async def test_of_tools_that_the_engine_does_not_run_nothing_is_known(
    loader: SlowLoader, tmp_path: Path
) -> None:
    registry = ToolRegistry(
        load_settings(data_dir=tmp_path), loader, tools=["parser", "web-*"], lazy=False
    )
    offer(
        registry, *(version(1, name, name) for name in ("parser", "web-a", "web", "other", "Web-b"))
    )
    await registry.load_offered()
    assert sorted(loader.loaded) == ["parser", "web-a"]
    await registry.reload(version(2, "other", "other"))
    assert await registry.load("other") is None
    with pytest.raises(TimeoutError):
        await registry.wait_for("other", lambda _: True, 0.01)
    assert len(loader.loaded) == 2


async def test_only_some_versions_are_loaded_at_once(loader: SlowLoader, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    registry = ToolRegistry(settings, loader, lazy=False, loads_at_once=3)
    offer(registry, *(version(1, f"{number}", f"tool-{number}") for number in range(20)))
    await registry.load_offered()
    assert (len(loader.loaded), loader.most) == (20, 3)


@pytest.mark.parametrize(
    ("tools", "name", "chosen"),
    [
        (None, "anything", True),
        (["words"], "words", True),
        (["words"], "words2", False),
        (["w?rds", "a[bc]"], "ac", True),
        (["a[bc]"], "a[bc]", True),
        (["a[bc]"], "ad", False),
        (["WORDS"], "words", False),
    ],
)
def test_names_and_globs(tools: list[str] | None, name: str, chosen: bool) -> None:
    assert (name in ChosenTools.of(tools)) == chosen


def test_one_text_is_not_a_list_of_names() -> None:
    with pytest.raises(TypeError, match="words"):
        ChosenTools.of("words")
    with pytest.raises(ValueError, match="without tools"):
        ChosenTools.of([])


def test_engines_with_other_tools_share_the_kept_versions(tmp_path: Path) -> None:
    kept = kept_versions(load_settings(data_dir=tmp_path))
    for name in ("mine", "mine-gone", "other"):
        kept.keep(version(1, "x = 1", name))
    kept.keep_only(["mine"], ChosenTools(["mine*"]))
    assert sorted(each.version.tool_name for each in kept.load()) == ["mine", "other"]


async def test_a_kept_version_is_replaced_although_nobody_asked_for_the_tool(
    loader: SlowLoader, tmp_path: Path
) -> None:
    """Otherwise the engine would run a version that was rolled back, when Kafka is away."""
    settings = load_settings(data_dir=tmp_path)
    kept = kept_versions(settings)
    kept.keep(version(1, "one"))
    registry = ToolRegistry(settings, loader)
    offer(registry, version(2, "two"), version(1, "x", "never-used"))
    await registry.load_offered()
    assert [each.version.code for each in kept.load()] == ["two"]
    assert loader.loaded == []
