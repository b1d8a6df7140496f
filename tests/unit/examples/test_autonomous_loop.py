"""The autonomous loop: the neuron's deployments, decisions, trials, and the report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from rich.console import Console

from examples.autonomous_loop.decision import Decision, decision_of
from examples.autonomous_loop.improvement import AutonomousImprovement
from examples.autonomous_loop.loop import Result
from examples.autonomous_loop.manifest import Candidate, Expected
from examples.autonomous_loop.orchestrator import Orchestrator
from examples.autonomous_loop.report import print_report
from examples.autonomous_loop.trial import Trial
from examples.autonomous_loop.trial_runner import TrialRunner
from examples.autonomous_loop.watch import Watch
from examples.engine.runs import Run
from rollguard import DeploymentMonitor, ToolVersionManager
from rollguard.client import DeploymentOutcome, DeploymentRefused
from rollguard_client import Execution, ToolVersion

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

GOOD = Candidate(
    "words", "faster", "code", {"root_cause": "too slow"}, Expected("kept", breaking=False)
)
BAD = replace(
    GOOD, name="broken", expected=Expected("rolled_back", True, "immediate signature_change")
)
KEPT = Trial(
    candidate=GOOD,
    verdict="kept",
    replaced=1,
    number=2,
    current=2,
    engine_runs_current=True,
    is_breaking=False,
    breaking_changes=(),
    runs=40,
    failures=0,
    median_ms=(9.0, 3.0),
)
DECISION = Decision(
    tier="immediate",
    reason="signature_change",
    issued_by="detector",
    executions=4,
    failures=4,
    failed=tuple(UUID(int=number << 96) for number in (1, 2, 3, 4)),
    error="TypeError: missing 'limit'\nand more",
    latency_s=0.0421,
)
ROLLED_BACK = replace(
    KEPT,
    candidate=BAD,
    verdict="rolled_back",
    current=1,
    is_breaking=True,
    breaking_changes=("execute() requires 'limit'.",),
    runs=6,
    failures=6,
    decision=DECISION,
)
REFUSED = replace(
    ROLLED_BACK,
    verdict="refused",
    number=1,
    is_breaking=False,
    breaking_changes=(),
    runs=0,
    failures=0,
    decision=None,
    refusal="refused: identical_to_rolled_back: it failed with TypeError",
)


def run(number: int, error: str | None) -> Run:
    """Return a run that ends ``number`` seconds after noon."""
    execution = Execution(
        execution_id=UUID(int=number),
        tool_name="words",
        success=error is None,
        error=error,
        executed_at=NOON + timedelta(seconds=number),
        duration_ms=500.0,
    )
    return Run(cast(ToolVersion, None), execution)


def record(*recent: int) -> dict[str, Any]:
    """Return a rollback as it is in a version's history."""
    return {
        "tier": "standard",
        "reason": "success_rate_drop",
        "issued_by": "detector",
        "details": {
            "recent": [str(UUID(int=number)) for number in recent],
            "executions": 12,
            "failures": 2,
        },
    }


