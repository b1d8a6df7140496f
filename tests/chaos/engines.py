"""The engines of a run: they follow `tool-versions` with the product's registry, as engines do."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple, Self

from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import ToolVersion
from schemas.settings import Settings

_WAIT_S = 15.0


class LoadedVersion(NamedTuple):
    """Code that an engine has run."""

    tool: str
    version_id: int
    code: str


class _Code:
    """A loader for which the tool is its code."""

    async def load(self, version: ToolVersion) -> str:
        return version.code

    async def unload(self, tool: str) -> None:
        return


class Engines:
    """The versions that engines have in use, and all that they have ever loaded."""

    def __init__(self, settings: Settings) -> None:
        self.versions: dict[str, ToolVersion] = {}
        """The version of each tool that is in use."""
        self.history: dict[str, list[int]] = defaultdict(list)
        """The ids of the versions that were in use, for each tool."""
        self.loaded: set[LoadedVersion] = set()
        self._registry = ToolRegistry(settings, _Code(), lazy=False)
        self._registry.on_change.append(self._note)

    async def __aenter__(self) -> Self:
        await self._registry.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._registry.__aexit__()

    def _note(self, loaded: LoadedTool[str]) -> None:
        version = loaded.version
        self.versions[version.tool_name] = version
        self.history[version.tool_name].append(version.version_id)
        self.loaded.add(LoadedVersion(version.tool_name, version.version_id, version.code))

    def activations(self) -> dict[str, int]:
        """Return the activation that is in use, for each tool."""
        return {tool: version.activation for tool, version in self.versions.items()}

    async def wait_for(self, activations: Mapping[str, int]) -> None:
        """Return when these are in use, or when the time for that is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_S):
                while self.activations() != activations:
                    await asyncio.sleep(0.1)
