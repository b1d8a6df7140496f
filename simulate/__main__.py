"""``make simulate``: all scenarios under all policies, printed and written to
``docs/simulation.md``.
"""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from bench.results import show
from simulate.deciders.decider import POLICIES
from simulate.reporting.report import parts_of, write
from simulate.worlds.caller import simulate_callers
from simulate.worlds.cells import simulate
from simulate.worlds.outage import simulate_outages
from simulate.worlds.scenarios import Scenario, all_scenarios

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "simulation.md"
REPETITIONS: Final = 10_000
"""Of a share of 0.6 % the interval ends below 0.8 %: with half as many, chance might lift the worst
of fifty cells over 1 %."""
OTHERS: Final = 400
"""Repetitions, at most, where shares are greater or the median counts."""
OF_A_RUN: Final = 200
"""Repetitions for one run of the outage, which is of many tools; two runs at least."""
OF_A_CALLER: Final = 10
"""Repetitions for one version with a noisy caller."""


def repetitions_of(scenario: Scenario, policy: str, repetitions: int) -> int:
    """All of them where the bound is to be shown."""
    if policy == "guarded" and scenario.is_healthy:
        return repetitions
    return min(repetitions, OTHERS)


def main(
    repetitions: Annotated[
        int, typer.Option(min=OF_A_CALLER, help="of each healthy scenario")
    ] = REPETITIONS,
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
    outages = simulate_outages(max(repetitions // OF_A_RUN, 2), seed, processes)
    callers = simulate_callers(repetitions // OF_A_CALLER, seed, processes)
    fewer = min(number for _, _, number in wanted)
    how = (
        f"{repetitions:,} repetitions of each healthy scenario under `guarded`, {fewer:,} of all "
        f"else; seed {seed}."
    )
    parts = list(parts_of(cells, how, outages, callers))
    for part in parts:
        show(part.name, part.rows)
        if part.promise:
            print(part.promise)
    write(document, parts, cells)


if __name__ == "__main__":
    typer.run(main)