class Versions:
    """A version manager that notes each created version."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []

    async def create_version(self, **fields: Any) -> int:
        self.created.append(fields)
        return 7


async def test_the_neuron_deploys_with_the_reason_that_was_found() -> None:
    neuron, versions = AutonomousImprovement(), Versions()
    neuron.version_manager = cast(ToolVersionManager, versions)
    assert await neuron.improve(GOOD) == {"tool_name": "words", "version_id": 7}
    assert versions.created == [
        {
            "tool_name": "words",
            "code": "code",
            "created_by": "autonomous",
            "improvement_type": "autonomous_improvement",
            "improvement_reason": "too slow",
            "previous_version_id": None,
        }
    ]


async def test_without_a_version_manager_nothing_is_deployed() -> None:
    assert await AutonomousImprovement().improve(GOOD) == {"tool_name": "words"}


def test_a_decision_holds_what_the_engine_knows_of_it() -> None:
    runs = [run(1, "KeyError: 'a'"), run(2, None), run(3, "KeyError: 'b'"), run(4, "KeyError: 'c'")]
    decision = decision_of(record(3, 2, 1), NOON + timedelta(seconds=3.6), runs)
    assert decision.rule == "standard success_rate_drop"
    assert (decision.executions, decision.failures) == (12, 2)
    assert decision.failed == (UUID(int=3), UUID(int=1))
    assert decision.error == "KeyError: 'b'"
    assert decision.latency_s == pytest.approx(0.6)


def test_of_another_engines_executions_only_the_record_is_known() -> None:
    decision = decision_of(record(9, 1), NOON, [run(1, "KeyError: 'a'")])
    assert (decision.failed, decision.latency_s) == ((UUID(int=1),), None)
    assert decision_of(record(9), NOON, []).error == ""
    assert decision_of(record(), NOON, []).latency_s is None


@pytest.mark.parametrize("trial", [KEPT, ROLLED_BACK, REFUSED])
def test_an_expected_trial_has_no_problems(trial: Trial) -> None:
    assert trial.problems == ()


@pytest.mark.parametrize(
    ("trial", "problem"),
    [
        (
            replace(ROLLED_BACK, verdict="kept", decision=None, current=2),
            "kept, but must be rolled_back",
        ),
        (
            replace(KEPT, verdict="undecided", rejection="pinned"),
            "undecided (rejected: pinned), but must be kept",
        ),
        (
            replace(ROLLED_BACK, decision=replace(DECISION, reason="consecutive_failures")),
            "decided by immediate consecutive_failures, but must be by immediate signature_change",
        ),
        (replace(REFUSED, candidate=GOOD), "refused, but must be kept"),
        (replace(KEPT, is_breaking=True), "is_breaking_change is True, but must be False"),
        (replace(KEPT, current=1), "v1 is current, but must be v2"),
        (replace(ROLLED_BACK, current=2), "v2 is current, but must be v1"),
        (
            replace(KEPT, engine_runs_current=False),
            "the engine does not run v2, which is current",
        ),
    ],
)
def test_a_problem_is_named(trial: Trial, problem: str) -> None:
    assert trial.problems == (problem,)
    assert not Result([KEPT, trial], 1, 1.0).as_expected


def test_the_monitor_may_see_a_version_later_by_another_rule() -> None:
    later = replace(DECISION, reason="consecutive_failures", issued_by="monitor")
    assert replace(ROLLED_BACK, decision=later).problems == ()


def reported(*trials: Trial) -> str:
    """Return the printed report, with all white space as single spaces."""
    out = StringIO()
    print_report(Console(file=out, width=160), Result(trials, polls=12, elapsed_s=8.6))
    return " ".join(out.getvalue().split())


def test_the_report_says_what_was_tried_and_why_it_was_rolled_back() -> None:
    text = reported(KEPT, ROLLED_BACK)
    for text_part in (
        "40 of 40 runs succeeded; 9.0 ms a run before, 3.0 ms now",
        "immediate signature_change: 4 of 4 failed",
        "6 runs until the engine had the version before again",
        "executions 00000001, 00000002, 00000003 and 1 more",
        "TypeError: missing 'limit'",
        "found at its deployment: execute() requires 'limit'.",
        "42 ms",
        "2 improvements tried: 1 kept, 1 rolled back 1 by immediate signature_change",
        "breaking changes were found in 1 at deployment; 0 of them kept",
        "first to command a rollback: detector 1; the monitor asked 12 times",
        "9 s; all went as they must",
    ):
        assert text_part in text
    assert "and more" not in text
    assert "WRONG" not in text


def test_the_report_says_what_went_wrong() -> None:
    text = reported(replace(KEPT, verdict="undecided", current=1), ROLLED_BACK)
    assert "WRONG: undecided, but must be kept" in text
    assert "WRONG: v1 is current, but must be v2" in text
    assert "0 kept, 1 rolled back, 1 undecided" in text
    assert "1 went otherwise than they must" in text


def test_the_report_says_what_was_refused_and_why() -> None:
    text = reported(KEPT, REFUSED)
    assert "refused: identical_to_rolled_back: it failed with TypeError" in text
    assert "2 improvements tried: 1 kept, 0 rolled back, 1 refused" in text
    assert "runs succeeded; 0.0 ms" not in text


async def test_a_refused_candidate_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = DeploymentOutcome(
        deployment_id=UUID(int=1),
        tool_name="words",
        status="refused",
        refusal="identical_to_rolled_back",
        applied_at=NOON,
    )

    class Refuses:
        async def get_current_version(self, tool_name: str) -> dict[str, Any]:
            return {"version_number": 3}

        async def create_version(self, **fields: Any) -> int:
            raise DeploymentRefused(outcome)

    said: list[str] = []
    neuron, versions = AutonomousImprovement(), cast(ToolVersionManager, Refuses())
    neuron.version_manager = versions
    watch = Watch()
    orchestrator = cast(Orchestrator, SimpleNamespace(session_id="s", watch=watch))
    runner = TrialRunner(versions, cast(DeploymentMonitor, None), neuron, orchestrator, said.append)
    monkeypatch.setattr(TrialRunner, "_has_baseline", lambda *_: True)
    trial = await runner.run(BAD)
    assert (trial.verdict, trial.current, trial.problems) == ("refused", 3, ())
    assert trial.refusal == "refused: identical_to_rolled_back"
    assert said == ["words: broken is refused"]


def test_a_report_without_trials() -> None:
    assert "0 improvements tried: 0 kept, 0 rolled back" in reported()
