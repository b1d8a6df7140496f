"""The loop: wires version manager, monitor and engine, and tries improvement after improvement."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog

from examples.autonomous_loop.improvement import AutonomousImprovement
from examples.autonomous_loop.manifest import Candidate
from examples.autonomous_loop.orchestrator import Orchestrator, orchestrated
from examples.autonomous_loop.trial import Trial
from examples.autonomous_loop.trial_runner import Trials
from examples.engine.catalogue import TOOLS
from rollguard import DeploymentMonitor, ToolVersionManager
from rollguard.client import RollguardError, Settings

INTERVAL_S: Final = 0.05
"""Between two runs of the same tool."""
POLL_S: Final = 1.0
"""Between two questions of the monitor about the same tool."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Result:
    """All trials, how often the monitor asked, and how long all of it took."""

    trials: Sequence[Trial]
    polls: int
    elapsed_s: float

    @property
    def as_it_must(self) -> bool:
        """Whether everything came out as it had to."""
        return not any(trial.problems for trial in self.trials)


class AutonomousLoop:
    """Improves the tools that its candidates are for, side by side.

    The integration points are wired as for any engine: whoever makes the orchestrator and the
    neuron hands them in. :meth:`aclose` gives back what version management has opened.
    """

    def __init__(
        self,
        execution_store: Settings,
        orchestrator: Orchestrator,
        autonomous_improvement: AutonomousImprovement,
    ) -> None:
        self.orchestrator = orchestrator
        self.version_manager = ToolVersionManager(
            execution_store=execution_store,
            tool_registry=orchestrator.tool_registry,
        )
        self.deployment_monitor = DeploymentMonitor(
            execution_store=execution_store,
            tool_registry=orchestrator.tool_registry,
            version_manager=self.version_manager,
        )
        self.autonomous_improvement = autonomous_improvement
        self.autonomous_improvement.version_manager = self.version_manager
        self._polls = 0

    async def aclose(self) -> None:
        """Give back all connections."""
        await self.version_manager.close()

    async def run(self, candidates: Sequence[Candidate], say: Callable[[str], None]) -> Result:
        """Deploy the tools as the catalogue has them first, try all candidates, and return what
        came of them. ``say`` is told what happens.

        Raises an ExceptionGroup of what ended it before its time.
        """
        started = time.monotonic()
        by_tool: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            by_tool.setdefault(candidate.tool_name, []).append(candidate)
        ready, stop = asyncio.Event(), asyncio.Event()
        watch, client = self.orchestrator.watch, self.orchestrator.client
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(watch.follow_outcomes(client, ready))]
            await ready.wait()
            await asyncio.gather(*(self._deploy_first(name) for name in by_tool))
            say(f"{len(by_tool)} tools run; {len(candidates)} candidates to try")
            for name in by_tool:
                group.create_task(self.orchestrator.engine.run([name], INTERVAL_S, stop))
                watchers.append(group.create_task(self._watch_over(name)))
            trials = await asyncio.gather(*(self._improve(some, say) for some in by_tool.values()))
            stop.set()
            for task in watchers:
                task.cancel()
        found = [trial for some in trials for trial in some]
        return Result(found, self._polls, time.monotonic() - started)

    async def _deploy_first(self, tool_name: str) -> None:
        """The tool as it was before any improvement, whatever is current now: a person's wish, by
        which this code may be gone back to again.
        """
        tool = TOOLS[tool_name]
        await self.version_manager.create_version(
            tool_name, tool.code(1), created_by="human", improvement_reason=tool.does
        )

    async def _improve(
        self, candidates: Sequence[Candidate], say: Callable[[str], None]
    ) -> list[Trial]:
        """Try the candidates of one tool."""
        trials = Trials(
            self.version_manager,
            self.deployment_monitor,
            self.autonomous_improvement,
            self.orchestrator,
            say,
        )
        return [await trials.of(candidate) for candidate in candidates]

    async def _watch_over(self, tool_name: str) -> None:
        """Poll without end, beside the stream. A part that does not answer is asked again."""
        while True:
            try:
                await self.deployment_monitor.auto_rollback_if_needed(
                    tool_name, self.orchestrator.session_id, check_fast_rollback=True
                )
            except RollguardError as error:
                log.warning("monitor_poll_failed", tool=tool_name, error=str(error))
            else:
                self._polls += 1
            await asyncio.sleep(POLL_S)


async def run_loop(
    settings: Settings, candidates: Sequence[Candidate], say: Callable[[str], None]
) -> Result:
    """Run an engine and its loop on a running system until all candidates are tried."""
    async with (
        orchestrated(settings) as orchestrator,
        aclosing(AutonomousLoop(settings, orchestrator, AutonomousImprovement())) as loop,
    ):
        return await loop.run(candidates, say)
