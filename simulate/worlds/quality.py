"""Versions whose executions succeed: how long these take, and what judges say of them later.

Everything is judged by policy `guarded`: its tests of failures and its quality tests together, at
every execution. The other tools that are compared look at failures alone.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import exp, inf, pi, sin
from random import Random
from statistics import median
from typing import Final, NamedTuple
from uuid import UUID

from policy.state.evidence import Evidence
from policy.state.quality.later_verdicts import LaterVerdicts
from policy.state.quality.measured import Measured
from policy.state.quality.quality import Quality
from policy.statistics.intervals import wilson
from policy.weighing.betting_tables import EvidenceNumbers, betting_tables_of
from policy.weighing.quality_tests import QualityNumbers, quality_tests
from policy.weighing.weighing import condemns
from schemas.failures.error_class import SIGNATURE_ERRORS
from schemas.rules.rules import Rules
from simulate.worlds.draws import Outcome, outcomes, steady
from simulate.worlds.parallel import in_processes

BASELINE: Final = 500
HEALTHY: Final = 500
"""For so many executions a version is watched."""
SPREAD: Final = 0.4
"""The standard deviation of the logarithm of a duration: the 95 % quantile is 1.9 medians."""
BAD: Final = 0.02
"""The share of verdicts that are bad, of a healthy version."""
CERTAIN: Final = 0.9
"""The tests of failures give few false rollbacks from this success rate on."""
RARE_S: Final = 300.0
"""Executions as rare as this are too few within an hour to show a daily rhythm."""
_RULES: Final = Rules(policy="guarded")
_FAILURES: Final = EvidenceNumbers.of(_RULES)
_QUALITY: Final = QualityNumbers.of(_RULES)
_DAY_S: Final = 86_400
WARM_UP: Final = _RULES.warm_up_executions
"""So many successes are not compared."""


class Durations(NamedTuple):
    """How durations are drawn: by a name of ``_DRAWN``, at one execution every ``interval_s``."""

    drawn: str
    interval_s: float = 5.0
    rhythm: float = 0.0
    """By how much of the average load makes them longer and shorter in the course of a day."""


class QualityScenario(NamedTuple):
    """One row of the table."""

    name: str
    durations: Durations
    success_rate: float = 0.99
    factor: float = 1.0
    """How many times as long the executions of the version take as those of its baseline."""
    bad: float = BAD
    """The share of bad verdicts on the version."""
    baseline: int = BASELINE

    @property
    def is_healthy(self) -> bool:
        """Whether the version is as good as its baseline version."""
        return self.factor == 1 and self.bad == BAD

    def repetitions(self, most: int, others: int) -> int:
        """Return how often it is repeated, if at most so often for healthy and other versions.

        The more false rollbacks there are, the more repetitions show the promise: the tests of
        failures give some, and a daily rhythm does if executions are frequent.
        """
        if not self.is_healthy:
            return min(most, others)
        if self.success_rate < CERTAIN and self.baseline == BASELINE:
            return 2 * most
        if self.durations.rhythm and self.durations.interval_s < RARE_S:
            return most
        return most * 2 // 5


class QualityCell(NamedTuple):
    """For each repetition, the number of the execution that condemned the version, or None."""

    scenario: QualityScenario
    condemned: tuple[int | None, ...]

    @property
    def found(self) -> int:
        """How many versions were condemned."""
        return len(self.condemned) - self.condemned.count(None)

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95 % interval (Wilson) of the share of versions that were condemned."""
        return wilson(self.found, len(self.condemned))

    @property
    def median(self) -> float:
        """The median number of executions until a version is condemned; infinite if none is."""
        return median(inf if at is None else float(at) for at in self.condemned)


USUAL: Final = Durations("lognormal")


def all_quality_scenarios() -> list[QualityScenario]:
    """Return all scenarios in the order of the table."""
    return [
        *(
            QualityScenario(
                f"healthy, {rate:g} succeed, {known} before", USUAL, rate, 1, BAD, known
            )
            for rate, known in ((0.5, 500), (0.7, 100), (0.7, 500), (0.9, 500), (0.99, 500))
        ),
        QualityScenario("healthy, heavy tails (Pareto 1.2)", Durations("pareto")),
        QualityScenario("healthy, slow ones in runs", Durations("runs")),
        *(
            QualityScenario(
                f"healthy, a day's rhythm of 30 %, one every {interval:g} s",
                Durations("lognormal", interval, 0.3),
            )
            for interval in (5, 15, 60, 300)
        ),
        *(
            QualityScenario(f"50 % slower, {known} before", USUAL, 1.0, 1.5, BAD, known)
            for known in (100, 500)
        ),
        QualityScenario("twice as slow, 500 before", USUAL, 1.0, 2.0),
        QualityScenario("ten times as slow, 500 before", USUAL, 1.0, 10.0),
        *(
            QualityScenario(
                f"{BAD:.0%} to 30 % judged bad, {known} before", USUAL, 1.0, 1, 0.3, known
            )
            for known in (100, 500)
        ),
    ]


