"""Loading versions: what a loader raises is the fault of the version; only some load at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from rollguard_client.event_log import EventLog
from rollguard_client.registry.interruption import Contained
from rollguard_client.registry.versions import V, Version, named

LOADS_AT_ONCE: Final = 8
"""How many versions a registry loads at the same time, unless it is told otherwise."""
SHOWN: Final = 2_000
"""How many characters of an error are logged."""


class Loaded(Protocol):
    """A current version, and what the loader has made of it. One of the others is None."""

    @property
    def version(self) -> Version: ...  # noqa: D102
    @property
    def tool(self) -> Any: ...  # noqa: D102
    @property
    def error(self) -> BaseException | None: ...  # noqa: D102


L = TypeVar("L", bound=Loaded)


class Loads(Generic[V, L]):
    """The loads and unloads of one registry.

    ``load`` and ``unload`` are the loader's. ``made`` makes what is in use of a version, and of its
    tool or its error.
    """

    def __init__(
        self,
        load: Callable[[V], Awaitable[Any]],
        unload: Callable[[L], Awaitable[None]],
        made: Callable[[V, Any, BaseException | None], L],
        log: EventLog,
        at_once: int = LOADS_AT_ONCE,
    ) -> None:
        self._load = load
        self._unload = unload
        self._made = made
        self._log = log
        self._free = asyncio.Semaphore(at_once)

    async def load(self, version: V) -> L:
        """Load a version as soon as fewer than ``at_once`` others are loading."""
        async with self._free:
            with Contained() as load:
                return self._made(version, await self._load(version), None)
        self._log.warning("tool_load_failed", **named(version), error=_shown(load.error))
        return self._made(version, None, load.error)

    async def unload(self, loaded: L) -> None:
        """Unload a tool, if the version could be loaded."""
        if loaded.tool is None:
            return
        with Contained() as unload:
            await self._unload(loaded)
        if unload.error is not None:
            self._log.error("tool_unload_failed", exc_info=unload.error)


def _shown(error: BaseException | None) -> str:
    """Return the error as text; its class's name if even that fails."""
    with Contained():
        return repr(error)[:SHOWN]
    return type(error).__name__
