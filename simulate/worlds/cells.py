"""A scenario that is judged by a decider many times."""

import math
from collections.abc import Iterable, Sequence
from random import Random
from statistics import median
from typing import Final, NamedTuple

from policy.statistics.intervals import wilson
from simulate.deciders.decider import deciders_of
from simulate.worlds.draws import outcomes
from simulate.worlds.parallel import in_processes
from simulate.worlds.scenarios import Scenario

CHUNK: Final = 25
"""A process does so many repetitions at a time."""


class Cell(NamedTuple):
    """A scenario with a decider.

    ``rolled_back`` has, for each repetition, the number of the execution that rolled the version
    back, counted from 1; None if it was not rolled back.
    """

    scenario: Scenario
    decider: str
    rolled_back: tuple[int | None, ...]

    @property
    def repetitions(self) -> int:
        """The number of repetitions."""
        return len(self.rolled_back)

    @property
    def too_early(self) -> int:
        """The number of versions that were rolled back before they were worse.

        Of healthy versions it is the number of all that were rolled back.
        """
        if self.scenario.is_healthy:
            return self.repetitions - self.rolled_back.count(None)
        before = self.scenario.good_before
        return sum(at is not None and at <= before for at in self.rolled_back)

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95 % interval (Wilson) of the share of versions that were rolled back too early."""
        return wilson(self.too_early, self.repetitions)

    @property
    def delays(self) -> list[float]:
        """The executions from the first worse one until the rollback; infinite if there was none.

        Versions that were rolled back too early are left out.
        """
        before = self.scenario.good_before
        return [
            math.inf if at is None else float(at - before)
            for at in self.rolled_back
            if at is None or at > before
        ]

    @property
    def median(self) -> float | None:
        """The median of the delays; None if all versions were rolled back too early."""
        delays = self.delays
        return median(delays) if delays else None

    @property
    def never(self) -> float | None:
        """The share of the delays that is infinite; None if there are no delays."""
        delays = self.delays
        return delays.count(math.inf) / len(delays) if delays else None


class _Chunk(NamedTuple):
    seed: int
    scenario: Scenario
    decider: str
    first: int
    end: int


def simulate(wanted: Iterable[tuple[Scenario, str, int]], seed: int, processes: int) -> list[Cell]:
    """Return a cell for each scenario, decider and number of repetitions, in this order.

    The draws of a repetition follow from the seed, from the part and name of the scenario and from
    the number of the repetition. So they are the same for all deciders and for any number of
    processes.
    """
    cells = list(wanted)
    chunks = [
        _Chunk(seed, scenario, decider, first, min(first + CHUNK, repetitions))
        for scenario, decider, repetitions in cells
        for first in range(0, repetitions, CHUNK)
    ]
    done = in_processes(_run, chunks, processes, at_once=4)
    results: dict[tuple[Scenario, str], list[int | None]] = {}
    for chunk, found in zip(chunks, done, strict=True):
        results.setdefault((chunk.scenario, chunk.decider), []).extend(found)
    return [Cell(s, decider, tuple(results[s, decider])) for s, decider, _ in cells]


def _run(chunk: _Chunk) -> list[int | None]:
    return [
        rolled_back_at(chunk.scenario, chunk.decider, f"{chunk.seed}/{number}")
        for number in range(chunk.first, chunk.end)
    ]


def rolled_back_at(scenario: Scenario, decider: str, seed: str) -> int | None:
    """Return the number of the execution that rolls the version back, from 1; None if none does."""
    random = Random(f"{scenario.part}/{scenario.draws_name}/{seed}")
    baseline = list(outcomes([scenario.baseline], scenario.run_length, random))
    judging = deciders_of(scenario.part)[decider](baseline)
    life = outcomes(scenario.life, scenario.run_length, random)
    return next((at for at, outcome in enumerate(life, 1) if judging.judge(outcome)), None)


def of_part(cells: Sequence[Cell], part: str) -> list[Cell]:
    """Return the cells whose scenario is of this part."""
    return [cell for cell in cells if cell.scenario.part == part]
