"""The trial of a candidate: deploy it over a version that works, then wait for its verdict."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any, Final

from examples.autonomous_loop.decision import Decision, decision_of
from examples.autonomous_loop.improvement import AutonomousImprovement
from examples.autonomous_loop.manifest import Candidate, Verdict
from examples.autonomous_loop.orchestrator import Orchestrator
from examples.autonomous_loop.trial import Trial
from examples.engine.runs import Run
from rollguard import DeploymentMonitor, ToolVersionManager
from rollguard.client import DeploymentHeld, DeploymentRefused, Retryable

BASELINE_RUNS: Final = 10
"""A candidate is deployed after this number of successes of the version before."""
SURVIVED_RUNS: Final = 40
"""A candidate is kept after this number of runs if no rule holds for it."""
PROOF_RUNS: Final = 3
"""The newest runs, in this number, show which version the engine runs."""
LIMIT_S: Final = 60.0
"""The time limit of each wait, in seconds."""
_POLL_S: Final = 0.1


class TrialRunner:
    """A runner of trials; candidates of one tool must be tried one after the other.

    Verdicts come from ``version_manager`` and ``deployment_monitor``. ``say`` is called with a line
    of text for each event.
    """

    def __init__(
        self,
        version_manager: ToolVersionManager,
        deployment_monitor: DeploymentMonitor,
        improvement: AutonomousImprovement,
        orchestrator: Orchestrator,
        say: Callable[[str], None],
    ) -> None:
        self._versions = version_manager
        self._monitor = deployment_monitor
        self._improvement = improvement
        self._session_id = orchestrator.session_id
        self._watch = orchestrator.watch
        self._say = say

    async def run(self, candidate: Candidate) -> Trial:
        """Try one candidate and return the result.

        Raises TimeoutError if the version before does not succeed often enough in time, and what
        version manager and monitor raise. A wait that times out after the deployment is no error:
        the result says so.
        """
        tool_name = candidate.tool_name
        if not await self._in_time(lambda: self._has_baseline(tool_name)):
            raise TimeoutError(f"{tool_name}: not {BASELINE_RUNS} successes within {LIMIT_S:g} s")
        before = await self._current(tool_name)
        try:
            deployment = await self._improvement.improve(candidate)
        except (DeploymentRefused, DeploymentHeld) as refused:
            self._say(f"{tool_name}: {candidate.name} is refused")
            return _refused(candidate, before["version_number"], str(refused))
        version_id: int = deployment["version_id"]
        self._say(f"{tool_name}: {candidate.name} is deployed")
        verdict = await self._verdict(tool_name, version_id)
        self._say(f"{tool_name}: {candidate.name} is {verdict.replace('_', ' ')}")
        return await self._result(candidate, verdict, before, version_id)

    def _has_baseline(self, tool_name: str) -> bool:
        runs = self._watch.runs_of(tool_name)
        same = [run for run in runs if run.version.activation == runs[-1].version.activation]
        return sum(run.execution.success for run in same) >= BASELINE_RUNS

    async def _verdict(self, tool_name: str, version_id: int) -> Verdict:
        """Wait for the verdict and return it.

        The candidate is rolled back as soon as an outcome says so, and kept as soon as the detector
        has judged enough runs without a rule that holds.
        """
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._watch.until(
                    lambda: (
                        self._watch.outcome_about(version_id)
                        or len(self._watch.runs_of(tool_name, version_id)) >= SURVIVED_RUNS
                    )
                )
                while (about := self._watch.outcome_about(version_id)) is None:
                    if await self._survived(tool_name, version_id):
                        return "kept"
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            return "undecided"
        return "rolled_back" if about[0].status == "applied" else "undecided"

    async def _survived(self, tool_name: str, version_id: int) -> bool:
        try:
            health = await self._monitor.check_health(tool_name, self._session_id)
        except Retryable:
            return False  # it is asked again
        return (
            health["version_id"] == version_id
            and health["total_executions"] >= SURVIVED_RUNS
            and not health["needs_rollback"]
        )

    async def _result(
        self, candidate: Candidate, verdict: Verdict, before: dict[str, Any], version_id: int
    ) -> Trial:
        tool_name = candidate.tool_name
        current = await self._current(tool_name)
        engine_runs_current = await self._in_time(
            lambda: _are_proof_of(
                self._watch.runs_of(tool_name)[-PROOF_RUNS:], current["activation"]
            )
        )
        history = await self._versions.get_version_history(tool_name)
        version = next(each for each in history if each["version_id"] == version_id)
        runs = self._watch.runs_of(tool_name, version_id)
        about = self._watch.outcome_about(version_id)
        return Trial(
            candidate=candidate,
            verdict=verdict,
            replaced=before["version_number"],
            number=version["version_number"],
            current=current["version_number"],
            engine_runs_current=engine_runs_current,
            is_breaking=version["is_breaking_change"],
            breaking_changes=tuple(version["breaking_changes"]),
            runs=len(runs),
            failures=sum(not run.execution.success for run in runs),
            median_ms=(
                _median_ms(self._watch.runs_of(tool_name, before["version_id"])),
                _median_ms(runs),
            ),
            decision=self._decision_on(version) if verdict == "rolled_back" else None,
            rejection=about[0].rejection if about else None,
        )

    def _decision_on(self, version: dict[str, Any]) -> Decision:
        about = self._watch.outcome_about(version["version_id"])
        assert about is not None, "it is rolled back by that outcome"
        outcome, read_at = about
        record = next(
            each for each in version["rollbacks"] if each["command_id"] == outcome.command_id
        )
        return decision_of(record, read_at, self._watch.runs_of(outcome.tool_name))

    async def _current(self, tool_name: str) -> dict[str, Any]:
        current = await self._versions.get_current_version(tool_name)
        assert current is not None, "every tool is deployed before a candidate is tried"
        return current

    async def _in_time(self, holds: Callable[[], bool]) -> bool:
        """Return whether the condition holds within the time limit."""
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._watch.until(holds)
        except TimeoutError:
            return False
        return True


def _refused(candidate: Candidate, current: int, refusal: str) -> Trial:
    """Return the result of a candidate that was not deployed, so that nothing has changed."""
    return Trial(
        candidate=candidate,
        verdict="refused",
        replaced=current,
        number=current,
        current=current,
        engine_runs_current=True,
        is_breaking=False,
        breaking_changes=(),
        runs=0,
        failures=0,
        median_ms=(0.0, 0.0),
        refusal=refusal,
    )


def _are_proof_of(runs: Sequence[Run], activation: int) -> bool:
    return len(runs) == PROOF_RUNS and {run.version.activation for run in runs} == {activation}


def _median_ms(runs: Iterable[Run]) -> float:
    return median([run.execution.duration_ms or 0 for run in runs] or [0.0])
