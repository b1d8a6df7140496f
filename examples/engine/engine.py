"""The engine: it calls tools on files, one after the other, and publishes each execution."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import structlog

from examples.engine.catalogue import TOOLS, Call
from examples.engine.tool_process import ToolFailed, ToolProcess
from rollguard.client import ErrorOrigin, Execution, Retryable, ToolVersion
from rollguard.registry import LoadedTool, ToolRegistry

log = structlog.get_logger()


@dataclass(frozen=True)
class Run:
    """One call of a tool: the version, the file, the published execution, and the result."""

    version: ToolVersion
    path: Path
    execution: Execution
    result: Any


class PublishesExecutions(Protocol):
    """A client of Rollguard, as far as the engine needs it."""

    async def publish_execution(self, execution: Execution) -> None:
        """Publish one execution of a tool."""


class Engine:
    """An engine that runs each tool of the catalogue in the version that the registry has loaded.

    Each tool works on ``files`` in turn, from the first one on. The callbacks in ``on_run`` get
    every run after its execution was published; they must not block.
    """

    def __init__(
        self,
        client: PublishesExecutions,
        registry: ToolRegistry[ToolProcess],
        files: Sequence[Path],
        *,
        session_id: str | None = None,
    ) -> None:
        self._client = client
        self._registry = registry
        self._files = {name: cycle(files) for name in TOOLS}
        self._session_id = session_id or f"engine-{uuid4().hex[:8]}"
        self.on_run: list[Callable[[Run], None]] = []

    async def run_once(self, tool_name: str) -> Run | None:
        """Call the tool on its next file, publish the execution, and return the run.

        Return None as long as the tool has no version. If the tool fails, that is a run like any
        other. Raises what ``publish_execution`` raises.
        """
        loaded = await self._registry.load(tool_name)
        if loaded is None:
            return None
        path = next(self._files[tool_name])
        run = await self._call(loaded, path, TOOLS[tool_name].call(str(path)))
        await self._client.publish_execution(run.execution)
        for callback in self.on_run:
            callback(run)
        return run

    async def run(self, tools: Iterable[str], interval_s: float, stop: asyncio.Event) -> None:
        """Call all tools in turn until ``stop`` is set, with ``interval_s`` seconds between calls.

        If Kafka does not answer, the engine logs it and goes on; that execution is lost.
        """
        for tool_name in cycle(tuple(tools)):
            try:
                await self.run_once(tool_name)
            except Retryable as error:
                log.warning("execution_not_published", tool=tool_name, error=str(error))
            if await _is_set_within(stop, interval_s):
                return

    async def _call(self, loaded: LoadedTool[ToolProcess], path: Path, call: Call) -> Run:
        started, executed_at = time.perf_counter(), datetime.now(UTC)
        result, failure = None, loaded.error
        if loaded.tool is not None:
            try:
                result = await loaded.tool.call(*call.args, **call.kwargs)
            except ToolFailed as error:
                failure = error
        execution = Execution(
            execution_id=uuid4(),
            tool_name=loaded.version.tool_name,
            version_id=loaded.version.version_id,
            success=failure is None,
            error=None if failure is None else _error_text(failure),
            error_type=None if failure is None else _error_type(failure),
            error_origin=None if failure is None else _error_origin(path),
            executed_at=executed_at,
            duration_ms=(time.perf_counter() - started) * 1000,
            session_id=self._session_id,
        )
        return Run(loaded.version, path, execution, result)


def _error_type(error: BaseException) -> str:
    return error.error_type if isinstance(error, ToolFailed) else type(error).__name__


def _error_origin(path: Path) -> ErrorOrigin | None:
    """Return whose failure it is, as far as the engine knows it; None if the settings must say.

    A tool that was called with a file that is not there has not failed: the engine has named it.
    What the tool itself says of its failure is no reason to believe it.
    """
    return None if path.is_file() else "caller"


def _error_text(error: BaseException) -> str:
    return str(error) if isinstance(error, ToolFailed) else f"{type(error).__name__}: {error}"


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
