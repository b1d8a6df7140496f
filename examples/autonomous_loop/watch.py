"""What the loop sees while it runs: the runs of the engine, and the outcomes of rollbacks."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from examples.engine.engine import Run
from rollguard.client import EngineClient, RollbackOutcome


class Watch:
    """Keeps what it is told, and wakes who waits for it."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Run]] = defaultdict(list)
        self._outcomes: dict[int | None, tuple[RollbackOutcome, datetime]] = {}
        self._news = asyncio.Event()

    def ran(self, run: Run) -> None:
        """Take in one run of the engine, after its execution was published."""
        self._runs[run.version.tool_name].append(run)
        self._wake()

    async def follow_outcomes(self, client: EngineClient, ready: asyncio.Event) -> None:
        """Take in outcomes without end; ``ready`` is set as soon as none is missed any more."""
        async for outcome in client.follow_outcomes(ready):
            # published at least once: the first time is the one that counts
            self._outcomes.setdefault(outcome.from_version_id, (outcome, datetime.now(UTC)))
            self._wake()

    def runs_of(self, tool_name: str, version_id: int | None = None) -> Sequence[Run]:
        """The runs of the tool, of all its versions or of one, the oldest first."""
        runs = self._runs[tool_name]
        return [run for run in runs if version_id in (None, run.version.version_id)]

    def outcome_about(self, version_id: int) -> tuple[RollbackOutcome, datetime] | None:
        """The first outcome of a command to replace this version, and when it was read; None so
        far.
        """
        return self._outcomes.get(version_id)

    async def until(self, holds: Callable[[], object]) -> None:
        """Return when the condition holds; it is asked at everything new."""
        while not holds():
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
