"""``make simulate``: all scenarios under all policies, printed and written to
``docs/simulation.md``."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from bench.report import show
from simulate.cells import simulate
from simulate.policies import POLICIES
from simulate.report import ABOUT, results, write
from simulate.scenarios import Scenario, all_scenarios

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "simulation.md"
REPETITIONS: Final = 10_000
"""Of a share of 0.6 % the interval ends below 0.8 %: with half as many, chance might lift the worst
of fifty cells over 1 %."""
OTHERS: Final = 400
"""Repetitions, at most, where shares are greater or the median counts."""


def repetitions_of(scenario: Scenario, policy: str, repetitions: int) -> int:
    """All of them where the bound is to be shown."""
    if policy == "guarded" and scenario.is_healthy:
        return repetitions
    return min(repetitions, OTHERS)


def main(
    repetitions: Annotated[int, typer.Option(min=1, help="of each healthy scenario")] = REPETITIONS,
    seed: Annotated[int, typer.Option(help="other draws")] = 1,
    processes: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
    document: Annotated[Path, typer.Option(help="where the tables go")] = DOCUMENT,
) -> None:
    """What each policy does to versions whose truth is known."""
    wanted = [
        (scenario, policy, repetitions_of(scenario, policy, repetitions))
        for scenario in all_scenarios()
        for policy in POLICIES
    ]
    cells = simulate(wanted, seed, processes)
    for part in ABOUT:
        show(part, results(cells, part))
    fewer = min(number for _, _, number in wanted)
    how = (
        f"{repetitions:,} repetitions of each healthy scenario under `guarded`, {fewer:,} of all "
        f"else; seed {seed}."
    )
    write(document, cells, how)


if __name__ == "__main__":
    typer.run(main)
