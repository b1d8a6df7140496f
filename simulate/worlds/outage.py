"""An outage: for three minutes every tool fails, because something fails that all depend on."""

from collections.abc import Sequence
from math import inf
from random import Random
from statistics import fmean, median, stdev
from typing import Final, NamedTuple

from schemas.rules.rules import Rules
from simulate.deciders.decider import DECIDERS
from simulate.worlds.detector import rolled_back
from simulate.worlds.draws import OTHER_ERROR, outcomes, steady
from simulate.worlds.fleet import rolled_back_in_fleet
from simulate.worlds.histories import Call, History, times_between, times_until
from simulate.worlds.parallel import in_processes
from streams.partitions import partition_of

TOOLS: Final = 40
FEW_TOOLS: Final = (10, 20)
"""So few that most partitions have fewer tools than an outage needs there."""
PARTITIONS: Final = 4
RATES: Final = (0.5, 0.7, 0.9, 0.95, 0.99)
BASELINE: Final = 500
BEGIN_MS: Final = 1_700_000_000_000
OUTAGE_S: Final = 180
END_MS: Final = BEGIN_MS + OUTAGE_S * 1_000
BROKE_MS: Final = (BEGIN_MS + END_MS) // 2
"""From this time on the first tool fails, with the outage and after it."""
AGE_S: Final = 1_200
"""The greatest age of a version when the outage begins."""
AFTER_S: Final = 600
"""The tools are watched for so long after the outage."""
_OUTAGE_ERROR: Final = "ConnectionError"


class World(NamedTuple):
    """How many tools there are, and how often each succeeds."""

    tools: int
    rate: float


class OneRun(NamedTuple):
    """The decisions of one decider in one run of the simulation."""

    world: World
    decider: str
    healthy: int
    """The number of healthy tools that were rolled back."""
    healthy_without: int
    """The same number in the same run without the outage."""
    broken_after_s: float | None
    """Seconds from the end of the outage until the tool that broke in it is rolled back; infinite
    if it is not, None if it was rolled back before it broke."""
    broken_without_s: float | None
    """Seconds from the moment at which it broke, in the same run without the outage."""


class Runs(NamedTuple):
    """All runs of a decider in one world."""

    runs: tuple[OneRun, ...]

    @property
    def healthy(self) -> float:
        """The average number of healthy tools rolled back in a run."""
        return fmean(run.healthy for run in self.runs)

    @property
    def healthy_without(self) -> float:
        """The same average without the outage."""
        return fmean(run.healthy_without for run in self.runs)

    @property
    def more(self) -> tuple[float, float]:
        """The 95 % interval of how many more healthy tools are rolled back with the outage.

        It is the interval of the average, from its standard error. There must be at least two runs.
        """
        more = [run.healthy - run.healthy_without for run in self.runs]
        reach = 1.96 * stdev(more) / len(more) ** 0.5
        return fmean(more) - reach, fmean(more) + reach

    @property
    def seconds(self) -> list[float]:
        """The seconds until the broken tool was rolled back, if it was there when it broke."""
        return [run.broken_after_s for run in self.runs if run.broken_after_s is not None]

    @property
    def broken(self) -> tuple[float, float] | None:
        """The median of the seconds and their 95 % quantile; None if there are none."""
        return _spread(self.seconds)

    @property
    def broken_without(self) -> tuple[float, float] | None:
        """The same without the outage, from the moment at which the tool broke."""
        return _spread([r.broken_without_s for r in self.runs if r.broken_without_s is not None])


def _spread(seconds: Sequence[float]) -> tuple[float, float] | None:
    if not seconds:
        return None
    return median(seconds), sorted(seconds)[min(int(0.95 * len(seconds)), len(seconds) - 1)]


def simulate_outages(
    number: int, seed: int, processes: int, worlds: Sequence[World]
) -> dict[tuple[World, str], Runs]:
    """Simulate ``number`` runs for each world; return them by world and decider.

    All deciders see the same draws.
    """
    jobs = [(world, f"{seed}/{run}") for world in worlds for run in range(number)]
    done = [run for runs in in_processes(_runs, jobs, processes) for run in runs]
    return {
        (world, decider): Runs(tuple(r for r in done if (r.world, r.decider) == (world, decider)))
        for world in worlds
        for decider in DECIDERS
    }


def _runs(job: tuple[World, str]) -> list[OneRun]:
    world, seed = job
    usual = [_history(number, world, seed) for number in range(world.tools)]
    usual[0] = _failing_between(usual[0], BROKE_MS, inf, OTHER_ERROR)
    struck = [_failing_between(tool, BEGIN_MS, END_MS, _OUTAGE_ERROR) for tool in usual]
    return [_run_of(decider, world, struck, usual) for decider in DECIDERS]


def _run_of(
    decider: str, world: World, struck: Sequence[History], usual: Sequence[History]
) -> OneRun:
    """Return what a decider does to the tools with the outage and without; the first tool broke."""
    found, found_without = (_rolled_back(decider, tools) for tools in (struck, usual))
    first = struck[0].tool
    at_ms = found.pop(first, inf)
    without_ms = found_without.pop(first, inf)
    after_s = None if at_ms < BROKE_MS else (at_ms - END_MS) / 1_000
    without_s = None if without_ms < BROKE_MS else (without_ms - BROKE_MS) / 1_000
    return OneRun(world, decider, len(found), len(found_without), after_s, without_s)


def _rolled_back(decider: str, histories: Sequence[History]) -> dict[str, int]:
    partitions: list[list[History]] = [[] for _ in range(PARTITIONS)]
    for history in histories:
        partitions[partition_of(history.tool.encode(), PARTITIONS)].append(history)
    if decider == "guarded":
        return rolled_back_in_fleet(partitions, Rules(policy="guarded"))
    found = {}
    for tools in partitions:
        found.update(rolled_back(decider, tools))
    return found


def _history(number: int, world: World, seed: str) -> History:
    """Return the history of a healthy tool. Its name, and so its partition, differ in each run."""
    rate, name = world.rate, f"tool-{seed}-{number}"
    random = Random(f"outage/{rate}/{seed}/{number}")
    activated_ms = BEGIN_MS - int(random.uniform(0, AGE_S) * 1_000)
    baseline = times_until(activated_ms, BASELINE, random)
    life = times_between(activated_ms, END_MS + AFTER_S * 1_000, random)
    return History(name, _calls(baseline, rate, random), _calls(life, rate, random))


def _calls(times: Sequence[int], rate: float, random: Random) -> tuple[Call, ...]:
    drawn = outcomes([steady(len(times), rate)], None, random)
    return tuple(Call(at_ms, outcome) for at_ms, outcome in zip(times, drawn, strict=True))


def _failing_between(history: History, begin_ms: float, end_ms: float, error: str) -> History:
    return history._replace(
        life=tuple(
            call._replace(outcome=error) if begin_ms <= call.at_ms < end_ms else call
            for call in history.life
        )
    )
