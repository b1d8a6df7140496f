"""A record of the engine's runs and of the outcomes of rollbacks, to wait for either."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from examples.engine.runs import Run
from rollguard.client import EngineClient, RollbackOutcome


class Watch:
    """All runs and outcomes so far; it wakes the waiting tasks when a new one comes."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Run]] = defaultdict(list)
        self._outcomes: dict[int | None, tuple[RollbackOutcome, datetime]] = {}
        self._news = asyncio.Event()

    def add_run(self, run: Run) -> None:
        """Add a run of the engine whose execution was published."""
        self._runs[run.version.tool_name].append(run)
        self._wake()

    async def follow_outcomes(self, client: EngineClient, ready: asyncio.Event) -> None:
        """Add outcomes until cancelled; set ``ready`` as soon as no later outcome can be missed."""
        async for outcome in client.follow_outcomes(ready):
            # Outcomes are published at least once: keep the first time.
            self._outcomes.setdefault(outcome.from_version_id, (outcome, datetime.now(UTC)))
            self._wake()

    def runs_of(self, tool_name: str, version_id: int | None = None) -> Sequence[Run]:
        """Return the runs of a tool, of all its versions or of one, the oldest first."""
        runs = self._runs[tool_name]
        return [run for run in runs if version_id in (None, run.version.version_id)]

    def outcome_about(self, version_id: int) -> tuple[RollbackOutcome, datetime] | None:
        """Return the first outcome of a command to replace this version, and when it was read.

        None if there is no outcome yet.
        """
        return self._outcomes.get(version_id)

    async def until(self, holds: Callable[[], object]) -> None:
        """Return when the condition holds; it is checked after each new run or outcome."""
        while not holds():
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
