"""The loader that runs each version in a process of its own."""

import asyncio
import os
from concurrent.futures import Future
from math import inf
from typing import Any

from rollguard_client.errors import Misconfigured
from rollguard_client.messages.deployment import ToolVersion
from rollguard_client.publishing.background import Background
from rollguard_client.registry.child.tool_process import CALL_LIMIT_S, ToolProcess
from rollguard_client.requests.following import result_of


class ChildLoader:
    """Runs each version in a process of its own: ``guard.managed("name", loader=ChildLoader())``.

    The code's function is ``execute``. Arguments and results travel as JSON. A call that takes more
    than ``limit_s`` seconds fails, and the next one gets a new process. The process has no
    environment variables, limits on CPU, memory, files and processes, and where the system permits
    it no network. It is no sandbox: it runs as the user of the engine.
    """

    def __init__(self, limit_s: float = CALL_LIMIT_S) -> None:
        """Raise Misconfigured if the limit is no number of seconds: each load would fail."""
        if not isinstance(limit_s, int | float) or not 0 < limit_s < inf:
            raise Misconfigured(f"limit_s: {limit_s!r:.100} is no number of seconds above 0")
        self._limit_s = limit_s

    def load(self, version: ToolVersion) -> "ChildTool":
        """Start the process. Raises ToolFailed if the code cannot be loaded."""
        tool = ChildTool(version.code, self._limit_s)
        try:
            tool.start()
        except BaseException:
            tool.close()
            raise
        return tool

    def unload(self, tool: "ChildTool") -> None:
        """End the process after its current call."""
        tool.close()


class ChildTool:
    """A version in a process: ``tool(…)`` in a thread, or ``await tool.later(…)``."""

    def __init__(self, code: str, limit_s: float) -> None:
        self._code = code
        self._limit_s = limit_s
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._background = Background("rollguard-child")
        self._process = ToolProcess(self._code, self._limit_s)

    def start(self) -> None:
        """Start the process. Raises ToolFailed."""
        result_of(self._background.submit(self._process.start()))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the tool returns. Raises ToolFailed."""
        return result_of(self._calling(args, kwargs))

    async def later(self, *args: Any, **kwargs: Any) -> Any:
        """Do the same in a coroutine."""
        return await asyncio.wrap_future(self._calling(args, kwargs))

    def _calling(self, args: Any, kwargs: Any) -> "Future[Any]":
        if os.getpid() != self._pid:  # the process belongs to the one that has forked us
            self._process.abandon()
            self._background.after_fork()
            self._begin()
        return self._background.submit(self._process.call(*args, **kwargs))

    def close(self) -> None:
        """End the process after its current call."""
        if os.getpid() != self._pid:
            return
        try:
            result_of(self._background.submit(self._process.close()))
        finally:
            self._background.stop(1.0)
