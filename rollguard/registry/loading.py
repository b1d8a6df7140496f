"""Loading versions: what a loader raises is the fault of the version; only some load at once."""

import asyncio
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import structlog

from rollguard.interruption import Contained
from schemas.deployment import ToolVersion

log = structlog.get_logger()

T = TypeVar("T")

SHOWN: Final = 2_000
"""How many characters of an error are logged."""


class Loader(Protocol[T]):
    """How an engine turns the code of a version into a tool that it can run."""

    async def load(self, version: ToolVersion) -> T:
        """Return the tool. Any exception becomes the version's load error, even a SystemExit.

        Only a cancellation by the engine and a signal to the process do not. The loader must limit
        the time itself: nothing else stops a load, and only some loads run at the same time.
        """
        ...

    async def unload(self, tool: T) -> None:
        """Release what the tool holds. A call of it may still run: wait until that has ended."""
        ...


@dataclass(frozen=True)
class LoadedTool(Generic[T]):
    """A current version and its tool. Exactly one of ``tool`` and ``error`` is not None.

    A version with an ``error`` is current all the same. The engine should publish each call of it
    as a failed execution of this version with this error, so that the version is rolled back.
    """

    version: ToolVersion
    tool: T | None
    error: BaseException | None = None


class Loads(Generic[T]):
    """The loads and unloads of one registry."""

    def __init__(self, loader: Loader[T], at_once: int) -> None:
        self._loader = loader
        self._free = asyncio.Semaphore(at_once)

    async def load(self, version: ToolVersion) -> LoadedTool[T]:
        """Load a version as soon as fewer than ``at_once`` others are loading."""
        async with self._free:
            with Contained() as load:
                return LoadedTool(version, await self._loader.load(version))
        log.warning("tool_load_failed", **named(version), error=_shown(load.error))
        return LoadedTool(version, None, load.error)

    async def unload(self, loaded: LoadedTool[T]) -> None:
        """Unload a tool, if the version could be loaded."""
        if loaded.tool is None:
            return
        with Contained() as unload:
            await self._loader.unload(loaded.tool)
        if unload.error is not None:
            log.error("tool_unload_failed", exc_info=unload.error)


def named(version: ToolVersion) -> dict[str, object]:
    """Return the fields by which the log names a version."""
    return {
        "tool": version.tool_name,
        "version_id": version.version_id,
        "version_number": version.version_number,
    }


def _shown(error: BaseException | None) -> str:
    """Return the error as text; its class's name if even that fails."""
    with Contained():
        return repr(error)[:SHOWN]
    return type(error).__name__
