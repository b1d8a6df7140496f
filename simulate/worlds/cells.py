"""A scenario under a policy, many times, over processes."""

import math
from collections.abc import Iterable, Sequence
from random import Random
from statistics import median
from typing import Final, NamedTuple

from policy.statistics.intervals import wilson
from simulate.deciders.decider import POLICIES
from simulate.worlds.draws import outcomes
from simulate.worlds.parallel import in_processes
from simulate.worlds.scenarios import Scenario

CHUNK: Final = 25
"""Repetitions that one process does in one go."""


class Cell(NamedTuple):
    """What became of each repetition: the number of the execution that rolled the version back,
    None where none did.
    """

    scenario: Scenario
    policy: str
    rolled_back: tuple[int | None, ...]

    @property
    def repetitions(self) -> int:
        return len(self.rolled_back)

    @property
    def too_early(self) -> int:
        """Repetitions in which it was rolled back before it was worse; of a healthy one all."""
        if self.scenario.is_healthy:
            return self.repetitions - self.rolled_back.count(None)
        before = self.scenario.good_before
        return sum(at is not None and at <= before for at in self.rolled_back)

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the share of those, 95 % (Wilson)."""
        return wilson(self.too_early, self.repetitions)

    @property
    def delays(self) -> list[float]:
        """Executions from where it is worse until the rollback, infinite where there was none; of
        those that were not rolled back before.
        """
        before = self.scenario.good_before
        return [
            math.inf if at is None else float(at - before)
            for at in self.rolled_back
            if at is None or at > before
        ]

    @property
    def median(self) -> float | None:
        """Of the delays; None where all were rolled back before."""
        delays = self.delays
        return median(delays) if delays else None

    @property
    def never(self) -> float | None:
        """The share that was not rolled back, of those that were not rolled back before."""
        delays = self.delays
        return delays.count(math.inf) / len(delays) if delays else None


class _Chunk(NamedTuple):
    seed: int
    scenario: Scenario
    policy: str
    first: int
    end: int


def simulate(wanted: Iterable[tuple[Scenario, str, int]], seed: int, processes: int) -> list[Cell]:
    """A cell for each scenario, policy and number of repetitions, in this order.

    The draws of a repetition follow from the seed, the scenario's part and name and the number of
    the repetition: they are the same for all policies and for any number of processes.
    """
    cells = list(wanted)
    chunks = [
        _Chunk(seed, scenario, policy, first, min(first + CHUNK, repetitions))
        for scenario, policy, repetitions in cells
        for first in range(0, repetitions, CHUNK)
    ]
    done = in_processes(_run, chunks, processes, at_once=4)
    results: dict[tuple[Scenario, str], list[int | None]] = {}
    for chunk, found in zip(chunks, done, strict=True):
        results.setdefault((chunk.scenario, chunk.policy), []).extend(found)
    return [Cell(s, policy, tuple(results[s, policy])) for s, policy, _ in cells]


def _run(chunk: _Chunk) -> list[int | None]:
    return [
        rolled_back_at(chunk.scenario, chunk.policy, f"{chunk.seed}/{number}")
        for number in range(chunk.first, chunk.end)
    ]


def rolled_back_at(scenario: Scenario, policy: str, seed: str) -> int | None:
    """Which execution of the version rolls it back, from 1; None if none does."""
    random = Random(f"{scenario.part}/{scenario.name}/{seed}")
    target = list(outcomes([scenario.target], scenario.run_length, random))
    judging = POLICIES[policy](target)
    life = outcomes(scenario.life, scenario.run_length, random)
    return next((at for at, outcome in enumerate(life, 1) if judging.judge(outcome)), None)


def of_part(cells: Sequence[Cell], part: str) -> list[Cell]:
    return [cell for cell in cells if cell.scenario.part == part]
