"""The loop: it connects version manager, monitor and engine, and tries all candidates."""

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
from examples.autonomous_loop.trial_runner import TrialRunner
from examples.engine.catalogue import TOOLS
from rollguard import DeploymentMonitor, ToolVersionManager
from rollguard.client import RollguardError, Settings

INTERVAL_S: Final = 0.05
"""Seconds between two runs of the same tool."""
POLL_S: Final = 1.0
"""Seconds between two polls of the monitor for the same tool."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Result:
    """All trials, the number of the monitor's polls, and how long the loop took."""

    trials: Sequence[Trial]
    polls: int
    elapsed_s: float

    @property
    def as_expected(self) -> bool:
        """Whether every candidate came out as expected."""
        return not any(trial.problems for trial in self.trials)


class AutonomousLoop:
    """A loop that improves several tools at the same time.

    It connects version management to an engine as any engine would: the caller makes the
    orchestrator and the neuron and passes them in. ``aclose`` closes the connections that
    version management has opened.
    """

    def __init__(
        self,
        execution_store: Settings,
        orchestrator: Orchestrator,
        autonomous_improvement: AutonomousImprovement,
    ) -> None:
        self.orchestrator = orchestrator
        self.version_manager = ToolVersionManager(execution_store)
        self.deployment_monitor = DeploymentMonitor(
            execution_store, version_manager=self.version_manager
        )
        self.autonomous_improvement = autonomous_improvement
        self.autonomous_improvement.version_manager = self.version_manager
        self._polls = 0

    async def aclose(self) -> None:
        """Close all connections of version management."""
        await self.version_manager.close()

    async def run(self, candidates: Sequence[Candidate], say: Callable[[str], None]) -> Result:
        """Deploy the first version of each tool, try all candidates, and return the result.

        ``say`` is called with a line of text for each event. Raises an ExceptionGroup if anything
        ends the loop early.
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
                watchers.append(group.create_task(self._poll(name)))
            trials = await asyncio.gather(*(self._improve(some, say) for some in by_tool.values()))
            stop.set()
            for task in watchers:
                task.cancel()
        found = [trial for some in trials for trial in some]
        return Result(found, self._polls, time.monotonic() - started)

    async def _deploy_first(self, tool_name: str) -> None:
        """Deploy the tool as it was before any improvement, whichever version is current.

        It is deployed as a person's version, so that the code is trusted again: a later rollback
        may lead back to it even if it was once rolled back itself.
        """
        tool = TOOLS[tool_name]
        await self.version_manager.create_version(
            tool_name, tool.code(1), created_by="human", improvement_reason=tool.does
        )

    async def _improve(
        self, candidates: Sequence[Candidate], say: Callable[[str], None]
    ) -> list[Trial]:
        """Try the candidates of one tool, one after the other."""
        runner = TrialRunner(
            self.version_manager,
            self.deployment_monitor,
            self.autonomous_improvement,
            self.orchestrator,
            say,
        )
        return [await runner.run(candidate) for candidate in candidates]

    async def _poll(self, tool_name: str) -> None:
        """Let the monitor check the tool again and again, in addition to the stream.

        A poll that fails because Kafka or Postgres does not answer is logged.
        """
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
