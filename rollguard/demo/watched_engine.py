"""The example engine, running for the demo, and what its runs say about a version."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from examples.engine.catalogue import TOOLS
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.runs import Run, follow_runs
from rollguard.client import client_settings
from rollguard.demo.live_view import LiveView
from rollguard.demo.rollback_outcomes import WAIT_S
from rollguard_client import LoadedTool, Rollguard
from schemas.settings import Settings

_PROOF_RUNS: Final = 3
"""This many successes of a version in a row prove that the engine runs it."""


class RunWatch:
    """The runs of the engine, counted for each version."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}
        self._streaks: dict[tuple[str, int], int] = {}
        self._sent: dict[UUID, float] = {}
        self._next_run = asyncio.Event()

    def add(self, run: Run) -> None:
        """Count one run."""
        key = (run.version.tool_name, run.version.version_number)
        execution = run.execution
        self._counts[key] = self._counts.get(key, 0) + 1
        self._streaks[key] = self._streaks.get(key, 0) + 1 if execution.success else 0
        self._sent[execution.execution_id] = time.perf_counter()
        self._next_run.set()
        self._next_run = asyncio.Event()

    def sent_at(self, execution_id: UUID) -> float | None:
        """Return when the engine had published the execution, by ``time.perf_counter``."""
        return self._sent.get(execution_id)

    async def wait_for_runs(self, tool: str, number: int, count: int) -> None:
        """Return when the version has run ``count`` times; TimeoutError if it does not."""
        await self._until(lambda: self._counts.get((tool, number), 0) >= count)

    async def works(self, tool: str, number: int) -> bool:
        """Return whether the version now runs several times in a row without a failure."""
        self._streaks[tool, number] = 0
        try:
            await self._until(lambda: self._streaks.get((tool, number), 0) >= _PROOF_RUNS)
        except TimeoutError:
            return False
        return True

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await self._next_run.wait()


@asynccontextmanager
async def watched_engine(settings: Settings, view: LiveView) -> AsyncIterator[RunWatch]:
    """Run all tools side by side until the end of the block."""
    watch, stop = RunWatch(), asyncio.Event()

    loop = asyncio.get_running_loop()

    def show(loaded: LoadedTool) -> None:
        loop.call_soon_threadsafe(view.loaded, loaded.version)

    def ran(run: Run) -> None:
        watch.add(run)
        view.ran(run)

    guard = Rollguard(client_settings(settings))
    try:
        engine = Engine(guard, stdlib_files())
        guard.registry.on_change.append(show)
        follow_runs(guard, ran)
        runs = [asyncio.create_task(engine.run([name], 0.05, stop)) for name in TOOLS]
        try:
            yield watch
        finally:
            stop.set()
            await asyncio.gather(*runs, return_exceptions=True)
    finally:
        await asyncio.to_thread(guard.close)