def simulate_quality(
    wanted: Sequence[tuple[QualityScenario, int]], seed: int, processes: int
) -> list[QualityCell]:
    """Judge each scenario so many times; return a cell for each, in this order."""
    jobs = [(scenario, f"{seed}/{number}") for scenario, times in wanted for number in range(times)]
    found = iter(in_processes(condemned_at, jobs, processes, at_once=50))
    return [QualityCell(scenario, tuple(islice(found, times))) for scenario, times in wanted]


class _Step(NamedTuple):
    """One execution, at a time in seconds; a verdict follows it if it succeeds."""

    second: int
    outcome: Outcome
    duration: float
    cost: float
    bad: bool


def condemned_at(job: tuple[QualityScenario, str]) -> int | None:
    """Return the number of the execution that condemns the version, from 1; None if none does."""
    scenario, seed = job
    random = Random(f"quality/{scenario.name}/{seed}")
    begin_s = random.uniform(_DAY_S, 2 * _DAY_S)
    number = scenario.baseline + HEALTHY
    steps = list(_steps(scenario, number, begin_s, random))
    before, life = steps[: scenario.baseline], steps[scenario.baseline :]
    version = _Judge(None, Quality(Measured(), Measured(), LaterVerdicts()))
    for step in before:
        version.condemned_by(step)
    left = version.quality.replaced(1, 2, False, before[-1].second, _RULES)
    judge = _Judge(version.evidence, left)
    return next((at for at, step in enumerate(life, 1) if judge.condemned_by(step)), None)


class _Judge:
    """Judges one version, execution by execution."""

    def __init__(self, before: Evidence | None, quality: Quality) -> None:
        self.evidence, self.quality = Evidence(), quality
        self._baseline = None if before is None else before.baseline
        self._tables = betting_tables_of(self._baseline, _FAILURES)
        self._verdicts = 0

    def condemned_by(self, step: _Step) -> bool:
        """Count the execution and its verdict; return whether any test condemns the version."""
        if step.outcome is not None:
            is_signature_error = step.outcome in SIGNATURE_ERRORS
            self.evidence.add_failure(is_signature_error, self._tables.break_bets)
            return condemns(self.evidence, self._baseline, _FAILURES)
        self.evidence.add_success()
        quality = self.quality
        self._verdicts += 1
        speaks = step.bad
        for measured, number in ((quality.durations, step.duration), (quality.costs, step.cost)):
            assert measured is not None
            speaks |= measured.count(number, step.second, _RULES)
        assert quality.verdicts is not None
        quality.verdicts.count(UUID(int=self._verdicts), step.bad)
        if not speaks:
            return False
        return any(test.condemns for test in quality_tests(quality, _QUALITY))


def _steps(
    scenario: QualityScenario, number: int, begin_s: float, random: Random
) -> Iterator[_Step]:
    durations, costs = (
        _DRAWN[drawn](number, random) for drawn in (scenario.durations.drawn, "lognormal")
    )
    results = outcomes([steady(number, scenario.success_rate)], None, random)
    for index, outcome in enumerate(results):
        second = begin_s + index * scenario.durations.interval_s
        load = 1 + scenario.durations.rhythm * sin(2 * pi * second / _DAY_S)
        is_new = index >= scenario.baseline
        duration = durations[index] * load * (scenario.factor if is_new else 1)
        is_bad = random.random() < (scenario.bad if is_new else BAD)
        yield _Step(int(second), outcome, duration, costs[index], is_bad)


def _lognormal(number: int, random: Random) -> list[float]:
    return [100 * random.lognormvariate(0, SPREAD) for _ in range(number)]


def _pareto(number: int, random: Random) -> list[float]:
    return [100 * random.paretovariate(1.2) for _ in range(number)]


def _in_runs(number: int, random: Random) -> list[float]:
    """Draw durations of which each resembles the one before it."""
    found, now = [], random.gauss(0, 1)
    for _ in range(number):
        now = 0.6 * now + 0.8 * random.gauss(0, 1)
        found.append(100 * exp(SPREAD * now))
    return found


_DRAWN: Final[dict[str, Callable[[int, Random], list[float]]]] = {
    "lognormal": _lognormal,
    "pareto": _pareto,
    "runs": _in_runs,
}
