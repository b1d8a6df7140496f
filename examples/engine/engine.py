"""The engine: it calls tools on files, one after the other. The client does all the rest."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from examples.engine.catalogue import TOOLS
from rollguard_client import ChildLoader, Rollguard

_PATH: Final[ContextVar[Path]] = ContextVar("path")


class Engine:
    """Runs each tool of the catalogue in its current version, in a process of its own.

    Each tool works on ``files`` in turn, from the first one on.
    """

    def __init__(self, guard: Rollguard, files: Sequence[Path], session_id: str = "") -> None:
        session = session_id or f"engine-{uuid4().hex[:8]}"
        self._files = {name: cycle(files) for name in TOOLS}
        self._tools = {
            name: guard.managed(name, loader=ChildLoader(), origin=_origin, session=session)(_tool)
            for name in TOOLS
        }

    async def run_once(self, tool_name: str) -> None:
        """Call the tool on its next file. If it fails, or has no version yet, that is no error."""
        path = next(self._files[tool_name])
        _PATH.set(path)
        call = TOOLS[tool_name].call(str(path))
        with suppress(Exception):
            await self._tools[tool_name](*call.args, **call.kwargs)

    async def run(self, tools: Iterable[str], interval_s: float, stop: asyncio.Event) -> None:
        """Call all tools in turn until ``stop`` is set, with ``interval_s`` seconds in between."""
        for tool_name in cycle(tuple(tools)):
            await self.run_once(tool_name)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), interval_s)
            if stop.is_set():
                return


async def _tool(*args: Any, **kwargs: Any) -> Any:
    """Stand for a tool, whose code is in Rollguard."""


def _origin(_: BaseException) -> Any:
    """Return whose failure it is: a tool that was called with a file that is not there has none."""
    return None if _PATH.get().is_file() else "caller"
